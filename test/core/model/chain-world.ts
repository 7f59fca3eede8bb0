/**
 * The world of the walk over chains: members whose standing changes at will, one clock, and accounts of its own.
 *
 * Rule: what is right is judged from the world's book-keeping (who has been usable since when), never from the chain's.
 */
import { applyToChain, nextChainDeadline, stepChain } from '../../../src/core/chain.ts';
import { type ChainState, initialChain, type MemberView, type Standing } from '../../../src/core/chain-state.ts';
import type { Effect } from '../../../src/core/effect.ts';
import { LIMITS } from '../../../src/core/policy.ts';
import { epochMs, type Fingerprint, monotonicMs, type Now, type Token } from '../../../src/core/token.ts';

export const SETTLE_MS = 10_000;
export const MEMBERS = ['a', 'b', 'c'] as const;
export type Name = (typeof MEMBERS)[number];

interface Member {
  readonly standing: Standing;
  readonly generation: number;
  readonly usableSinceMs: number | null;
}

export interface World {
  readonly nowMs: number;
  readonly members: Readonly<Record<Name, Member>>;
  /** Commands that nobody has answered yet. */
  readonly open: readonly Exclude<Effect, { type: 'send_alert' }>[];
  /** What each target holds: who, and under which generation; null: nothing. */
  readonly holds: Readonly<Record<string, { readonly credential: string; readonly generation: number } | null>>;
  readonly bindings: Readonly<Record<number, string>>;
  readonly lastGeneration: number;
  /** There was a moment at which every member was known. */
  readonly hasBegun: boolean;
  /** Members to which anything happens. */
  readonly moving: readonly Name[];
}

export interface Situation {
  readonly chain: ChainState;
  readonly world: World;
}

export type Action =
  | { readonly type: 'turn'; readonly member: Name; readonly standing: Standing }
  | { readonly type: 'refresh'; readonly member: Name }
  | { readonly type: 'wait'; readonly until: 'deadline' | 'half' }
  | { readonly type: 'answer'; readonly nth: number; readonly isDone: boolean }
  | { readonly type: 'nothing' };

/** What is walked over; the mutants replace one of them. */
export interface Machine {
  readonly step: typeof stepChain;
  readonly deadline: typeof nextChainDeadline;
}

export const REAL: Machine = { step: stepChain, deadline: nextChainDeadline };

/** Every moment is a multiple of half the settling time, so that the walk has an end. */
const HALF_MS = SETTLE_MS / 2;
const STEADY = { ...LIMITS, effectTimeoutMs: HALF_MS, deliveryRetryMs: HALF_MS, deliveryRetryMaxMs: HALF_MS };

export const SHARED = 'envFile:/x/.env';
const HOOK = 'hook:/x/tell of a';

const EPOCH_MS = 1_800_000_000_000;

export const nowOf = ({ nowMs }: World): Now => ({
  wallMs: epochMs(EPOCH_MS + nowMs),
  monotonicMs: monotonicMs(nowMs),
});

const tokenOf = (credential: string, generation: number): Token => ({
  accessToken: `${credential}-${generation}`,
  tokenType: 'Bearer',
  fingerprint: `${credential}-${generation}` as Fingerprint,
  obtainedAt: null,
  notBefore: null,
  expiry: { kind: 'never' },
});

export function viewsOf({ members }: World): readonly MemberView[] {
  return MEMBERS.map((credential): MemberView => {
    const { standing, generation } = members[credential];
    const holds = standing !== 'unusable' && standing !== 'absent';
    return {
      credential,
      standing,
      token: holds ? tokenOf(credential, generation) : null,
      generation,
      lack: standing === 'usable' ? null : { reason: 'expired', code: 'timeout', needsPerson: false },
      turnsAt: null,
      holdsNothing: false,
    };
  });
}

export interface Size {
  /** Also a target that only the first member has. */
  readonly hook: boolean;
  readonly moving: readonly Name[];
}

export function beginning({ hook, moving }: Size): Situation {
  const absent: Member = { standing: 'absent', generation: 1, usableSinceMs: null };
  const still: Member = { ...absent, standing: 'unusable' };
  const firstOf = (name: Name): Member => (moving.includes(name) ? absent : still);
  const targets = [{ id: SHARED, of: null }, ...(hook ? [{ id: HOOK, of: 'a' }] : [])];
  const members = MEMBERS.map((credential) => ({ credential, settleMs: SETTLE_MS }));
  const policy = { alerts: [], limits: STEADY };
  return {
    chain: initialChain({ name: 'any', members, targets, policy }, null),
    world: {
      nowMs: 1_000,
      members: { a: firstOf('a'), b: firstOf('b'), c: firstOf('c') },
      open: [],
      holds: {},
      bindings: {},
      lastGeneration: 0,
      hasBegun: false,
      moving,
    },
  };
}

