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
export function within<T>(work: Promise<T>, limitMs: number): Promise<T | 'timed_out'> {
  // Not on an AbortController: ending one costs more than the work that is mostly waited for.
  return new Promise((resolve, reject) => {
    const limit = setTimeout(resolve, limitMs, 'timed_out');
    const ended = (settle: () => void): void => {
      clearTimeout(limit);
      settle();
    };
    work.then(
      (value) => ended(() => resolve(value)),
      (error: unknown) => ended(() => reject(error)),
    );
  });
}

/**
 * Resolves after `delayMs`.
 * @param options `keepsAlive`: whether the process waits for it (default) or may end before
 */
export async function pause(delayMs: number, options: { readonly keepsAlive?: boolean } = {}): Promise<void> {
  await sleep(delayMs, undefined, { ref: options.keepsAlive ?? true });
}
