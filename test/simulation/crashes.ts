/**
 * When the daemon dies: at any operation of the disk, any step of a request, any timer; mostly while something is at stake.
 *
 * Rule: counted in moments, not in time. A moment at which an attempt is under way or a token on its way counts fully, any
 * other one hardly, so that crashes are dense where they can do harm.
 */
import type { Random } from './random.ts';
import type { Seen } from './seen.ts';

export type CrashKind = 'process' | 'power';
/** Where in an operation. */
export type CrashPlace = 'before' | 'middle' | 'after';

export class Crashes {
  /** Set by whoever watches the daemon: something is at stake. */
  isDangerous = false;
  readonly #mean: number | null;
  readonly #random: Random;
  readonly #seen: Seen;
  readonly #moments: Countdown;
  /** Few beside those of disk and timers, so they have a count of their own: it would hardly ever end at one of them. */
  readonly #stages: Countdown;

  /** @param mean dangerous moments between two crashes; null: never one */
  constructor(mean: number | null, random: Random, seen: Seen) {
    this.#mean = mean;
    this.#random = random;
    this.#seen = seen;
    this.#moments = this.#countdown(random, 1);
    this.#stages = this.#countdown(random.stream('stages'), STAGES_SHARE);
  }

  /** One moment passes, at an operation of the disk or at a timer. @returns whether the daemon dies in it */
  strikes(point: string): boolean {
    this.#seen.passed(point);
    return this.#moments(this.isDangerous ? 1 : CALM_WEIGHT);
  }

  /** The same at a stage of a request, of a script, or of a life; and once more at what is rare. */
  strikesStage(point: string): boolean {
    this.#seen.passed(point);
    return this.#stages((this.isDangerous ? 1 : CALM_STAGE_WEIGHT) * (RARE[point] ?? 1));
  }

  /** Of an operation that hardly ever comes, beside its turn among all others. */
  strikesRare(point: string): boolean {
    return point in RARE && this.strikesStage(point);
  }

  place(): CrashPlace {
    return this.#random.pick(['before', 'middle', 'after']);
  }

  kind(): CrashKind {
    return this.#random.chance(POWER_SHARE) ? 'power' : 'process';
  }

  /** How long nobody starts it again: a supervisor is quick, a person is not. */
  pauseMs(): number {
    const random = this.#random;
    return random.chance(0.7) ? random.between(100, 5_000) : random.logarithmic(5_000, 4 * 3_600_000);
  }

  #countdown(random: Random, share: number): Countdown {
    const mean = this.#mean;
    const draw = (): number => (mean === null ? Number.POSITIVE_INFINITY : random.exponential(mean * share));
    let left = draw();
    return (weight) => {
      left -= weight;
      if (left > 0) return false;
      left = draw();
      return true;
    };
  }
}

/** So much of it passes. @returns whether it is over; it begins anew then */
type Countdown = (weight: number) => boolean;

const CALM_WEIGHT = 0.002;

// One moment of an attempt in ten is such a stage; a start and the end of a script lie where nothing else is at stake.
const STAGES_SHARE = 0.5;
const CALM_STAGE_WEIGHT = 0.1;

// So that some hundred seeds end at each of them in each way, and no more of them than that.
const RARE: Readonly<Record<string, number>> = {
  'request broken': 20,
  'disk fchmod': 5,
  'disk link': 40,
  'disk readlink': 20,
  'disk scandir': 0.2,
  'disk statfs': 60,
  'script ended': 2,
  'script started': 2,
  'timer time limit': 1,
};

const POWER_SHARE = 0.35;
