import { describe, expect, it } from 'vitest';
import { MUTANTS } from './model/mutants.ts';
import { walkOptions } from './model/slices.ts';
import { Counterexample, walk } from './model/walk.ts';

describe('the walk rejects every mutant of the core', () => {
  for (const [name, { slice, subject }] of Object.entries(MUTANTS)) {
    it(`a core with "${name}" is caught`, { timeout: 60_000 }, () => {
      const run = () => walk({ ...walkOptions(slice, subject), maxStates: 60_000 });
      expect(run).toThrow(Counterexample);
      expect(run).toThrow(/invariant broken/);
    });
  }
});
