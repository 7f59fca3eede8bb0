/**
 * What the tests of the simulated disk share: chance from a seed, and a disk that crashes at a given operation.
 *
 * Rule: nothing waits; each operation happens in a microtask of its own, in the order in which they were asked for.
 */
import { createDisk, type Disk, type DiskOperation, type DiskOptions } from './disk.ts';

/** Mulberry32: small, and good enough to choose. @returns numbers from 0 to below 1 */
export function randomOf(seed: number): () => number {
  let state = (seed + 1) * 0x9e3779b9;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export interface Crash {
  readonly kind: 'process' | 'power';
  /** Counted from the moment it was planned; past the end: when all is done. */
  readonly atOperation: number;
  /** How much of that operation happens: 0 none, 1 all. */
  readonly fraction: number;
}

export interface TestDisk extends Disk {
  /** Moved on by hand. */
  readonly clock: { nowMs: number };
  readonly seen: DiskOperation[];
  /** Runs the work until the crash. @returns whether the work was done before */
  crashDuring(crash: Crash, work: () => Promise<unknown>): Promise<boolean>;
}

export function createTestDisk(seed: number, options: Partial<DiskOptions> = {}): TestDisk {
  const clock = { nowMs: 1_800_000_000_000 };
  const seen: DiskOperation[] = [];
  let intercept: ((operation: DiskOperation) => boolean) | null = null;
  const disk = createDisk({
    now: () => clock.nowMs,
    random: randomOf(seed),
    schedule: (operation, run) => {
      seen.push(operation);
      queueMicrotask(() => {
        if (intercept?.(operation) !== true) run();
      });
    },
    // freshd refuses what belongs to others.
    uid: process.geteuid?.() ?? 0,
    ...options,
  });
  return {
    ...disk,
    clock,
    seen,
    crashDuring: async ({ kind, atOperation, fraction }, work) => {
      const first = disk.operations();
      let isDone = false;
      await new Promise<void>((resolve, reject) => {
        intercept = (operation) => {
          if (operation.number !== first + atOperation) return false;
          operation.partially(fraction);
          disk.crash(kind);
          resolve();
          return true;
        };
        work().then(() => {
          isDone = true;
          resolve();
        }, reject);
      });
      intercept = null;
      if (isDone) disk.crash(kind);
      return isDone;
    },
  };
}
