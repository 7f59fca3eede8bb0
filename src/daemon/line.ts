/**
 * The waiting line for refresh slots: at most so many attempts at once over all credentials, nearest expiry first.
 *
 * Rule: a slot is held from leaving the line until its release is called; releasing twice is harmless. Whoever waits can
 * leave without having had a turn.
 */

/** Gives the slot back, or leaves the line; harmless when called again. */
export type Leave = () => void;

export interface Place {
  /** Resolves with true when a slot is taken, with false when `leave` came first. */
  readonly turn: Promise<boolean>;
  readonly leave: Leave;
}

export interface WaitingLine {
  /** @param urgency smaller goes first: life left in ms, negative when expired */
  enter(urgency: number): Place;
  /** Takes effect as slots are given back. */
  resize(slots: number): void;
}

interface Waiting {
  readonly urgency: number;
  readonly take: () => void;
}

/** @param slots how many attempts may run at once, at least 1 */
export function createLine(slots: number): WaitingLine {
  let limit = slots;
  let taken = 0;
  let waiting: Waiting[] = [];

  return { enter, resize };

  function enter(urgency: number): Place {
    let stage: 'waiting' | 'holding' | 'gone' = 'waiting';
    let answer: (got: boolean) => void;
    const turn = new Promise<boolean>((resolve) => {
      answer = resolve;
    });
    const place: Waiting = {
      urgency,
      take: () => {
        stage = 'holding';
        answer(true);
      },
    };
    const leave = () => {
      if (stage === 'waiting') waiting = waiting.filter((other) => other !== place);
      if (stage === 'holding') taken -= 1;
      stage = 'gone';
      answer(false);
      admitSoon();
    };
    waiting.push(place);
    admitSoon();
    return { turn, leave };
  }

  function resize(wanted: number): void {
    limit = wanted;
    admitSoon();
  }

  /** Not at once: of many that come due in one wake-up the most urgent is to go first, not the first to arrive. */
  function admitSoon(): void {
    setImmediate(admit);
  }

  /** A scan per freed slot is cheap beside the script that runs in it. */
  function admit(): void {
    while (taken < limit) {
      const next = waiting.reduce<Waiting | null>(
        (best, one) => (best === null || one.urgency < best.urgency ? one : best),
        null,
      );
      if (next === null) return;
      waiting = waiting.filter((other) => other !== next);
      taken += 1;
      next.take();
    }
  }
}
