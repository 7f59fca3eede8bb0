/**
 * What a number of seeds came to, in words: the sums, and one line for each that failed.
 */
import { addCounts, neverSeen, seenInWords } from './seen.ts';
import type { Finished } from './worker.ts';

/** How to see a failure again, and what it was. */
export function replayLine({ seed, failure }: Finished): string | null {
  if (failure === null) return null;
  const { rule, message, at } = failure;
  const what = message.replaceAll(/\s+/g, ' ');
  return `npm run simulate -- --seed ${seed} --trace   # ${rule} after ${(at / HOUR_MS).toFixed(2)} h: ${what}`;
}

export class Tally {
  seeds = 0;
  failed = 0;
  #days = 0;
  #lives = 0;
  #attempts = 0;
  #cpuMs = 0;
  readonly #seen: Record<string, number> = {};

  add({ failure, days, lives, attempts, cpuMs, seen }: Finished): void {
    this.seeds += 1;
    if (failure !== null) this.failed += 1;
    this.#days += days;
    this.#lives += lives;
    this.#attempts += attempts;
    this.#cpuMs += cpuMs;
    addCounts(this.#seen, seen);
  }

  /** What happened in all of them, by kind, and where the daemon died: some lines. */
  coverage(): string {
    return seenInWords(this.#seen);
  }

  /** What in none of them happened, although it is meant to. */
  missing(): readonly string[] {
    return neverSeen(this.#seen);
  }

  /** One line. */
  toString(): string {
    const cpuMinutes = this.#cpuMs / 60_000;
    const yearsPerMinute = cpuMinutes === 0 ? 0 : this.#days / DAYS_A_YEAR / cpuMinutes;
    return [
      `${this.seeds} seeds, ${this.failed} failed`,
      `${Math.round(this.#days)} simulated days`,
      `${this.#lives} lives`,
      `${this.#attempts} attempts`,
      `${cpuMinutes.toFixed(1)} CPU-minutes`,
      `${yearsPerMinute.toFixed(3)} simulated years per CPU-minute`,
    ].join(' · ');
  }
}

const HOUR_MS = 3_600_000;
const DAYS_A_YEAR = 365.25;
