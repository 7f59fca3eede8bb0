/**
 * Time limits on promises that may never settle, and short pauses: the only timers of the shell.
 *
 * Rule: a limit ends the waiting, never the work: what was started stays outstanding, and its owner must not start it twice.
 * These timers bound waits of seconds while the process runs; what is due later belongs to the alarm, which knows of suspend.
 */
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Waits for a promise, but at most `limitMs`.
 * @returns what the promise gave, or `'timed_out'`; a rejection after the limit is swallowed on purpose, the caller has moved on
 */
export async function within<T>(work: Promise<T>, limitMs: number): Promise<T | 'timed_out'> {
  const end = new AbortController();
  const limit = sleep(limitMs, 'timed_out' as const, { signal: end.signal }).catch(() => 'timed_out' as const);
  try {
    return await Promise.race([work, limit]);
  } finally {
    end.abort();
  }
}

/**
 * Resolves after `delayMs`.
 * @param options `keepsAlive`: whether the process waits for it (default) or may end before
 */
export async function pause(delayMs: number, options: { readonly keepsAlive?: boolean } = {}): Promise<void> {
  await sleep(delayMs, undefined, { ref: options.keepsAlive ?? true });
}
