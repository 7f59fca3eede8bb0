/**
 * The simulated machine: its two clocks, its boots, its sleep.
 *
 * Rule: the monotonic clock is CLOCK_MONOTONIC of Linux: it stands still during a suspend and begins anew with each boot.
 * The wall clock may be set, and then differs from the world's.
 */
import type { Random } from './random.ts';
import type { Scheduler } from './scheduler.ts';

export class Machine {
  bootId: string;
  readonly #scheduler: Scheduler;
  readonly #random: Random;
  #wallAheadMs = 0;
  #bootedAt = 0;
  #sleptMs = 0;

  constructor(scheduler: Scheduler, random: Random) {
    this.#scheduler = scheduler;
    this.#random = random;
    this.bootId = random.hex(16);
  }

  /** Epoch ms. */
  wallMs = (): number => WORLD_EPOCH_MS + this.#scheduler.now + this.#wallAheadMs;

  /** As every right clock shows it. */
  trueWallMs = (): number => WORLD_EPOCH_MS + this.#scheduler.now;

  monotonicMs = (): number => this.#scheduler.now - this.#bootedAt - this.#sleptMs;

  /** How far the wall clock is ahead of the world's. */
  get wallAheadMs(): number {
    return this.#wallAheadMs;
  }

  setWall(aheadMs: number): void {
    this.#wallAheadMs = aheadMs;
  }

  suspend(durationMs: number): void {
    this.#sleptMs += durationMs;
    this.#scheduler.suspend(durationMs);
  }

  boot(): void {
    this.bootId = this.#random.hex(16);
    // Nobody starts the daemon in the very moment at which the kernel begins to count.
    this.#bootedAt = this.#scheduler.now - this.#random.between(3_000, 60_000);
    this.#sleptMs = 0;
  }
}

/** What a right clock shows at the beginning of the world: 2026-01-01T00:00:00Z. */
const WORLD_EPOCH_MS = Date.UTC(2026, 0, 1);
