/**
 * What must hold of a chain after every step, judged from the world's own accounts.
 */

import type { ChainStep } from '../../../src/core/chain.ts';
import { assert } from '../../../src/core/invariants.ts';
import {
  type Machine,
  MEMBERS,
  type Name,
  nowOf,
  SETTLE_MS,
  SHARED,
  type Situation,
  viewsOf,
  type World,
} from './chain-world.ts';

/** @returns the world with the step's commands in it */
export function checked(before: Situation, { state, effects }: ChainStep, machine: Machine): Situation {
  const { world } = before;
  checkChoice(before, state.inUse?.credential ?? null, world);
  checkGenerations(before, state, world);
  const known = commanded(before, { state, effects });
  const after = {
    chain: state,
    world: { ...known, lastGeneration: state.generation, hasBegun: world.hasBegun || isKnown(world) },
  };
  checkQuiet(after, machine);
  return after;
}

const isStanding = (world: World, standing: string) => (name: Name) => world.members[name].standing === standing;
const rankOf = (name: string | null) => MEMBERS.indexOf(name as Name);

const isKnown = (world: World): boolean => !MEMBERS.some(isStanding(world, 'absent'));

function checkChoice({ chain }: Situation, inUse: string | null, world: World): void {
  if (!world.hasBegun && !isKnown(world)) {
    assert(inUse === null, 'nothing is chosen before every member is known');
    return;
  }
  const usable = MEMBERS.filter(isStanding(world, 'usable'));
  const inRank = ['usable', 'ending', 'doubtful'].map((standing) => MEMBERS.filter(isStanding(world, standing)));
  const candidates: readonly string[] = inRank.find((names) => names.length > 0) ?? [];
  assert(
    candidates.length === 0 ? inUse === null : inUse !== null && candidates.includes(inUse),
    'the best there is is in use',
  );
  const from = chain.inUse?.credential ?? null;
  const stays = from !== null && candidates.includes(from);
  if (stays) assert(rankOf(inUse) <= rankOf(from), 'nobody leaves a good member for a less preferred one');
  const settled = usable.filter(
    (name) => world.nowMs - (world.members[name].usableSinceMs ?? world.nowMs) >= SETTLE_MS,
  );
  const isReturn = from !== null && usable.includes(from as Name) && inUse !== from;
  if (isReturn) assert(settled.includes(inUse as Name), 'a preferred member is taken only when it has settled');
  const first = settled[0];
  if (first !== undefined) assert(rankOf(inUse) <= rankOf(first), 'a preferred member that has settled is in use');
}

function checkGenerations({ world }: Situation, state: ChainStep['state'], { members }: World): void {
  assert(state.generation >= world.lastGeneration, 'generations only grow');
  if (state.inUse === null) return;
  const { credential } = state.inUse;
  const pair = `${credential} ${members[credential as Name].generation}`;
  const known = world.bindings[state.generation];
  assert(known === undefined || known === pair, 'a generation stands for one token');
}

function commanded({ world }: Situation, { state, effects }: ChainStep): World {
  const { credential } = state.inUse ?? { credential: null };
  for (const effect of effects) {
    if (effect.type === 'publish_token') {
      const { publication } = effect;
      assert(publication.credential === credential, 'only what is in use is published');
      assert(publication.generation === state.generation, 'it is published under the present generation');
      const { generation } = world.members[publication.credential as Name];
      assert(publication.token.accessToken === `${credential}-${generation}`, 'it is published with its newest token');
    }
    if (effect.type === 'withdraw_token' && effect.target === SHARED) {
      assert(credential === null, 'what all share is never emptied while a member is usable');
    }
    if (effect.type === 'set_sentinel')
      assert((effect.down === null) === (credential !== null), 'the sentinel says whether it is down');
  }
  const fresh = effects.flatMap((effect) => (effect.type === 'send_alert' ? [] : [effect]));
  const places = new Set(fresh.map(placeOf));
  // A command that waits for a target gives way to the next one.
  const open = [...world.open.filter((effect) => !places.has(placeOf(effect))), ...fresh];
  if (credential === null) return { ...world, open };
  const pair = `${credential} ${world.members[credential as Name].generation}`;
  return { ...world, open, bindings: { [state.generation]: pair } };
}

const placeOf = (effect: World['open'][number]): string => ('target' in effect ? effect.target : effect.type);

/** Nothing is left to do at this moment, and nobody sleeps past what has to be done later. */
function checkQuiet({ chain, world }: Situation, machine: Machine): void {
  const views = viewsOf(world);
  const now = nowOf(world);
  const again = machine.step(chain, views, now);
  assert(again.effects.length === 0, 'a second look does nothing');
  const delayMs = machine.deadline(chain, views, now);
  assert(delayMs === null || delayMs > 0, 'the next deadline lies in the future');
  const inUse = chain.inUse?.credential ?? null;
  for (const name of MEMBERS) {
    const { standing, usableSinceMs } = world.members[name];
    const isAwaited = inUse !== null && standing === 'usable' && rankOf(name) < rankOf(inUse);
    if (!isAwaited || usableSinceMs === null) continue;
    assert(delayMs !== null && delayMs <= usableSinceMs + SETTLE_MS - world.nowMs, 'nobody sleeps past a way back');
  }
}
