/**
 * The order among publications: what tells somebody to look (a hook) goes after what there is to look at (files, sentinel).
 *
 * Rule: waits for tries, never for success, and only for what was asked for before; the whole wait is bounded, so that a
 * hung network mount delays a hook and does not hold it for ever.
 */
import { within } from './time-limit.ts';

export interface PublishOrder {
  /** @param tried resolves when the target was tried, or is known to hang */
  note(name: string, tried: Promise<void>): void;
  /** Resolves when nothing of these credentials and chains is on its way, or after the longest wait. */
  whenTried(names: readonly string[]): Promise<void>;
}

/** @param handedOut resolves when the effects of that credential or chain that are queued now have been started */
export function createPublishOrder(handedOut: (name: string) => Promise<void>): PublishOrder {
  const underWay = new Map<string, Set<Promise<void>>>();

  return {
    note(name, tried) {
      const among = underWay.get(name) ?? new Set();
      underWay.set(name, among);
      const tracked = tried.finally(() => {
        among.delete(tracked);
        if (among.size === 0) underWay.delete(name);
      });
      among.add(tracked);
    },
    async whenTried(names) {
      await within(Promise.all(names.map(oneTried)), FOLLOW_MS_MAX);
    },
  };

  async function oneTried(name: string): Promise<void> {
    await handedOut(name);
    await Promise.all(underWay.get(name) ?? []);
  }
}

// A file that hangs is given up after 20 s, and another command may wait behind it; what a credential in a chain still
// has to put on disk before its own files is as quick. `deliveryTimeoutMs` allows for this wait.
const FOLLOW_MS_MAX = 60_000;
