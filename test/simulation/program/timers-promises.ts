/**
 * `node:timers/promises` of the simulated process.
 */
import type { Realm } from '../realm.ts';

declare const realm: Realm;

export function setTimeout<T>(
  delayMs: number,
  value?: T,
  { signal }: { readonly signal?: AbortSignal; readonly ref?: boolean } = {},
): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) {
      reject(abortError());
      return;
    }
    const onAbort = (): void => {
      cancel();
      reject(abortError());
    };
    const cancel = realm.after(Math.max(1, delayMs), 'wait', () => {
      signal?.removeEventListener('abort', onAbort);
      resolve(value);
    });
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}

function abortError(): Error {
  return Object.assign(new Error('The operation was aborted'), { name: 'AbortError', code: 'ABORT_ERR' });
}
