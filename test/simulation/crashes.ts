/**
 * When the daemon dies: at any operation of the disk, any step of a request, any timer; mostly while something is at stake.
 *
 * Rule: counted in moments, not in time. A moment at which an attempt is under way or a token on its way counts fully, any
 * other one hardly, so that crashes are dense where they can do harm.
 */
import type { Random } from './random.ts';

export type CrashKind = 'process' | 'power';
/** Where in an operation. */
export type CrashPlace = 'before' | 'middle' | 'after';

export class Crashes {
  /** Set by whoever watches the daemon: something is at stake. */
  isDangerous = false;
  readonly #mean: number | null;
  readonly #random: Random;
  #left: number;

  /** @param mean dangerous moments between two crashes; null: never one */
  constructor(mean: number | null, random: Random) {
    this.#mean = mean;
    this.#random = random;
    this.#left = this.#draw();
  }

  /** One moment passes. @returns whether the daemon dies in it */
  strikes(): boolean {
    this.#left -= this.isDangerous ? 1 : CALM_WEIGHT;
    if (this.#left > 0) return false;
    this.#left = this.#draw();
    return true;
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

  #draw(): number {
    return this.#mean === null ? Number.POSITIVE_INFINITY : this.#random.exponential(this.#mean);
  }
}

const CALM_WEIGHT = 0.002;
const POWER_SHARE = 0.35;
