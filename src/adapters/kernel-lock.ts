/**
 * Locks that the kernel holds for a process and frees at its death, however it dies; no time limit, no take-over.
 *
 * Rule: the lock belongs to an open file. Node opens with O_CLOEXEC, so no child inherits it and keeps it alive.
 */
import { constants, type Stats } from 'node:fs';
import { type FileHandle, open, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { PortError } from '../daemon/ports.ts';
import { writeFileAtomic } from './atomic-file.ts';
import { type KernelLockOptions, lockByAbstractSocket, lockByFlock, openExclusively } from './kernel-lock-kinds.ts';
import { errnoOf, isAbsence, portErrorFrom } from './port-error.ts';

export interface KernelLock {
  /** Frees the lock; again: nothing. */
  release(): Promise<void>;
}

/**
 * Takes the exclusive lock on the file at `path`, created with mode 0600 where it is missing and never removed.
 * @throws PortError `lock_held` after `timeoutMs`, `lock_unsupported`, `not_a_regular_file`, or one of `portErrorFrom`
 */
export async function acquireKernelLock(path: string, options: KernelLockOptions): Promise<KernelLock> {
  try {
    for (;;) {
      const held = await lockFile(path, options);
      if (await isStillAt(held, path)) return held.lock;
      // Removed or replaced between our open and our lock: what we hold excludes nobody.
      await held.lock.release();
    }
  } catch (error) {
    throw portErrorFrom(error, { path, doing: 'lock' });
  }
}

/**
 * The daemon's own lock, for life: `lock` in its state directory, and beside it `lock.pid`, which only serves the message.
 * @throws PortError `already_running`, naming the holder's pid, or as {@link acquireKernelLock}
 */
export async function acquireDaemonLock(stateDirectory: string): Promise<KernelLock> {
  const pidPath = join(stateDirectory, 'lock.pid');
  const lock = await acquireKernelLock(join(stateDirectory, 'lock'), { timeoutMs: 0 }).catch(async (error: unknown) => {
    if (!(error instanceof PortError) || error.code !== 'lock_held') throw error;
    const pid = await readHolderPid(pidPath);
    const holder = pid === null ? 'a daemon that did not say its pid' : `pid ${pid}`;
    const remedy =
      pid === null ? 'stop the other one first' : `use the one that runs, or stop it first: \`kill ${pid}\``;
    throw new PortError(`freshd already runs on ${stateDirectory}: ${holder} holds its lock; ${remedy}`, {
      code: 'already_running',
      remedy,
      cause: error,
    });
  });
  // A disk that takes nothing must not keep the daemon from starting; a former holder's pid should not stay there either, but
  // where it does, it is only for the message, and only if that pid lives.
  await writeFileAtomic(pidPath, `${process.pid}\n`, { modeWhenCreated: 0o600 })
    .catch(() => rm(pidPath, { force: true }))
    .catch(() => undefined);
  return {
    release: async () => {
      await rm(pidPath, { force: true });
      await lock.release();
    },
  };
}

/** A disk that fails at the question must not leave us with a lock that nobody knows of: it would exclude ourselves. */
async function isStillAt(held: HeldFile, path: string): Promise<boolean> {
  try {
    return await held.isAt(path);
  } catch (error) {
    await held.lock.release();
    throw error;
  }
}

interface HeldFile {
  readonly lock: KernelLock;
  isAt(path: string): Promise<boolean>;
}

async function lockFile(path: string, options: KernelLockOptions): Promise<HeldFile> {
  if (process.platform === 'win32') {
    const remedy = 'run the daemon on Linux, macOS or a BSD; clients run on Windows';
    throw new PortError(`cannot lock ${path}: ${remedy}`, { code: 'lock_unsupported', remedy });
  }
  // O_NONBLOCK: a FIFO in this place must not hang us, and a held O_EXLOCK must be told, not waited for.
  const flags = constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const linux = process.platform === 'linux';
  const handle = linux ? await open(path, flags, 0o600) : await openExclusively(path, flags, options);
  try {
    await refuseUnlessFile(path, handle);
    if (!linux) return holding(handle);
    if (await lockByFlock(handle.fd, path, options)) return holding(handle);
    return holding(handle, await lockByAbstractSocket(handle, path, options));
  } catch (error) {
    await handle.close();
    throw error;
  }
}

function holding(handle: FileHandle, alsoRelease?: () => Promise<void>): HeldFile {
  let released: Promise<void> | null = null;
  const release = async (): Promise<void> => {
    try {
      await alsoRelease?.();
    } finally {
      await handle.close();
    }
  };
  return {
    lock: {
      release: () => {
        released ??= release();
        return released;
      },
    },
    isAt: async (path) => {
      const [ours, there] = await Promise.all([handle.stat(), statOrNull(path)]);
      return there !== null && there.ino === ours.ino && there.dev === ours.dev;
    },
  };
}

async function statOrNull(path: string): Promise<Stats | null> {
  try {
    return await stat(path);
  } catch (error) {
    if (!isAbsence(error)) throw error;
    return null;
  }
}

async function refuseUnlessFile(path: string, handle: FileHandle): Promise<void> {
  if ((await handle.stat()).isFile()) return;
  const remedy = 'remove it; freshd creates the lock file itself';
  throw new PortError(`cannot lock ${path}: expected a regular file; ${remedy}`, {
    code: 'not_a_regular_file',
    remedy,
  });
}

/** A holder that has only just started may still be about to write its pid, over that of a dead one. */
async function readHolderPid(pidPath: string): Promise<number | null> {
  for (let waitedMs = 0; waitedMs < PID_WAIT_MS; waitedMs += POLL_MS) {
    const text = await readFile(pidPath, 'utf8').catch(() => '');
    const pid = /^[1-9]\d*$/.test(text.trim()) ? Number(text) : null;
    if (pid !== null && isAlive(pid)) return pid;
    await wait(POLL_MS);
  }
  return null;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return errnoOf(error) === 'EPERM';
  }
}

const POLL_MS = 20;

// Twice an fsync on a slow disk: that long a new holder may take to write its pid.
const PID_WAIT_MS = 1_000;
