import { describe, expect, it } from 'vitest';
import { runSeeds } from './fleet.ts';
import { MUTANTS, type Mutant } from './mutants.ts';
import type { Finished, Order } from './worker.ts';

/** Runs seeds until the checker of that rule complains. @returns what it says; null: nothing in all of them */
async function complaintAbout({ mutation, seed, rule }: Mutant): Promise<string | null> {
  let complaint: string | null = null;
  function* orders(): Generator<Order> {
    for (let next = seed; next < seed + SEEDS_MAX && complaint === null; next += 1) {
      yield { seed: next, days: 2, trace: false };
    }
  }
  const told = ({ failure }: Finished): void => {
    if (failure?.rule === rule) complaint = failure.message;
  };
  await runSeeds(orders(), { root: process.cwd(), size: 1, told, mutation });
  return complaint;
}

describe('a checker rejects every mutant of the daemon', () => {
  for (const [name, mutant] of Object.entries(MUTANTS)) {
    it(`${mutant.rule}: ${name} is noticed`, { timeout: 180_000 }, async () => {
      expect(await complaintAbout(mutant)).not.toBeNull();
    });
  }
});

// Any change of the daemon moves what a seed meets; one that shows a mutant soon is never far away.
const SEEDS_MAX = 12;