/** Everything that can happen next. */
export function actionsIn({ chain, world }: Situation, machine: Machine): readonly Action[] {
  const turns = world.moving.flatMap((member) => {
    const { standing } = world.members[member];
    const others = (['usable', 'ending', 'doubtful', 'unusable'] as const).filter((other) => other !== standing);
    // The preferred one alone comes to an end: that is enough to see who takes over, and the walk stays small.
    const possible = others.filter((other) => other !== 'ending' || member === 'a');
    return possible.map((other): Action => ({ type: 'turn', member, standing: other }));
  });
  const inUse = MEMBERS.find((member) => member === chain.inUse?.credential);
  return [
    { type: 'nothing' },
    ...turns,
    ...(inUse === undefined ? [] : [{ type: 'refresh', member: inUse } as const]),
    ...(machine.deadline(chain, viewsOf(world), nowOf(world)) === null
      ? []
      : [{ type: 'wait', until: 'deadline' } as const]),
    { type: 'wait', until: 'half' },
    ...world.open.flatMap((_, nth) => [true, false].map((isDone): Action => ({ type: 'answer', nth, isDone }))),
  ];
}

/** The world after the action, before the chain has noticed it. */
export function happen({ chain, world }: Situation, action: Action, machine: Machine): Situation {
  switch (action.type) {
    case 'turn':
      return { chain, world: turned(world, action.member, { standing: action.standing }) };
    case 'refresh': {
      const { generation } = world.members[action.member];
      return { chain, world: turned(world, action.member, { generation: generation + 1 }) };
    }
    case 'wait': {
      const delayMs = machine.deadline(chain, viewsOf(world), nowOf(world));
      const byMs = action.until === 'half' ? HALF_MS : (delayMs ?? 0);
      return { chain, world: { ...world, nowMs: world.nowMs + byMs } };
    }
    case 'answer':
      return answered({ chain, world }, action);
    case 'nothing':
      return { chain, world };
  }
}

function turned(world: World, name: Name, change: Partial<Member>): World {
  const member = { ...world.members[name], ...change };
  const isUsable = member.standing === 'usable';
  const usableSinceMs = isUsable ? (world.members[name].usableSinceMs ?? world.nowMs) : null;
  return { ...world, members: { ...world.members, [name]: { ...member, usableSinceMs } } };
}

function answered({ chain, world }: Situation, { nth, isDone }: Extract<Action, { type: 'answer' }>): Situation {
  const effect = world.open[nth];
  if (effect === undefined || !('revision' in effect)) return { chain, world };
  const open = world.open.filter((_, other) => other !== nth);
  const target = 'target' in effect ? effect.target : 'sentinel';
  const about = { target, revision: effect.revision };
  const now = nowOf(world);
  if (!isDone) {
    const event = { type: 'publish_failed', ...about, code: 'disk_full', remedy: 'make room' } as const;
    return { chain: applyToChain(chain, event, now), world: { ...world, open } };
  }
  const held = effect.type === 'publish_token' ? effect.publication : null;
  const holds = effect.type === 'set_sentinel' ? world.holds : { ...world.holds, [target]: held };
  const event = { type: 'publish_succeeded', ...about } as const;
  return { chain: applyToChain(chain, event, now), world: { ...world, open, holds } };
}

/** The same for every situation in which the same can happen from here on. */
export function keyOf({ chain, world }: Situation): string {
  const { nowMs } = world;
  const ago = (moment: number | null) => (moment === null ? '-' : Math.min(SETTLE_MS, nowMs - moment));
  const ahead = (moment: number | null) => (moment === null ? '-' : Math.min(SETTLE_MS, moment - nowMs));
  const rank = (generation: number | 'unknown' | null) =>
    typeof generation === 'number' ? Math.min(2, chain.generation - generation) : generation;
  const last = chain.bindings.at(-1);
  return JSON.stringify([
    MEMBERS.map((name) => [world.members[name].standing, ago(world.members[name].usableSinceMs)]),
    chain.members.map(({ usableSince }) => ago(usableSince)),
    [chain.inUse?.credential, chain.lastChange !== null, chain.downSince !== null],
    last === undefined ? null : [last.credential, last.of === world.members[last.credential as Name].generation],
    chain.deliveries.map((one) => [rank(one.told), rank(one.holds), one.status, ahead(one.retryDue)]),
    [chain.sentinel.told !== null, chain.sentinel.status, ahead(chain.sentinel.retryDue)],
    world.open.map((effect) => [effect.type, 'target' in effect ? effect.target : '', isCurrent(chain, effect)]),
  ]);
}

function isCurrent(chain: ChainState, effect: Effect): boolean {
  if (effect.type === 'set_sentinel') return effect.revision === chain.sentinel.revision;
  if (!('target' in effect)) return false;
  return chain.deliveries.some(({ target, revision }) => target === effect.target && revision === effect.revision);
}
