/**
 * Readers that wait for a step of one credential or chain: all of them on one subscription.
 *
 * Rule: a waiter ends exactly once: satisfied, out of time, gone, or because the daemon stops. Their number is limited.
 */
import type { DaemonPort } from '../daemon/ports.ts';
import type { Timers } from './timers.ts';

/** More than the connections that the server admits, so that only a client that pipelines its waits can meet it. */
export const WAITERS_MAX = 10_000;

/** `true`: this waiter is done waiting. Called after each step of its credential or chain. */
type IsDone = () => boolean;

export interface Waiting {
  /**
   * Resolves when `isDone` says so after a step, when the time is up, when `onGone` fires, or when the daemon stops.
   * The caller looks at the state again either way.
   * @param onGone registers what to call when the client hung up
   * @returns null when too many wait already
   */
  wait(credential: string, waitMs: number, isDone: IsDone, onGone: (leave: () => void) => void): Promise<void> | null;
  /** Ends every wait now. */
  close(): void;
}

interface Waiter {
  readonly isDone: IsDone;
  readonly end: () => void;
}

export function createWaiting(daemon: DaemonPort, timers: Timers): Waiting {
  const waiters = new Map<string, Set<Waiter>>();
  let count = 0;
  let isClosed = false;

  const look = (name: string): void => {
    for (const waiter of waiters.get(name) ?? []) {
      if (waiter.isDone()) waiter.end();
    }
  };
  const stopListening = [daemon.onStep(look), daemon.chains.onStep(look)];

  function enter(credential: string, waiter: Waiter): void {
    const others = waiters.get(credential);
    if (others === undefined) waiters.set(credential, new Set([waiter]));
    else others.add(waiter);
    count += 1;
  }

  function leave(credential: string, waiter: Waiter): boolean {
    const others = waiters.get(credential);
    if (others === undefined || !others.delete(waiter)) return false;
    if (others.size === 0) waiters.delete(credential);
    count -= 1;
    return true;
  }

  return {
    wait(credential, waitMs, isDone, onGone) {
      if (isClosed) return Promise.resolve();
      if (count >= WAITERS_MAX) return null;
      return new Promise((resolve) => {
        const cancelTimer = timers.after(waitMs, () => waiter.end());
        const waiter: Waiter = {
          isDone,
          end() {
            if (!leave(credential, waiter)) return;
            cancelTimer();
            resolve();
          },
        };
        enter(credential, waiter);
        onGone(waiter.end);
      });
    },
    close() {
      isClosed = true;
      for (const stop of stopListening) stop();
      for (const group of [...waiters.values()]) for (const waiter of [...group]) waiter.end();
    },
  };
}
