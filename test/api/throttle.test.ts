import { expect, test } from 'vitest';
import { createThrottle } from '../../src/api/throttle.ts';
import { monotonicMs } from '../../src/core/token.ts';

const at = (ms: number) => monotonicMs(ms);

test('one who asks without end is told when to ask again, and others go on', () => {
  const throttle = createThrottle(2_000_000);
  let taken = 0;
  while (throttle.charge('pid 1', 1_000, at(0)) === null) taken += 1;
  expect(taken).toBe(2_000);
  expect(throttle.charge('pid 1', 1_000, at(0))).toBe(50);
  expect(throttle.charge('pid 2', 1_000, at(0))).toBeNull();
  expect(throttle.charge('pid 1', 1_000, at(49))).toBe(1);
  expect(throttle.charge('pid 1', 1_000, at(50))).toBeNull();
});

test('readers are remembered up to a limit, and a forgotten one begins anew', () => {
  const throttle = createThrottle(2_000_000);
  while (throttle.charge('pid 0', 1_000, at(0)) === null);
  for (let pid = 1; pid < 4_096; pid++) throttle.charge(`pid ${pid}`, 1, at(0));
  expect(throttle.charge('pid 0', 1_000, at(0))).not.toBeNull();
  throttle.charge('one more', 1, at(0));
  expect(throttle.charge('pid 0', 1_000, at(0))).toBeNull();
});
