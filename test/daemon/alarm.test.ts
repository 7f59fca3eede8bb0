import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createDeadlineHeap } from '../../src/daemon/alarm.ts';

const change = fc.record({
  name: fc.integer({ min: 0, max: 30 }).map(String),
  at: fc.option(fc.integer({ min: 0, max: 1_000 }), { nil: null }),
});

test('the earliest deadline is that of a sorted list, whatever is set, moved and deleted', () => {
  fc.assert(
    fc.property(fc.array(change, { maxLength: 200 }), (changes) => {
      const heap = createDeadlineHeap();
      const model = new Map<string, number>();
      for (const { name, at } of changes) {
        if (at === null) {
          heap.delete(name);
          model.delete(name);
        } else {
          heap.set(name, at);
          model.set(name, at);
        }
        const earliest = heap.earliest();
        const expected = model.size === 0 ? null : Math.min(...model.values());
        expect(earliest?.at ?? null).toBe(expected);
        if (earliest !== null) expect(model.get(earliest.name)).toBe(earliest.at);
      }
    }),
  );
});

test('deadlines come out in order', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 50 }), { maxLength: 100 }), (moments) => {
      const heap = createDeadlineHeap();
      for (const [index, at] of moments.entries()) heap.set(String(index), at);
      const out: number[] = [];
      for (let first = heap.earliest(); first !== null; first = heap.earliest()) {
        out.push(first.at);
        heap.delete(first.name);
      }
      expect(out).toEqual([...moments].sort((a, b) => a - b));
    }),
  );
});
