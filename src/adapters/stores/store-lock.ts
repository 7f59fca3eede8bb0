/**
 * freshd's own lock of a store, named by the file's real path, so that two names of one file exclude each other.
 *
 * Rule: the lock lies in a directory of ours, never beside the store: other tools must not stumble over it. For a store of
 * our own user it is a place of that user, so that daemons with different directories exclude each other too.
 */
import { createHash } from 'node:crypto';
import type { Stats } from 'node:fs';
import { readlink, realpath, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { PortError, type Release } from '../../daemon/ports.ts';
import { acquireKernelLock, type KernelLock } from '../kernel-lock.ts';
import { errnoOf, isAbsence, portErrorFrom } from '../port-error.ts';
import { ensurePrivateDirectory } from '../private-directory.ts';

/** A directory for locks, made below one that must be there. */
export interface LockPlace {
  readonly base: string;
  readonly below: string;
}

interface StoreLockOptions {
  readonly path: string;
  readonly lockPlaces?: readonly LockPlace[];
  readonly lockDirectory: string;
}

/** Of a class, not of closures: each credential has one, and ten thousand of them are to stay small. */
export class StoreLock {
  readonly #options: StoreLockOptions;
  #isHeld = false;

  constructor(options: StoreLockOptions) {
    this.#options = options;
  }

  /** Taken already by this store? */
  get isHeld(): boolean {
    return this.#isHeld;
  }

  /** @throws PortError `store_busy` after `timeoutMs` */
  async acquire(timeoutMs: number): Promise<Release> {
    const { path } = this.#options;
    const lock = await takeLock(this.#options, timeoutMs).catch((error: unknown) => {
      throw error instanceof PortError && error.code === 'lock_held' ? storeBusy(path, timeoutMs, error) : error;
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
 * In the first place where it can be had. Each is looked at anew each time: the user's runtime directory comes and goes with
 * his sessions.
 */
async function takeLock({ path, lockPlaces, lockDirectory }: StoreLockOptions, timeoutMs: number): Promise<KernelLock> {
  const realPath = await realPathOf(path);
  const name = createHash('sha256').update(realPath).digest('hex').slice(0, NAME_LENGTH);
  const lockIn = async (directory: string): Promise<KernelLock> => {
    await ensurePrivateDirectory(directory);
    return acquireKernelLock(join(directory, `${name}.lock`), { timeoutMs });
  };
  for (const { base, below } of (await isOurs(realPath)) ? (lockPlaces ?? []) : []) {
    try {
      if (await isThere(base)) return await lockIn(join(base, below));
    } catch (error) {
      if (!(error instanceof PortError) || !UNUSABLE_CODES.has(error.code)) throw error;
    }
  }
  return lockIn(lockDirectory);
}

/** Another user's daemon could not come to our places, nor we to his. */
async function isOurs(realPath: string): Promise<boolean> {
  const found = (await statOrNull(realPath)) ?? (await statOrNull(dirname(realPath)));
  return found !== null && found.uid === process.geteuid?.();
}

const isThere = async (directory: string): Promise<boolean> => (await statOrNull(directory))?.isDirectory() === true;

async function statOrNull(path: string): Promise<Stats | null> {
  try {
    return await stat(path);
  } catch (error) {
    // A disk that fails is no reason for another place: who finds it working would meet nobody there.
    if (!isAbsence(error)) throw portErrorFrom(error, { path, doing: 'look at' });
    return null;
  }
}

/**
 * The file that `path` names, symlinks resolved. The file itself may be missing: its directory then names it, or that of the
 * place to which a link leads.
 * @throws PortError
 */
export async function realPathOf(path: string, linksMax = LINKS_MAX): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw portErrorFrom(error, { path, doing: 'resolve' });
  }
  const directory = await realDirectoryOf(path);
  const target = linksMax === 0 ? null : await linkAt(path);
  return target === null ? join(directory, basename(path)) : await realPathOf(resolve(directory, target), linksMax - 1);
}

async function realDirectoryOf(path: string): Promise<string> {
  try {
    return await realpath(dirname(path));
  } catch (error) {
    if (!isAbsence(error)) throw portErrorFrom(error, { path, doing: 'resolve' });
    return dirname(path);
  }
}

/** @returns null when there is no link */
async function linkAt(path: string): Promise<string | null> {
  try {
    return await readlink(path);
  } catch (error) {
    if (!isAbsence(error) && errnoOf(error) !== 'EINVAL') throw portErrorFrom(error, { path, doing: 'resolve' });
    return null;
  }
}

function storeBusy(path: string, timeoutMs: number, cause: PortError): PortError {
  const remedy = 'nothing to do: another attempt on the same store is under way, and this one is repeated';
  return new PortError(`cannot lock the store ${path} within ${timeoutMs} ms; ${remedy}`, {
    code: 'store_busy',
    remedy,
    cause,
  });
}

// What a place that is not ours to use says; whatever else went wrong may be over at the next attempt, and another place
// would meanwhile exclude nobody.
const UNUSABLE_CODES: ReadonlySet<string> = new Set([
  'permission_denied',
  'read_only_filesystem',
  'directory_not_private',
  'foreign_owner',
  'not_a_directory',
  'not_a_regular_file',
  'symlink_refused',
  'disk_full',
  'quota_exceeded',
  'lock_unsupported',
]);

// As many as Linux follows.
const LINKS_MAX = 40;

// 128 bits of the hash: no two paths meet, and the name stays readable.
const NAME_LENGTH = 32;
