import { expect, test } from 'vitest';
import { isProgressing, watchOf } from '../../src/core/progress.ts';

test('D4: a wake-up may be late by the patience, and by no more', () => {
  const pulse = { lookedAt: 1_000, dueAt: 31_000 };
  expect(isProgressing(pulse, 5_000, 31_000)).toBe(true);
  expect(isProgressing(pulse, 5_000, 36_000)).toBe(true);
  expect(isProgressing(pulse, 5_000, 36_001)).toBe(false);
});

test('whoever waits for nothing cannot stand still', () => {
  expect(isProgressing(null, 0, Number.MAX_SAFE_INTEGER)).toBe(true);
});

test('between two signs of life one look can be missed, and a stall is noticed before the watchdog would end the process', () => {
  for (const watchdogMs of [1_000, 60_000, 3_600_000]) {
    const { everyMs, patienceMs } = watchOf(watchdogMs);
    expect(2 * everyMs).toBeLessThan(watchdogMs);
    expect(patienceMs).toBeGreaterThanOrEqual(everyMs);
    expect(patienceMs).toBeLessThan(watchdogMs);
  }
});
