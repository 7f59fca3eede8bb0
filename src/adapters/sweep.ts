/**
 * Removes what a killed daemon left beside stores and publications: a temp that was to become one holds its tokens.
 *
 * Rule: at start, in every directory until it was possible once, and nobody waits for it: one that refuses is said once.
 */
import { dirname } from 'node:path';
import { type LogPort, PortError } from '../daemon/ports.ts';
import { realPathOf } from './stores/store-lock.ts';
import { sweepStaleTemps } from './temp-path.ts';

/**
 * @param paths of files that freshd writes, symlinks not resolved
 * @returns those with which to try again, because a file system let nothing be done beside them
 */
export async function sweepBeside(paths: readonly string[], log: LogPort['write']): Promise<readonly string[]> {
  const lookedIn = new Set<string>();
  const refused = new Set<string>();
  const kept: string[] = [];
  // One after the other: each look takes a thread of the pool, and at the start the stores themselves need those.
  for (const path of paths) {
    try {
      const directory = dirname(await realPathOf(path));
      if (lookedIn.has(directory)) continue;
      lookedIn.add(directory);
      for (const removed of await sweepStaleTemps(directory)) log('info', 'stale_temp_removed', { path: removed });
    } catch (error) {
      if (!(error instanceof PortError)) throw error;
      kept.push(path);
      if (refused.has(dirname(path))) continue;
      refused.add(dirname(path));
      log('warn', 'stale_temps_kept', { path, code: error.code });
    }
  }
  return kept;
}
