/**
 * The states of the core that the walk closes: each is reached, and every event in it keeps the invariants.
 *
 * Rule: the slices of the model test, walked to their ends.
 */
import { SLICES, walkOptions } from '../test/core/model/slices.ts';
import { walk } from '../test/core/model/walk.ts';
import type { Finding } from './table.ts';

export function measureModel(): readonly Finding[] {
  const told = (what: string, figure: string): Finding => ({ what, figure, ratio: null, ratioMax: null });
  const began = performance.now();
  const results = Object.keys(SLICES).map((name) => {
    const { states, transitions, closed } = walk({ ...walkOptions(name), maxStates: STATES_MAX });
    if (!closed) throw new Error(`the walk over ${name} does not close within ${STATES_MAX} states`);
    return { states, transitions };
  });
  const sum = (key: 'states' | 'transitions') => results.reduce((total, result) => total + result[key], 0);
  const seconds = (performance.now() - began) / 1_000;
  return [
    told(`states of the core closed, in ${results.length} slices`, String(sum('states'))),
    told('transitions that keep the invariants', String(sum('transitions'))),
    told('time of the walk', `${seconds.toFixed(0)} s`),
  ];
}

// As in the model test.
const STATES_MAX = 150_000;
