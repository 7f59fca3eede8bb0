import { describe, expect, it } from 'vitest';
import { SLICES, walkOptions } from './model/slices.ts';
import { walk } from './model/walk.ts';

describe('every reachable state of the core keeps the invariants', () => {
  for (const name of Object.keys(SLICES)) {
    it(`I1-I3 I5 I6 I8-I12: the walk over ${name} closes`, { timeout: 300_000 }, () => {
      const result = walk({ ...walkOptions(name), maxStates: 250_000 });
      console.log(`walk over ${name}: ${result.states} states, ${result.transitions} transitions`);
      expect(result.closed).toBe(true);
    });
  }
});
