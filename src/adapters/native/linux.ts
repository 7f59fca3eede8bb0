/**
 * The native calls of Linux: datagrams, SO_PEERCRED, the program of a peer, prctl and setrlimit.
 *
 * Rule: numbers of the kernel's interface stand at the end, each with the header it is from.
 */
import { readFileSync, readlinkSync } from 'node:fs';
import type { NativePort, PeerIdentity } from '../../daemon/system-ports.ts';
import { parseProcStat, procStatPath } from '../proc-stat.ts';
import { DATAGRAM_PROTOTYPES, sendDatagram } from './datagram.ts';
import { declare, type Koffi, type NativeCall } from './library.ts';
import { SOCKET_OPTION_PROTOTYPES, socketOption } from './socket-option.ts';

/** @throws when the C library lacks one of them */
export function createLinuxCalls(koffi: Koffi): NativePort {
  const calls = declare(koffi, PROTOTYPES);
  const datagrams = { koffi, calls, hasLength: false, socketFlags: SOCK_CLOEXEC, sendFlags: SEND_FLAGS };
  return {
    sendDatagram: (address, text) => sendDatagram(datagrams, address, text),
    peerOf: (fd) => peerOf(calls, fd),
    peerGroups: (fd) => peerGroups(calls, fd),
    peerExecutable: (fd) => peerExecutable(calls, fd),
    forbidDumps: () => ({
      notDumpable: calls.prctl(PR_SET_DUMPABLE, 0n, 0n, 0n, 0n) === 0 ? 'done' : 'refused',
      noCoreFiles: calls.setrlimit(RLIMIT_CORE, new Uint8Array(RLIMIT_BYTES)) === 0 ? 'done' : 'refused',
    }),
  };
}

type Calls = Readonly<Record<keyof typeof PROTOTYPES, NativeCall>>;

/** `struct ucred`: pid, uid, gid. */
function peerOf(calls: Calls, fd: number): PeerIdentity | null {
  const credentials = socketOption(calls, fd, { level: SOL_SOCKET, option: SO_PEERCRED, words: 3 });
  const [pid = 0, uid = NOBODY, gid = NOBODY] = credentials ?? [];
  // A socket that is no connection has no peer: the kernel then fills in -1.
  if (uid === NOBODY) return null;
  return { uid, gid, pid: pid > 0 ? pid : null };
}

/** Supplementary groups are an option of their own, and of any number; the own group need not be among them. */
function peerGroups(calls: Calls, fd: number): readonly number[] {
  const peer = peerOf(calls, fd);
  if (peer === null) return [];
  const some = socketOption(calls, fd, { level: SOL_SOCKET, option: SO_PEERGROUPS, words: GROUPS_USUAL_MAX });
  const all = some ?? socketOption(calls, fd, { level: SOL_SOCKET, option: SO_PEERGROUPS, words: GROUPS_MAX });
  return [peer.gid, ...(all ?? [])];
}

/**
 * The pid alone may have passed to another process. A pidfd stays with the process that made the connection: as long as that one
 * lives, its number is nobody else's, so a look at `/proc` between getting it and finding it alive was a look at the right one.
 */
function peerExecutable(calls: Calls, fd: number): string | null {
  const pid = peerOf(calls, fd)?.pid ?? null;
  if (pid === null) return null;
  const [pidfd] = socketOption(calls, fd, { level: SOL_SOCKET, option: SO_PEERPIDFD, words: 1 }) ?? [];
  if (pidfd === undefined) return executableBetween(pid);
  try {
    const path = executableOf(pid);
    return isAlive(calls, pidfd) ? path : null;
  } finally {
    calls.close(pidfd);
  }
}

/** Kernels before 6.5: a process that was there before and after the look is at least one and the same. */
function executableBetween(pid: number): string | null {
  const before = startTimeOf(pid);
  const path = executableOf(pid);
  return before !== null && before === startTimeOf(pid) ? path : null;
}

/** Null for a process of another user, unless we have rights over it. A program that was replaced on disk is not the one at that path. */
function executableOf(pid: number): string | null {
  try {
    const path = readlinkSync(`/proc/${pid}/exe`);
    return path.endsWith(DELETED) ? null : path;
  } catch (error) {
    return absent(error);
  }
}

function startTimeOf(pid: number): string | null {
  try {
    return parseProcStat(readFileSync(procStatPath(pid), 'utf8'))?.startTime ?? null;
  } catch (error) {
    return absent(error);
  }
}

/** Gone, or hidden from us. */
function absent(error: unknown): null {
  if (error instanceof Error && 'code' in error) return null;
  throw error;
}

/** A pidfd becomes readable when its process ends. */
function isAlive(calls: Calls, pidfd: number): boolean {
  const request = new ArrayBuffer(POLLFD_BYTES);
  new Int32Array(request).set([pidfd]);
  new Int16Array(request, POLLFD_EVENTS_AT).set([POLLIN]);
  return calls.poll(new Uint8Array(request), 1n, 0) === 0;
}

const PROTOTYPES = {
  ...DATAGRAM_PROTOTYPES,
  ...SOCKET_OPTION_PROTOTYPES,
  poll: 'int poll(void *descriptors, unsigned long count, int timeout)',
  prctl: 'int prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d)',
  setrlimit: 'int setrlimit(int resource, const void *limit)',
};

// <asm-generic/socket.h>; SO_PEERGROUPS came with Linux 4.13, SO_PEERPIDFD with 6.5.
const SOL_SOCKET = 1;
const SO_PEERCRED = 17;
const SO_PEERGROUPS = 59;
const SO_PEERPIDFD = 77;

// <linux/limits.h>: NGROUPS_MAX; hardly anybody is in more than a few.
const GROUPS_MAX = 65_536;
const GROUPS_USUAL_MAX = 64;

// <bits/socket_type.h>, <bits/socket.h>: MSG_DONTWAIT, and MSG_NOSIGNAL against a SIGPIPE.
const SOCK_CLOEXEC = 0o2000000;
const SEND_FLAGS = 0x40 | 0x4000;

// <poll.h>: int fd, short events, short revents.
const POLLFD_BYTES = 8;
const POLLFD_EVENTS_AT = 4;
const POLLIN = 1;

// <linux/prctl.h>, <asm-generic/resource.h>: two 64-bit numbers, soft and hard limit, both none at all.
const PR_SET_DUMPABLE = 4;
const RLIMIT_CORE = 4;
const RLIMIT_BYTES = 16;

// `(uid_t) -1`: no user.
const NOBODY = 0xffff_ffff;

// What the kernel appends to the path of a program whose file is gone.
const DELETED = ' (deleted)';
