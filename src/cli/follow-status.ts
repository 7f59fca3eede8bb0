/**
 * `freshd status --watch`: asks anew whenever the daemon tells of a change, and shows what it says, until told to end.
 *
 * Rule: what is shown is an answer to the same question as without `--watch`; events only say when to ask. A daemon that is away
 * is waited for, and what was last known stays in sight beside a line that says so.
 */
import { CommandError } from './command.ts';
import type { Screen } from './screen.ts';
import { subscribe } from './subscribe.ts';
import { pause } from './time.ts';
import { untilTold } from './until-told.ts';

/**
 * @param name null: everything
 * @param look asks the daemon, and makes the text; a CommandError means that it did not answer
 * @returns what the last look brought; null when nobody answered it
 * @throws CommandError of the first look: what is wrong from the beginning is not waited for
 */
export async function followStatus<Seen extends { readonly text: string }>(
  name: string | null,
  options: { readonly look: () => Promise<Seen>; readonly screen: Screen },
  context: Parameters<typeof subscribe>[2],
): Promise<Seen | null> {
  const { look, screen } = options;
  let seen: Seen | null = await look();
  let isEnding = false;
  const bell = createBell();
  void untilTold(context.io).then(() => {
    isEnding = true;
    bell.ring();
  });
  const rings = { onEvent: bell.ring, onUp: bell.ring, onDown: bell.ring };
  const subscription = subscribe(name === null ? null : [name], rings, context);
  screen.show(seen.text);
  for (;;) {
    // What was not answered is asked again, whether or not anything rings.
    await bell.rung(screen.isInPlace || seen === null ? AGAIN_MS : null);
    if (isEnding) break;
    try {
      seen = await look();
      screen.show(seen.text);
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      if (seen !== null) screen.complain(`freshd: status: ${error.message}; waiting for it`);
      seen = null;
    }
  }
  subscription.close();
  screen.close();
  return seen;
}

/** A ring that nobody waited for is heard by whoever waits next; many are one. */
function createBell() {
  let heard = new AbortController();
  return {
    ring: (): void => heard.abort(),
    /** @param limitMs null: however long it takes */
    async rung(limitMs: number | null): Promise<void> {
      const { signal } = heard;
      if (limitMs !== null) await pause(limitMs, signal);
      else if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve));
      heard = new AbortController();
    },
  };
}

// "in 41 s" and what consumers acknowledge are no events; one question a second is what a person can read along with.
const AGAIN_MS = 1_000;
