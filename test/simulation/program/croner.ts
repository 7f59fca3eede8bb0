/**
 * Stands in for the package `croner`, as far as `system-clock.ts` uses it: a one-off job at a moment of the wall clock.
 *
 * Rule: it does what croner 10 was found to do: it looks at the wall clock at least every 30 s, and never rings for a moment
 * that was past when it was made. Parsing patterns, which croner does even then, would take a third of the time of a seed.
 */
import { clearTimeout, setTimeout, Date as VirtualDate } from './globals.ts';

export class Cron {
  readonly #at: number;
  readonly #ring: () => void;
  readonly #isLate: boolean;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(at: VirtualDate, _options: object, ring: () => void) {
    this.#at = at.getTime();
    this.#ring = ring;
    this.#isLate = this.#at <= VirtualDate.now();
    if (!this.#isLate) this.#look();
  }

  isRunning(): boolean {
    return !this.#isLate;
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #look(): void {
    const leftMs = this.#at - VirtualDate.now();
    if (leftMs <= 0) this.#ring();
    else this.#timer = setTimeout(() => this.#look(), Math.min(leftMs, LOOK_MS_MAX));
  }
}

const LOOK_MS_MAX = 30_000;
