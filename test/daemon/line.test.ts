import { expect, test } from 'vitest';
import { createLine, type Place } from '../../src/daemon/line.ts';

const admitted = () => new Promise((resolve) => setImmediate(resolve));

function enterAll(line: ReturnType<typeof createLine>, urgencies: readonly number[], turns: number[]): Place[] {
  return urgencies.map((urgency) => {
    const place = line.enter(urgency);
    void place.turn.then((got) => {
      if (got) turns.push(urgency);
    });
    return place;
  });
}

test('F74: of 20 that are due at once, at most 4 have a slot, and the nearest expiry goes first', async () => {
  const line = createLine(4);
  const turns: number[] = [];
  const urgencies = Array.from({ length: 20 }, (_, index) => (index * 7) % 20);
  const places = enterAll(line, urgencies, turns);

  await admitted();
  expect(turns).toEqual([0, 1, 2, 3]);

  for (let done = 0; done < 20; done += 1) {
    places[urgencies.indexOf(turns[done] ?? -1)]?.leave();
    await admitted();
    expect(turns.length - done - 1).toBeLessThanOrEqual(4);
  }
  expect(turns).toEqual(Array.from({ length: 20 }, (_, index) => index));
});

test('who leaves while waiting has no turn, and takes none away', async () => {
  const line = createLine(1);
  const turns: number[] = [];
  const [first, second] = enterAll(line, [1, 2, 3], turns);
  second?.leave();
  expect(await second?.turn).toBe(false);
  first?.leave();
  first?.leave();
  await admitted();
  await admitted();
  expect(turns).toEqual([3]);
});

test('more slots take effect at once, fewer as slots are given back', async () => {
  const line = createLine(1);
  const turns: number[] = [];
  const places = enterAll(line, [1, 2, 3, 4], turns);
  await admitted();
  line.resize(3);
  await admitted();
  expect(turns).toEqual([1, 2, 3]);
  line.resize(1);
  places[0]?.leave();
  places[1]?.leave();
  await admitted();
  expect(turns).toEqual([1, 2, 3]);
  places[2]?.leave();
  await admitted();
  expect(turns).toEqual([1, 2, 3, 4]);
});
