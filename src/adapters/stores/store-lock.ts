/**
 * freshd's own lock of a store, named by the file's real path, so that two names of one file exclude each other.
 *
 * Rule: the lock lies in a directory of ours, never beside the store: other tools must not stumble over it.
 */
import { createHash } from 'node:crypto';
import { realpath } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { PortError, type Release } from '../../daemon/ports.ts';
import { acquireKernelLock } from '../kernel-lock.ts';
import { errnoOf, portErrorFrom } from '../port-error.ts';
import { ensurePrivateDirectory } from '../private-directory.ts';

/** Of a class, not of closures: each credential has one, and ten thousand of them are to stay small. */
export class StoreLock {
  readonly #path: string;
  readonly #lockDirectory: string;
  #isHeld = false;

  constructor(path: string, lockDirectory: string) {
    this.#path = path;
    this.#lockDirectory = lockDirectory;
  }

  /** Taken already by this store? */
  get isHeld(): boolean {
    return this.#isHeld;
  }

  /** @throws PortError `store_busy` after `timeoutMs` */
  async acquire(timeoutMs: number): Promise<Release> {
    await ensurePrivateDirectory(this.#lockDirectory);
    const name = createHash('sha256')
      .update(await realPathOf(this.#path))
      .digest('hex')
      .slice(0, NAME_LENGTH);
    const lockPath = join(this.#lockDirectory, `${name}.lock`);
    const lock = await acquireKernelLock(lockPath, { timeoutMs }).catch((error: unknown) => {
      throw error instanceof PortError && error.code === 'lock_held' ? storeBusy(this.#path, timeoutMs, error) : error;
    });
    this.#isHeld = true;
    let isReleased = false;
    return async () => {
      if (isReleased) return;
      isReleased = true;
      this.#isHeld = false;
      await lock.release();
    };
  }
}

/**
 * The file that `path` names, symlinks resolved. The file itself may be missing; its directory then names it.
 * @throws PortError
 */
export async function realPathOf(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw portErrorFrom(error, { path, doing: 'resolve' });
  }
  const directory = await realpath(dirname(path)).catch(() => dirname(path));
  return join(directory, basename(path));
}

function storeBusy(path: string, timeoutMs: number, cause: PortError): PortError {
  const remedy = 'nothing to do: another attempt on the same store is under way, and this one is repeated';
  return new PortError(`cannot lock the store ${path} within ${timeoutMs} ms; ${remedy}`, {
    code: 'store_busy',
    remedy,
    cause,
  });
}

// 128 bits of the hash: no two paths meet, and the name stays readable.
const NAME_LENGTH = 32;
