/**
 * What all publications of one process have in common: turns at a file, and what is done once for a file or its directory.
 *
 * Rule: keyed by path, and never about what is published.
 */
import { dirname } from 'node:path';
import { sweepStaleTemps, syncFile } from '../atomic-file.ts';
import { createTurns } from '../turns.ts';

/** Jobs of one file, by its path, at the latest by the real one: read, edit and write of two must not interleave. */
export const inTurn = createTurns();

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

// As many as there are publication directories in the configuration.
const sweptDirectories = new Set<string>();

// As many as there are publications.
const syncedFiles = new Set<string>();
