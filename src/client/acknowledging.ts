/**
 * Tells the daemon which generation this process has, so that people can see who still has an older one.
 *
 * Rule: a courtesy, never in anybody's way: one after the other, a moment after the token came, at a random moment of it,
 * so that thousands of clients do not answer all at once.
 */
import type { Asking } from './asking.ts';
import type { Runtime, Timer } from './runtime.ts';
import type { Token } from './standing.ts';

export function createAcknowledging({ runtime, asking }: { readonly runtime: Runtime; readonly asking: Asking }) {
  /** The newest generation owed, by name. */
  const owed = new Map<string, number>();
  let timer: Timer | null = null;
  let isClosed = false;

  async function pay(): Promise<void> {
    for (const [name, generation] of owed) {
      if (isClosed) return;
      owed.delete(name);
      await asking.acknowledge(name, generation);
    }
    timer = null;
    if (owed.size > 0) plan();
  }

  function plan(): void {
    if (timer !== null || isClosed) return;
    timer = runtime.after(runtime.random() * SPREAD_MS, () => void pay());
    timer.unref();
  }

  return {
    owe({ credential, chain, generation }: Token): void {
      const name = chain ?? credential;
      // Of so many credentials nobody counts who has which; the daemon knows what it sent.
      if (!owed.has(name) && owed.size >= OWED_MAX) return;
      owed.set(name, generation);
      plan();
    },
    close(): void {
      isClosed = true;
      timer?.cancel();
    },
  };
}

/** Five thousand clients then make five requests a millisecond, which is a share of one core, for one second. */
const SPREAD_MS = 1_000;

const OWED_MAX = 100;
