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
 * @returns those beside which a file system let nothing be done
 */
export async function sweepBeside(paths: readonly string[], log: LogPort['write']): Promise<readonly string[]> {
  const swept = new Set<string>();
  const kept: string[] = [];
  for (const path of paths) {
    try {
      const directory = dirname(await realPathOf(path));
      if (swept.has(directory)) continue;
      for (const removed of await sweepStaleTemps(directory)) log('info', 'stale_temp_removed', { path: removed });
      swept.add(directory);
    } catch (error) {
      if (!(error instanceof PortError)) throw error;
      kept.push(path);
      log('warn', 'stale_temps_kept', { path, code: error.code });
    }
  }
  return kept;
}
