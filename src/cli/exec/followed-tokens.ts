/**
 * What has come since a program was started: the newest token of each name, from the daemon's events.
 *
 * Rule: one subscription for all names, until it is closed. No trouble with the daemon ends it: the program runs on with what
 * it has, and whoever comes back is told what was missed.
 */
import type { TokenEvent } from '../../api/protocol.ts';
import { defaultConsumer } from '../../client/runtime.ts';
import { CommandError } from '../command.ts';
import { subscribe } from '../subscribe.ts';
import { pause } from '../time.ts';
import { type HeldToken, type Holding, holdToken } from './held-tokens.ts';

export interface FollowedTokens {
  readonly held: readonly HeldToken[];
  /** Resolves once `held` is another list than this one; rejects on a bug. */
  changedFrom(held: readonly HeldToken[]): Promise<void>;
  close(): void;
}

export function followTokens(first: readonly HeldToken[], holding: Holding): FollowedTokens {
  let held = first;
  let changed = createBell();
  const end = new AbortController();
  const newest = new Map(first.map(({ name, token }) => [name, token]));
  /** One after the other: a name's older token must not arrive behind its newer one. */
  let taking = Promise.resolve();

  const names = first.map(({ name }) => name);
  const subscription = subscribe(
    names,
    {
      consumer: defaultConsumer(),
      onEvent({ type, data }) {
        if (type === 'token') hear(JSON.parse(data) as TokenEvent);
      },
    },
    holding,
  );

  return {
    get held() {
      return held;
    },
    changedFrom: (known) => (held === known ? changed.rung : Promise.resolve()),
    close() {
      end.abort();
      subscription.close();
    },
  };

  function hear(token: TokenEvent): void {
    const name = token.chain ?? token.credential;
    if (newest.get(name)?.generation === token.generation) return;
    newest.set(name, token);
    taking = taking.then(() => take(name, token)).catch((error: unknown) => changed.fail(error));
  }

  /** Until it is held, or there is a newer one. */
  async function take(name: string, token: TokenEvent): Promise<void> {
    while (newest.get(name) === token && !end.signal.aborted) {
      try {
        replace(await holdToken(name, token, holding));
        return;
      } catch (error) {
        if (!(error instanceof CommandError)) throw error;
        await pause(AGAIN_MS, end.signal);
      }
    }
  }

  function replace(newer: HeldToken): void {
    held = held.map((other) => (other.name === newer.name ? newer : other));
    changed.ring();
    changed = createBell();
  }
}

interface Bell {
  readonly rung: Promise<void>;
  ring(): void;
  fail(error: unknown): void;
}

function createBell(): Bell {
  let ring = (): void => undefined;
  let fail = (_: unknown): void => undefined;
  const rung = new Promise<void>((resolve, reject) => {
    ring = resolve;
    fail = reject;
  });
  return { rung, ring: () => ring(), fail: (error) => fail(error) };
}

// While a daemon restarts in the moment in which it is asked for the variable: soon enough, and a request costs microseconds.
const AGAIN_MS = 2_000;
