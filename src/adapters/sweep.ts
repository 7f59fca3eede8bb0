/**
 * Removes what a killed daemon left beside stores and publications: a temp that was to become one holds its tokens.
 *
 * Rule: at start, in every directory once, and nobody waits for it: a directory that hangs or refuses is said and left.
 */
import { dirname } from 'node:path';
import { type LogPort, PortError } from '../daemon/ports.ts';
import { realPathOf } from './stores/store-lock.ts';
import { sweepStaleTemps } from './temp-path.ts';

/** @param paths of files that freshd writes, symlinks not resolved. Never rejects for what a file system does */
export async function sweepBeside(paths: readonly string[], log: LogPort['write']): Promise<void> {
  const swept = new Set<string>();
  for (const path of paths) {
    try {
      const directory = dirname(await realPathOf(path));
      if (swept.has(directory)) continue;
      swept.add(directory);
      for (const removed of await sweepStaleTemps(directory)) log('info', 'stale_temp_removed', { path: removed });
    } catch (error) {
      if (!(error instanceof PortError)) throw error;
      log('warn', 'stale_temps_kept', { path, code: error.code });
    }
  }
}
