/**
 * The socket's file: its directory, its length, who lives behind it, and its mode from the first moment.
 *
 * Rule: a socket is replaced only after the kernel refused a connection to it; nothing else at that path is touched. The
 * caller holds the daemon's kernel lock, so no second daemon looks at the same moment.
 */
import { chmodSync, chownSync, lstatSync, mkdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { connect, type ListenOptions, type Server } from 'node:net';
import { dirname } from 'node:path';
import { PortError } from '../daemon/ports.ts';
import { SOCKET_PATH_BYTES_MAX } from './protocol.ts';
import type { Timers } from './timers.ts';

/** Which file it is, however it is called. */
export interface FileIdentity {
  readonly dev: number;
  readonly ino: number;
}

/** @throws PortError `socket_path_too_long` */
export function checkSocketPath(socketPath: string): void {
  const maxBytes = process.platform === 'darwin' ? SOCKET_PATH_BYTES_MAX.darwin : SOCKET_PATH_BYTES_MAX.linux;
  const bytes = Buffer.byteLength(socketPath);
  if (bytes <= maxBytes) return;
  throw new PortError(`socket path: expected at most ${maxBytes} bytes, got ${bytes}: ${socketPath}`, {
    code: 'socket_path_too_long',
    remedy: 'set socket.path in the configuration, or FRESHD_SOCKET, to a shorter path',
  });
}

export interface SocketAccess {
  /** Number of the group that may connect too; null: none. */
  readonly group: number | null;
  /** Its folder is shared on purpose. */
  readonly mayBeOpen?: boolean;
}

/**
 * Makes the directory private where it has to be made; one that exists is left as it is, since others may use it too.
 * @returns a word of warning for the log, or null
 * @throws PortError `socket_directory_unsafe` when others could put their own socket in our place
 */
export function prepareSocketDirectory(socketPath: string, access: SocketAccess): string | null {
  const directory = dirname(socketPath);
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    const { mode } = statSync(directory);
    if ((mode & 0o022) !== 0) throw unsafeDirectory(directory, mode);
    if (access.group !== null) return letGroupThrough(directory, access.group);
    return (mode & 0o077) === 0 || access.mayBeOpen === true
      ? null
      : `${directory} is open to others (mode ${octal(mode)}); chmod 700 it`;
  } catch (error) {
    if (error instanceof PortError) throw error;
    throw new PortError(`socket directory ${directory}: expected a directory to write in, got ${codeOf(error)}`, {
      code: 'socket_directory_unusable',
      remedy: 'make it writable for this user, or choose another socket.path',
      cause: error,
    });
  }
}

/** Through to the socket, and no look at what else is there. @returns a word of warning where that cannot be had */
function letGroupThrough(directory: string, group: number): string | null {
  const { gid, mode, uid } = statSync(directory);
  if ((mode & 0o001) !== 0 || (gid === group && (mode & 0o010) !== 0)) return null;
  const closed = (why: string): string =>
    `${directory} lets no member of group ${group} through (${why}); chgrp ${group} and chmod g+x it`;
  // What another group was given there is not ours to give to this one.
  if (gid !== group && (mode & 0o070) !== 0) return closed(`it is open to group ${gid}`);
  try {
    if (gid !== group) chownSync(directory, uid, group);
    chmodSync(directory, (mode & 0o7777) | 0o010);
    return null;
  } catch (error) {
    return closed(codeOf(error));
  }
}

function unsafeDirectory(directory: string, mode: number): PortError {
  return new PortError(
    `socket directory ${directory}: expected one that only its owner may write, got mode ${octal(mode)}`,
    {
      code: 'socket_directory_unsafe',
      remedy: 'put the socket into a directory of its own (mode 0700), for example by socket.path or FRESHD_SOCKET',
    },
  );
}

/**
 * Makes room at the path: removes a stale socket, refuses a living one.
 * @throws PortError `socket_in_use`, or `socket_path_taken` when something stands there that is no socket
 */
export async function makeRoom(socketPath: string, timers: Timers): Promise<void> {
  const stats = lstatSync(socketPath, { throwIfNoEntry: false });
  if (stats === undefined) return;
  if (!stats.isSocket()) {
    throw new PortError(`socket path ${socketPath}: expected a socket or nothing, got another kind of file`, {
      code: 'socket_path_taken',
      remedy: 'move that file away, or choose another socket.path',
    });
  }
  if (await isRefused(socketPath, timers)) rmSync(socketPath, { force: true });
  else throw socketInUse(socketPath);
}

function socketInUse(socketPath: string): PortError {
  return new PortError(`socket path ${socketPath}: expected nobody there, but somebody answers`, {
    code: 'socket_in_use',
    remedy: 'another freshd, or another program, uses it: stop that one, or choose another socket.path',
  });
}

