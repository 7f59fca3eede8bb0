/**
 * What the file system says about files that the configuration names: who may write or read them, and where they really are.
 *
 * Rule: facts only; what follows from them is decided by the caller. A file that is not there is a fact too.
 */
import type { Stats } from 'node:fs';
import { readdir, realpath, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

/** @returns null when nothing is there, or it cannot be looked at */
export async function statOrNull(path: string): Promise<Stats | null> {
  return orNull(stat(path));
}

/** Where a file really is: the file itself where it exists, else its folder, else the path as it stands. */
export async function realPathOf(path: string): Promise<string> {
  const whole = await orNull(realpath(path));
  if (whole !== null) return whole;
  const folder = await orNull(realpath(dirname(path)));
  return folder === null ? path : join(folder, basename(path));
}

/**
 * Where many files really are. One look at each folder says which of its files are links; thousands share a few folders.
 * @returns real path by path
 */
export async function realPathsOf(paths: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const folders = [...new Set(paths.map((path) => dirname(path)))];
  const inTime = timeLimit();
  // What lies on a mount that hangs is taken by its name; whoever uses it will find out.
  const looks = await Promise.all(folders.map(async (folder) => [folder, await inTime(lookInto(folder))] as const));
  const byFolder = new Map(looks);
  const real = async (path: string): Promise<readonly [string, string]> => {
    const look = byFolder.get(dirname(path)) ?? null;
    // What is not there yet is where it will be.
    if (look === null) return [path, path];
    const isPlain = look.links?.has(basename(path)) === false;
    return [path, isPlain ? join(look.realPath, basename(path)) : ((await inTime(realPathOf(path))) ?? path)];
  };
  return new Map(await Promise.all(paths.map(real)));
}

/**
 * One limit for many looks at files: a mount that hangs must keep nobody from starting.
 * @returns waits for a look; null when the time is over
 */
export function timeLimit(): <T>(look: Promise<T>) => Promise<T | null> {
  const signal = AbortSignal.timeout(LOOK_MS_MAX);
  const over = new Promise<null>((resolve) => signal.addEventListener('abort', () => resolve(null), { once: true }));
  return (look) => Promise.race([look, over]);
}

/** @returns null for a folder that is not there; `links` null for one that is not ours to list */
async function lookInto(folder: string): Promise<{ realPath: string; links: ReadonlySet<string> | null } | null> {
  const realPath = await orNull(realpath(folder));
  if (realPath === null) return null;
  const entries = await orNull(readdir(folder, { withFileTypes: true }));
  const links = entries?.filter((entry) => entry.isSymbolicLink()).map((entry) => entry.name);
  return { realPath, links: links === undefined ? null : new Set(links) };
}

/** A group of the owner's own number is by convention his alone; any other may hold strangers. */
const isSharedGroup = (found: Stats): boolean => found.gid !== found.uid;

export const isWritableByOthers = (found: Stats): boolean =>
  (found.mode & 0o002) !== 0 || ((found.mode & 0o020) !== 0 && isSharedGroup(found));

export const isReadableByOthers = (found: Stats): boolean =>
  (found.mode & 0o004) !== 0 || ((found.mode & 0o040) !== 0 && isSharedGroup(found));

/** In a folder with the sticky bit (`/tmp`) only the owner of a file may replace it. */
export const mayOthersReplaceIn = (folder: Stats): boolean =>
  isWritableByOthers(folder) && (folder.mode & 0o1000) === 0;

/** Mode as chmod takes it, for messages: `0664`. */
export const modeText = (found: Stats): string => (found.mode & 0o7777).toString(8).padStart(4, '0');

/** The system's name of an error (`ENOENT`), for messages. */
export const errnoText = (error: unknown): string =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'an unknown error';

/** Every errno means the same here: there is nothing to be said about that path. */
async function orNull<T>(promise: Promise<T>): Promise<T | null> {
  try {
    return await promise;
  } catch (error) {
    if (error instanceof Error && 'code' in error) return null;
    throw error;
  }
}

// Disks answer in milliseconds, and a sleeping one within some seconds.
const LOOK_MS_MAX = 3_000;
