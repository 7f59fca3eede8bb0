/**
 * The readers at the other ends of connections, and what this system can tell of them at all.
 *
 * Rule: found out on a connection of our own and from the kernel's tables, never assumed; what cannot be told is said with its remedy.
 */
import { once } from 'node:events';
import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { NativePort, NativeSupport, PeersPort, ReaderAbilities } from '../../daemon/system-ports.ts';

/** What each connection tells of its other end. */
export function createPeers(native: NativePort): PeersPort {
  return {
    readerOf(socket) {
      const fd = descriptorOf(socket);
      const peer = fd === null ? null : native.peerOf(fd);
      if (fd === null || peer === null) return null;
      // The descriptor is looked up anew: by the time of a later look it may belong to another connection.
      const look = <T>(ask: (fd: number) => T, otherwise: T): T => {
        const now = descriptorOf(socket);
        return now === null ? otherwise : ask(now);
      };
      return {
        uid: peer.uid,
        pid: peer.pid,
        groups: () => look<readonly number[]>(native.peerGroups, []),
        executable: () => look<string | null>(native.peerExecutable, null),
      };
    },
  };
}

/** Finds out what rules this process could keep. */
export async function readerAbilities(support: NativeSupport): Promise<ReaderAbilities> {
  if (!support.isAvailable) {
    return { whyNone: support.why, knowsUser: () => false, knowsGroup: () => false, whyNoExecutables: support.why };
  }
  const seen = await lookAtOurselves(support.native);
  const isOurs = seen.pid === process.pid;
  const whyNoExecutables =
    isOurs && seen.executable === realpathSync(process.execPath)
      ? null
      : 'on a connection of its own freshd does not see its own program; give it /proc of its own process namespace';
  return {
    whyNone: seen.uid === process.geteuid?.() ? null : 'the system does not say who connects',
    knowsUser: knownIds('/proc/self/uid_map'),
    knowsGroup: knownIds('/proc/self/gid_map'),
    whyNoExecutables,
  };
}

/** Node shows the descriptor of a connection to nobody; it lies there under the same name on every platform but Windows. */
function descriptorOf(socket: Socket): number | null {
  const { _handle: handle } = socket as Socket & { readonly _handle?: { readonly fd?: number } | null };
  return handle?.fd !== undefined && handle.fd >= 0 ? handle.fd : null;
}

async function lookAtOurselves(
  native: NativePort,
): Promise<{ readonly uid: number | null; readonly pid: number | null; readonly executable: string | null }> {
  const directory = await mkdtemp(join(tmpdir(), 'freshd-self-'));
  const server = createServer();
  try {
    server.listen(join(directory, 'self'));
    await once(server, 'listening');
    const accepted = once(server, 'connection') as Promise<[Socket]>;
    const client = connect(join(directory, 'self'));
    const [socket] = await accepted;
    const reader = createPeers(native).readerOf(socket);
    const seen = { uid: reader?.uid ?? null, pid: reader?.pid ?? null, executable: reader?.executable() ?? null };
    client.destroy();
    socket.destroy();
    return seen;
  } finally {
    server.close();
    await rm(directory, { recursive: true, force: true });
  }
}

/**
 * Which ids can be told apart here. In a user namespace (PrivateUsers=, a container) all that are not in its table look
 * like one and the same, which is then nobody's. Where Linux does not show the table, no id can be vouched for.
 */
export function knownIds(table: string, platform: NodeJS.Platform = process.platform): (id: number) => boolean {
  // Only Linux has such namespaces.
  if (platform !== 'linux') return () => true;
  const ranges = rangesIn(table);
  const isWhole = ranges.some(({ first, end }) => first === 0 && end >= ID_MAX);
  return (id) => isWhole || (id !== OVERFLOW_ID && ranges.some(({ first, end }) => id >= first && id < end));
}

/** None where the table cannot be read, or is not of the shape that the kernel writes. */
function rangesIn(table: string): readonly { readonly first: number; readonly end: number }[] {
  let text: string;
  try {
    text = readFileSync(table, 'utf8');
  } catch (error) {
    // A kernel that was built without these namespaces has no table, and all ids are what they seem.
    const isMissing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    return isMissing && existsSync(join(dirname(table), 'status')) ? [{ first: 0, end: ID_MAX }] : [];
  }
  return text
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number))
    .flatMap(([first = Number.NaN, , count = Number.NaN]) =>
      Number.isInteger(first) && Number.isInteger(count) ? [{ first, end: first + count }] : [],
    );
}

// All 32-bit ids but the one that means "none".
const ID_MAX = 0xffff_ffff;

// /proc/sys/kernel/overflowuid, as every distribution leaves it.
const OVERFLOW_ID = 65_534;