/** Only a refusal proves that nobody listens: a full backlog, a missing permission or silence do not. */
function isRefused(socketPath: string, timers: Timers): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(socketPath);
    const settle = (refused: boolean): void => {
      cancelTimer();
      socket.destroy();
      resolve(refused);
    };
    const cancelTimer = timers.after(CONNECT_MS_MAX, () => settle(false));
    socket.once('connect', () => settle(false));
    socket.once('error', (error) => settle(codeOf(error) === 'ECONNREFUSED' || codeOf(error) === 'ENOENT'));
  });
}

/**
 * Listens with a socket that nobody else may open, not even for an instant.
 * @throws PortError `socket_in_use`, `socket_unusable`
 */
export async function listenPrivately(server: Server, socketPath: string, group: number | null): Promise<FileIdentity> {
  // The file is made inside listen(), before it returns, so the mask holds for exactly that.
  const umask = process.umask(0o177);
  let listening: Promise<void>;
  try {
    listening = listen(server, { path: socketPath, backlog: BACKLOG }, (error) => listenError(socketPath, error));
  } finally {
    process.umask(umask);
  }
  await listening;
  if (group !== null) shareWith(socketPath, group);
  const identity = identityOf(socketPath);
  if (identity === null) throw listenError(socketPath, { code: 'ENOENT' });
  return identity;
}

/** @param refusal what a system that does not let it listen comes to */
export function listen(
  server: Server,
  where: ListenOptions | { readonly fd: number },
  refusal: (error: unknown) => PortError,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const onError = (error: unknown): void => reject(refusal(error));
    server.once('error', onError);
    server.listen(where, () => {
      server.off('error', onError);
      resolve();
    });
  });
}

/** The group first: until then, the mode would open it to another one. */
function shareWith(socketPath: string, group: number): void {
  try {
    const { gid, uid } = lstatSync(socketPath);
    if (gid !== group) chownSync(socketPath, uid, group);
    chmodSync(socketPath, 0o660);
  } catch (error) {
    throw new PortError(`socket ${socketPath}: expected to give it to group ${group}, got ${codeOf(error)}`, {
      code: 'socket_group_refused',
      remedy:
        'make the user of freshd a member of it (Group= or SupplementaryGroups= of a unit), or let the folder pass it on (chgrp, chmod g+s)',
      cause: error,
    });
  }
}

/**
 * The number of a group. Only /etc/group is looked into: Node cannot ask for others.
 * @throws PortError `unknown_group`
 */
export function groupId(group: string): number {
  if (/^\d+$/.test(group)) return Number(group);
  const line = readFileSync('/etc/group', 'utf8')
    .split('\n')
    .find((one) => one.startsWith(`${group}:`));
  const number = Number(line?.split(':')[2] ?? Number.NaN);
  if (Number.isInteger(number)) return number;
  throw new PortError(`socket.group: expected a group of /etc/group, got ${group}`, {
    code: 'unknown_group',
    remedy: 'create it, or write its number (`getent group NAME` shows it)',
  });
}

export function listenError(socketPath: string, error: unknown): PortError {
  const code = codeOf(error);
  if (code === 'EADDRINUSE') return socketInUse(socketPath);
  return new PortError(`socket ${socketPath}: expected to listen there, got ${code}`, {
    code: 'socket_unusable',
    remedy: 'check that its directory exists and may be written by this user',
    cause: error,
  });
}

/** Null when nothing is there. */
export function identityOf(path: string): FileIdentity | null {
  try {
    const { dev, ino } = lstatSync(path);
    return { dev, ino };
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'EACCES'].includes(codeOf(error))) return null;
    throw error;
  }
}

/** Whether its mode lets others than its user connect: that takes the right to write. */
export const isOpenToOthers = (path: string): boolean =>
  ((lstatSync(path, { throwIfNoEntry: false })?.mode ?? 0) & 0o022) !== 0;

export const isSameFile = (a: FileIdentity | null, b: FileIdentity | null): boolean =>
  a !== null && b !== null && a.dev === b.dev && a.ino === b.ino;

export const codeOf = (error: unknown): string => String((error as { code?: unknown } | null)?.code ?? 'unknown');

const octal = (mode: number): string => (mode & 0o777).toString(8).padStart(4, '0');

/** A connection to a living Unix socket is instant; a second is plenty for a machine that swaps. */
const CONNECT_MS_MAX = 1000;

/** Connections that wait while the loop is busy; the kernel cuts it to its own limit (net.core.somaxconn). */
const BACKLOG = 4096;
