/**
 * Copies of own state that could not be understood, kept beside it for a person to look at: `NAME.broken-1` and so on.
 *
 * Rule: the first ones stay for ever, since they say how it began; when all numbers are taken, the last is replaced. Nobody
 * sweeps them.
 */
import { link, lstat, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { statOrNull, syncDirectory } from './atomic-file.ts';

/** @returns where it lies now; nothing is left at `path` */
export async function moveAside(path: string): Promise<string> {
  for (let number = 1; ; number += 1) {
    const aside = asideOf(path, number);
    if (number < ASIDE_MAX && (await statOrNull(aside)) !== null) continue;
    await rename(path, aside);
    await syncDirectory(dirname(path));
    return aside;
  }
}

/**
 * For a file that must not be missing for a moment: it gets a second name, and stays where it is until it is replaced.
 * @returns the other name, durable; also that of a process which died before it replaced the file
 */
export async function keepAside(path: string): Promise<string> {
  const { ino, dev } = await lstat(path);
  for (let number = 1; ; number += 1) {
    const aside = asideOf(path, number);
    const there = await statOrNull(aside);
    if (there?.ino !== ino || there.dev !== dev) {
      if (there !== null && number < ASIDE_MAX) continue;
      await rm(aside, { force: true, recursive: true });
      await link(path, aside);
    }
    await syncDirectory(dirname(path));
    return aside;
  }
}

const asideOf = (path: string, number: number): string => `${path}.broken-${number}`;

const ASIDE_MAX = 8;
