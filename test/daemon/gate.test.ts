import { expect, test } from 'vitest';
import { createGate } from '../../src/daemon/gate.ts';

test('as many as there is room for are inside at once, in the order they came, whether they succeed or not', async () => {
  const gate = createGate(3);
  const entered: number[] = [];
  let inside = 0;
  let insideMax = 0;
  const work = async (nth: number) => {
    entered.push(nth);
    inside += 1;
    insideMax = Math.max(insideMax, inside);
    await new Promise((resolve) => setImmediate(resolve));
    inside -= 1;
    if (nth % 3 === 0) throw new Error(`work ${nth}`);
    return nth;
  };
  const results = await Promise.allSettled(Array.from({ length: 20 }, (_, nth) => gate.run(() => work(nth))));
  expect(insideMax).toBe(3);
  expect(entered).toEqual(Array.from({ length: 20 }, (_, nth) => nth));
  expect(results.filter(({ status }) => status === 'rejected')).toHaveLength(7);
});
