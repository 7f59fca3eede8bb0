/**
 * What the publications of one process owe each other in a directory that they share.
 *
 * Rule: keyed by path, at the latest by the real one; nothing is kept once nobody waits.
 */
import { dirname } from 'node:path';
import { sweepStaleTemps, syncFile } from '../atomic-file.ts';

/** Runs the jobs of one file one after another, whatever becomes of each: read, edit, write must not interleave. */
export function inTurn<T>(key: string, job: () => Promise<T>): Promise<T> {
  const before = lastJobs.get(key) ?? Promise.resolve();
  const result = before.then(job);
  const settled = result.then(
    () => undefined,
    () => undefined,
  );
  lastJobs.set(key, settled);
  void settled.then(() => {
    if (lastJobs.get(key) === settled) lastJobs.delete(key);
  });
  return result;
}

/** Removes what a killed writer left beside the file, once in the life of this process: a temp can hold a token. */
export async function sweepBesideOnce(realPath: string): Promise<void> {
  const directory = dirname(realPath);
  if (sweptDirectories.has(directory)) return;
  sweptDirectories.add(directory);
  try {
    await sweepStaleTemps(directory);
  } catch (error) {
    sweptDirectories.delete(directory);
    throw error;
  }
}

/**
 * For a file that holds already what it should: a killed writer may have replaced it and not waited for the disk, so that a
 * power failure would bring back what stood there before. Once in the life of this process, whose own writes are waited for.
 * @throws PortError
 */
export async function syncOnce(realPath: string): Promise<void> {
  if (syncedFiles.has(realPath)) return;
  await syncFile(realPath);
  syncedFiles.add(realPath);
}

const lastJobs = new Map<string, Promise<void>>();

// As many as there are publication directories in the configuration.
const sweptDirectories = new Set<string>();

// As many as there are publications.
const syncedFiles = new Set<string>();
