/**
 * Work on a disk that may hang: waited for within a limit, and remembered for as long as it is not over.
 *
 * Rule: what hangs keeps a thread of the pool, so that nothing else is begun for the same credential, and nothing at all
 * where much hangs already.
 */
import { within } from './time-limit.ts';

export interface Hangs {
  /** May more be begun for that credential? */
  mayBegin(credential: string): boolean;
  /** Is something of that credential not over that should be? */
  isHung(credential: string): boolean;
  /** @returns as {@link within}; what passes the limit hangs until it ends, however it ends */
  inTime<T>(credential: string, work: Promise<T>): Promise<T | 'timed_out'>;
}

export function createHangs(limitMs: number): Hangs {
  const hung = new Set<string>();
  return {
    mayBegin: (credential) => !hung.has(credential) && hung.size < HUNG_MAX,
    isHung: (credential) => hung.has(credential),
    async inTime(credential, work) {
      const result = await within(work, limitMs);
      if (result !== 'timed_out') return result;
      hung.add(credential);
      const over = () => void hung.delete(credential);
      void work.then(over, over);
      return result;
    },
  };
}

// Of the attempts, and again of the looks at stores: see file-threads.ts for all that share the threads of the pool.
// Beyond that nobody's refresh could be journalled.
const HUNG_MAX = 8;
