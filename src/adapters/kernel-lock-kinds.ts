/**
 * The ways to a kernel lock: util-linux `flock`, an abstract socket where that is missing, O_EXLOCK on macOS and the BSDs.
 *
 * Rule: each takes the lock, or throws `lock_held` when its time is over; none can be left behind by a killed process.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { type FileHandle, open } from 'node:fs/promises';
import { createServer } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { PortError } from '../daemon/ports.ts';
import { errnoOf } from './port-error.ts';

export interface KernelLockOptions {
  /** How long to wait for another holder; 0: not at all. */
  readonly timeoutMs: number;
  /** Asked when the lock stays held: who has it, for the message. */
  readonly describeHolder?: () => Promise<string>;
  /** Where util-linux `flock` may be; without any, Linux uses an abstract socket. */
  readonly flockPrograms?: readonly string[];
}

/**
 * util-linux `flock` locks an inherited descriptor: the lock belongs to the open file, which it shares with us, and stays
 * when flock exits. A waiting flock whose parent died gets the lock only to drop it at once.
 * @returns false when no flock program is there
 */
export async function lockByFlock(fd: number, path: string, options: KernelLockOptions): Promise<boolean> {
  for (const program of options.flockPrograms ?? FLOCK_PROGRAMS) {
    // `-n` first: busybox has no `-w`, and the lock is nearly always free.
    let status = await runFlock(program, ['-n'], fd);
    if (status === 'missing') continue;
    if (status === FLOCK_BUSY && options.timeoutMs > 0) {
      status = await runFlock(program, ['-w', String(options.timeoutMs / 1000)], fd);
    }
    if (status === 0) return true;
    if (status === FLOCK_BUSY) throw await lockHeld(path, options);
    const remedy = 'the file system must support locks: put the state on a local one';
    throw new PortError(`cannot lock ${path}: flock exited with ${status}; ${remedy}`, {
      code: 'lock_unsupported',
      remedy,
    });
  }
  return false;
}

async function runFlock(program: string, wish: readonly string[], fd: number): Promise<number | 'missing' | 'killed'> {
  // A working directory that was removed would look like a missing program.
  const child = spawn(program, [...wish, '-x', '3'], { cwd: '/', stdio: ['ignore', 'ignore', 'ignore', fd] });
  try {
    const [status] = (await once(child, 'exit')) as [number | null];
    return status ?? 'killed';
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return 'missing';
    throw error;
  }
}

/**
 * Without flock: a bound abstract socket, which the kernel frees with its process, named by the file's device and inode.
 * It excludes only those who share the network namespace and also lack flock.
 * @returns how to free it
 */
export async function lockByAbstractSocket(
  handle: FileHandle,
  path: string,
  options: KernelLockOptions,
): Promise<() => Promise<void>> {
  const { dev, ino } = await handle.stat({ bigint: true });
  const server = createServer((connection) => connection.destroy());
  const bind = async (): Promise<boolean> => {
    try {
      server.listen(`\0freshd-lock-${dev}-${ino}`);
      await once(server, 'listening');
      return true;
    } catch (error) {
      if (errnoOf(error) === 'EADDRINUSE') return false;
      throw error;
    }
  };
  await poll(bind, path, options);
  // Like a locked file, a held socket does not keep the process running.
  server.unref();
  return async () => {
    server.close();
    await once(server, 'close');
  };
}

/** macOS and the BSDs: the file is opened locked, or not at all. */
export async function openExclusively(path: string, flags: number, options: KernelLockOptions): Promise<FileHandle> {
  let handle: FileHandle | null = null;
  const tryOpen = async (): Promise<boolean> => {
    try {
      handle = await open(path, flags | O_EXLOCK, 0o600);
      return true;
    } catch (error) {
      if (errnoOf(error) === 'EAGAIN') return false;
      throw error;
    }
  };
  await poll(tryOpen, path, options);
  if (handle === null) throw await lockHeld(path, options);
  return handle;
}

/** For the two kinds of lock that cannot be waited for. */
async function poll(attempt: () => Promise<boolean>, path: string, options: KernelLockOptions): Promise<void> {
  for (let waitedMs = 0; !(await attempt()); waitedMs += POLL_MS) {
    if (waitedMs >= options.timeoutMs) throw await lockHeld(path, options);
    await wait(POLL_MS);
  }
}

async function lockHeld(path: string, { timeoutMs, describeHolder }: KernelLockOptions): Promise<PortError> {
  const holder = (await describeHolder?.()) ?? 'another process';
  const remedy = 'wait until it is done, or end it';
  return new PortError(`cannot lock ${path} within ${timeoutMs} ms: ${holder} holds it; ${remedy}`, {
    code: 'lock_held',
    remedy,
  });
}

// The fixed places first: a service and a shell with different PATHs must come to the same kind of lock.
const FLOCK_PROGRAMS = ['/usr/bin/flock', '/bin/flock', 'flock'];

// Exit status of flock when another holds the lock.
const FLOCK_BUSY = 1;

// <fcntl.h> of macOS and the BSDs; Node has no name for it.
const O_EXLOCK = 0x20;

// Neither an abstract socket nor O_EXLOCK can be waited for.
const POLL_MS = 20;
