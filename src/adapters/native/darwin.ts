/**
 * The native calls of macOS: datagrams, getpeereid, LOCAL_PEERPID, the program of a peer, setrlimit.
 *
 * Rule: built from Apple's headers and not run on a Mac by the tests of this repository; whatever fails is "not known", never a guess.
 */
import type { NativePort, PeerIdentity } from '../../daemon/system-ports.ts';
import { DATAGRAM_PROTOTYPES, sendDatagram } from './datagram.ts';
import { declare, type Koffi, type NativeCall } from './library.ts';
import { SOCKET_OPTION_PROTOTYPES, socketOption } from './socket-option.ts';

/** @throws when the C library lacks one of them */
export function createDarwinCalls(koffi: Koffi): NativePort {
  const calls = declare(koffi, PROTOTYPES);
  const datagrams = { koffi, calls, hasLength: true, socketFlags: 0, sendFlags: MSG_DONTWAIT };
  return {
    sendDatagram: (address, text) => sendDatagram(datagrams, address, text),
    peerOf: (fd) => peerOf(calls, fd),
    peerGroups: (fd) => {
      const peer = peerOf(calls, fd);
      return peer === null ? [] : [peer.gid];
    },
    peerExecutable: (fd) => peerExecutable(calls, fd),
    forbidDumps: () => ({
      // PT_DENY_ATTACH would keep the owner's own debugger away, but not a memory reader with the task's port.
      notDumpable: 'not_here',
      noCoreFiles: calls.setrlimit(RLIMIT_CORE, new Uint8Array(RLIMIT_BYTES)) === 0 ? 'done' : 'refused',
    }),
  };
}

type Calls = Readonly<Record<keyof typeof PROTOTYPES, NativeCall>>;

function peerOf(calls: Calls, fd: number): PeerIdentity | null {
  const [uid, gid] = [new Uint32Array(1), new Uint32Array(1)];
  if (calls.getpeereid(fd, new Uint8Array(uid.buffer), new Uint8Array(gid.buffer)) !== 0) return null;
  return { uid: uid[0] ?? 0, gid: gid[0] ?? 0, pid: peerPid(calls, fd) };
}

function peerPid(calls: Calls, fd: number): number | null {
  const [word = 0] = socketOption(calls, fd, { level: SOL_LOCAL, option: LOCAL_PEERPID, words: 1 }) ?? [];
  // A pid_t has a sign.
  const pid = word | 0;
  return pid > 0 ? pid : null;
}

/** A pid that has passed to another process shows another start time after the look than before it. */
function peerExecutable(calls: Calls, fd: number): string | null {
  const pid = peerPid(calls, fd);
  if (pid === null) return null;
  const before = startTimeOf(calls, pid);
  const path = new Uint8Array(PATH_BYTES_MAX);
  const length = calls.proc_pidpath(pid, path, path.length);
  const isSame = before !== null && before === startTimeOf(calls, pid);
  return length > 0 && isSame ? Buffer.from(path.subarray(0, length)).toString() : null;
}

/** Seconds and microseconds, the last two words of `struct proc_bsdinfo`. */
function startTimeOf(calls: Calls, pid: number): string | null {
  const info = new Uint8Array(BSDINFO_BYTES);
  if (calls.proc_pidinfo(pid, PROC_PIDTBSDINFO, 0n, info, info.length) !== info.length) return null;
  return Buffer.from(info.subarray(START_TIME_AT)).toString('hex');
}

const PROTOTYPES = {
  ...DATAGRAM_PROTOTYPES,
  getpeereid: 'int getpeereid(int fd, void *uid, void *gid)',
  ...SOCKET_OPTION_PROTOTYPES,
  proc_pidpath: 'int proc_pidpath(int pid, void *path, uint32_t size)',
  proc_pidinfo: 'int proc_pidinfo(int pid, int flavor, uint64_t argument, void *info, int size)',
  setrlimit: 'int setrlimit(int resource, const void *limit)',
};

// <sys/un.h>
const SOL_LOCAL = 0;
const LOCAL_PEERPID = 2;

// <sys/socket.h>; there is no MSG_NOSIGNAL, and Node ignores SIGPIPE.
const MSG_DONTWAIT = 0x80;

// <sys/proc_info.h>
const PATH_BYTES_MAX = 4_096;
const PROC_PIDTBSDINFO = 3;
const BSDINFO_BYTES = 136;
const START_TIME_AT = 120;

// <sys/resource.h>: two 64-bit numbers, soft and hard limit, both none at all.
const RLIMIT_CORE = 4;
const RLIMIT_BYTES = 16;
