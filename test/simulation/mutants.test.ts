import { readdirSync, readFileSync } from 'node:fs';
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

interface Shown {
  /** Files in checkers/ that complain of it. */
  readonly checkers: readonly string[];
  readonly mutants: readonly string[];
}

/** How the simulation shows each invariant of ARCHITECTURE.md: who would complain, and of which mutant it does. */
const SHOWN: Readonly<Record<string, Shown>> = {
  I1: { checkers: ['sends.ts'], mutants: ['a journal that is not looked at after a crash'] },
  I2: { checkers: ['sends.ts'], mutants: ['a run of an earlier life that goes on beside the next attempt'] },
  I3: {
    checkers: ['reads.ts'],
    mutants: [
      'a journal that does not wait for the disk',
      'an answer that is not recorded before it is stored',
      'a token that is published before its answer is stored',
      'a store that does not wait for the disk',
    ],
  },
  I4: {
    checkers: ['reads.ts'],
    mutants: ['an .env that is written in two pieces', 'a new token under the generation of the old one'],
  },
  I5: { checkers: ['reads.ts'], mutants: ['a good token withdrawn when its refresh fails'] },
  I6: { checkers: ['pace.ts'], mutants: ['a floor that nobody keeps', 'a budget that is never spent'] },
  I7: { checkers: ['leftovers.ts', 'log.ts'], mutants: ['temps that are not swept', 'a token in the log'] },
  I8: { checkers: ['reads.ts'], mutants: ['an expired token that stays in files'] },
  I9: { checkers: ['log.ts', 'core.ts'], mutants: ['an attempt whose end nobody waits for'] },
  I10: {
    checkers: ['reads.ts'],
    mutants: ['a generation that means two tokens', 'a memory that forgets the generation'],
  },
  I11: {
    checkers: ['core.ts'],
    mutants: [
      'an answer that is taken for that of any attempt',
      'an answer of a target that is taken for the last one',
    ],
  },
  I12: {
    checkers: ['leftovers.ts', 'core.ts'],
    mutants: ['failures that are counted without end', 'a folder that stays open'],
  },
};

const CHECKERS = new URL('checkers/', import.meta.url);

describe('every promise has a checker, and every checker a mutant', () => {
  it('each invariant of ARCHITECTURE.md names its checker and its mutants here', () => {
    const text = readFileSync('ARCHITECTURE.md', 'utf8');
    expect(Object.keys(SHOWN)).toEqual([...text.matchAll(/^\| (I\d+) /gm)].map(([, id]) => id));
    for (const [id, { checkers, mutants }] of Object.entries(SHOWN)) {
      for (const name of checkers) {
        const checker = readFileSync(new URL(name, CHECKERS), 'utf8');
        expect(checker, `${name} says nothing of ${id}`).toMatch(new RegExp(`\\b${id}\\b`));
      }
      expect(mutants.length, id).toBeGreaterThan(0);
      for (const name of mutants) expect(MUTANTS[name]?.rule, name).toBe(id);
    }
  });

  it('whatever else a checker complains of is shown by a mutant, too', () => {
    const texts = readdirSync(CHECKERS).map((name) => readFileSync(new URL(name, CHECKERS), 'utf8'));
    const complaints = texts.flatMap((text) =>
      [...text.matchAll(/(?:fail|complain)\(\s*'([^']+)'/g)].map(([, rule]) => rule),
    );
    const shown = new Set(Object.values(MUTANTS).map(({ rule }) => rule));
    expect([...new Set(complaints)].filter((rule) => rule !== 'no bug' && !shown.has(rule ?? ''))).toEqual([]);
  });
});

describe('a checker rejects every mutant of the daemon', () => {
  for (const [name, mutant] of Object.entries(MUTANTS)) {
    it(`${mutant.rule}: ${name} is noticed`, { timeout: 600_000 }, async () => {
      expect(await complaintAbout(mutant)).not.toBeNull();
    });
  }
});

// Any change of the daemon moves what a seed meets; one that shows a mutant soon is never far away.
const SEEDS_MAX = 24;
