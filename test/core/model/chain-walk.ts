/**
 * Walks through every situation that a chain can come into, and checks each.
 */
import { checked } from './chain-checks.ts';
import {
  actionsIn,
  beginning,
  happen,
  keyOf,
  type Machine,
  nowOf,
  type Situation,
  type Size,
  viewsOf,
} from './chain-world.ts';

/** @throws the first broken rule, with the way there */
export function walkChains(machine: Machine, size: Size): { states: number; steps: number } {
  const first = stepped(beginning(size), machine);
  const seen = new Set([keyOf(first)]);
  let frontier: { readonly situation: Situation; readonly way: readonly string[] }[] = [{ situation: first, way: [] }];
  let steps = 0;
  while (frontier.length > 0) {
    const next: typeof frontier = [];
    for (const { situation, way } of frontier) {
      for (const action of actionsIn(situation, machine)) {
        steps += 1;
        const ahead = [...way, JSON.stringify(action)];
        const after = named(ahead, () => stepped(happen(situation, action, machine), machine));
        const key = keyOf(after);
        if (seen.has(key)) continue;
        seen.add(key);
        next.push({ situation: after, way: ahead });
      }
    }
    frontier = next;
  }
  return { states: seen.size, steps };
}

function stepped(situation: Situation, machine: Machine): Situation {
  const { chain, world } = situation;
  return checked(situation, machine.step(chain, viewsOf(world), nowOf(world)), machine);
}

function named<T>(way: readonly string[], work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw new Error(`${error instanceof Error ? error.message : String(error)}; by way of ${way.join(' ')}`);
  }
}
