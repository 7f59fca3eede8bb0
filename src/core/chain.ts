/**
 * A chain: credentials in order of preference, of which the first usable one is in use; its publications follow that one.
 *
 * Rules of this file. A switch away from a member is immediate; one that is preferred is taken again only when it has been
 * usable for its settling time, so that nothing flaps. One whose token is about to end gives way to one that lasts. A member whose token a consumer reported as rejected is the last resort
 * until it has another one, or the report is forgotten. `stepChain` without anything new changes nothing, like a tick; there are no timer effects.
 */
import { alertDelivered, alertFailed, oweDeliveries, sendDue } from './alert-ledger.ts';
import type { ChainChange, ChainState, MemberView, Standing } from './chain-state.ts';
import type { Down, Effect } from './effect.ts';
import type { Event } from './event.ts';
import type { Delivery } from './state.ts';
import {
  isStillGood,
  keptForMs,
  SENTINEL_TARGET,
  sentinelAnswered,
  targetDelivered,
  targetFailed,
  tellSentinel,
  tellTargets,
} from './targets.ts';
import type { Now, Token } from './token.ts';

export interface ChainStep {
  readonly state: ChainState;
  readonly effects: readonly Effect[];
}

/** Answers to what the chain has asked for; everything else is no news to it. */
export function applyToChain(state: ChainState, event: Event, now: Now): ChainState {
  const { limits } = state.policy;
  switch (event.type) {
    case 'publish_succeeded':
      if (event.target === SENTINEL_TARGET) return withSentinel(state, event.revision, 'done', now);
      return { ...state, deliveries: targetDelivered(state.deliveries, event, limits, now) };
    case 'publish_failed':
      if (event.target === SENTINEL_TARGET) return withSentinel(state, event.revision, 'failed', now);
      return { ...state, deliveries: targetFailed(state.deliveries, event, limits, now) };
    case 'alert_delivered':
      return alertDelivered(state, event.id);
    case 'alert_failed':
      return alertFailed(state, event.id, now);
    default:
      return state;
  }
}

function withSentinel(state: ChainState, revision: number, outcome: 'done' | 'failed', now: Now): ChainState {
  const sentinel = sentinelAnswered(state.sentinel, { revision, outcome }, state.policy.limits, now);
  return sentinel === state.sentinel ? state : { ...state, sentinel };
}

/**
 * Chooses who is in use at `now` and says what follows for the publications. Never throws for any views.
 * @param views of every member, in any order
 */
export function stepChain(before: ChainState, views: readonly MemberView[], now: Now): ChainStep {
  const isComplete = before.members.every(({ credential }) => viewOf(views, credential).standing !== 'absent');
  if (before.lastChange === null && !isComplete) return { state: before, effects: [] };
  const judged = judge(before, views, now);
  const bound = bind(judged, choose(judged, views, now), views, now);
  const published = settlePublications(bound, views, now);
  const said = settleSentinel(published.state, now);
  const announced = sendDue(oweDeliveries(said.state, said.state.deliveries, now), now);
  return { state: announced.state, effects: [...published.effects, ...said.effects, ...announced.effects] };
}

/** Notes since when each member is usable without a break. */
function judge(state: ChainState, views: readonly MemberView[], now: Now): ChainState {
  const members = state.members.map((member) => {
    const isUsable = viewOf(views, member.credential).standing === 'usable';
    const usableSince = isUsable ? (member.usableSince ?? now.monotonicMs) : null;
    return usableSince === member.usableSince ? member : { ...member, usableSince };
  });
  return members.some((member, nth) => member !== state.members[nth]) ? { ...state, members } : state;
}

/** One that has settled, else one that is usable at all, else one that ends, else one in doubt; of those who last, the one in front. */
function choose(state: ChainState, views: readonly MemberView[], now: Now): MemberView | null {
  const inOrder = state.members.map(({ credential }) => viewOf(views, credential));
  const usable = inOrder.filter(({ standing }) => standing === 'usable');
  const present = inOrder.find(({ credential }) => credential === state.inUse?.credential);
  const ofStanding = (standing: Standing) =>
    present?.standing === standing ? present : inOrder.find((view) => view.standing === standing);
  return (
    usable.find(({ credential }) => settlesInMs(state, credential, now) === 0) ??
    usable[0] ??
    ofStanding('ending') ??
    ofStanding('doubtful') ??
    null
  );
}

/** What is in use needs no settling, nor does the first choice: whatever was before it, nobody saw it flap. */
export function settlesInMs(state: ChainState, credential: string, now: Now): number {
  if (state.lastChange === null || credential === state.inUse?.credential) return 0;
  const member = state.members.find((one) => one.credential === credential);
  if (member === undefined || member.usableSince === null) return 0;
  return Math.max(0, member.usableSince + member.settleMs - now.monotonicMs);
}

function bind(state: ChainState, chosen: MemberView | null, views: readonly MemberView[], now: Now): ChainState {
  const bound = chosen === null ? state : withBinding(state, chosen, now);
  const to = chosen?.credential ?? null;
  const from = state.inUse?.credential ?? null;
  if (state.lastChange !== null && from === to) return bound;
  const change = state.lastChange === null ? firstChange(state, to, views, now) : changeTo(to, from, views, now);
  const inUse = to === null ? null : { credential: to, since: now.wallMs };
  return { ...bound, inUse, lastChange: change, downSince: to === null ? now.wallMs : null };
}

/** The epoch second at least: should the memory of a later generation be lost, the next is still greater than all before. */
function withBinding(state: ChainState, { credential, generation: of }: MemberView, now: Now): ChainState {
  const last = state.bindings.at(-1);
  if (last?.credential === credential && last.of === of) return state;
  const generation = Math.max(state.generation + 1, Math.floor(now.wallMs / 1000));
  return { ...state, generation, bindings: [...state.bindings, { generation, credential, of }].slice(-BINDINGS_MAX) };
}

function changeTo(to: string | null, from: string | null, views: readonly MemberView[], now: Now): ChainChange {
  return { at: now.wallMs, from, to, lack: from === null ? null : viewOf(views, from).lack };
}

/** To begin with another than the preferred one is a switch, too. */
function firstChange(state: ChainState, to: string | null, views: readonly MemberView[], now: Now): ChainChange {
  const first = state.members[0]?.credential ?? null;
  return changeTo(to, to === first ? null : first, views, now);
}

function settlePublications(state: ChainState, views: readonly MemberView[], now: Now): ChainStep {
  const { inUse, generation } = state;
  const token = inUse === null ? null : viewOf(views, inUse.credential).token;
  const isUnread = keepsPublished(state, views);
  const wantedOf = (delivery: Delivery) => {
    if (isUnread && isStillGood(delivery, now)) return 'as_it_is';
    return token !== null && isHeld(state, delivery.target) ? { token, generation } : null;
  };
  const { deliveries, told } = tellTargets(state.deliveries, wantedOf, state.policy.limits, now);
  if (told.length === 0) return { state, effects: [] };
  const effects = told.map((delivery) => commandFor(state, delivery, token));
  return { state: { ...state, deliveries }, effects };
}

/** Nobody is in use, but of who was in use before the start nothing is known yet. */
function keepsPublished({ inUse, bindings }: ChainState, views: readonly MemberView[]): boolean {
  const last = bindings.at(-1);
  return inUse === null && last !== undefined && viewOf(views, last.credential).holdsNothing;
}

/** Is this target to hold something now? */
export function isHeld({ inUse, targets }: ChainState, target: string): boolean {
  const of = targets.find(({ id }) => id === target)?.of ?? null;
  return inUse !== null && (of === null || of === inUse.credential);
}

function commandFor(state: ChainState, { target, revision, told }: Delivery, token: Token | null): Effect {
  const { inUse, generation } = state;
  if (told === null || inUse === null || token === null) return { type: 'withdraw_token', target, revision };
  return {
    type: 'publish_token',
    target,
    revision,
    publication: { credential: inUse.credential, token, generation },
  };
}

function settleSentinel(state: ChainState, now: Now): ChainStep {
  const { downSince, lastChange } = state;
  const code = lastChange?.lack?.code ?? NO_USABLE_MEMBER;
  const down: Down | null = downSince === null ? null : { since: downSince, reason: NO_USABLE_MEMBER, code };
  const told = tellSentinel(state.sentinel, down, state.policy.limits, now);
  if (told === null) return { state, effects: [] };
  return { state: { ...state, sentinel: told }, effects: [{ type: 'set_sentinel', revision: told.revision, down }] };
}

/**
 * How long nothing will happen to the chain by itself; what its members do by themselves steps it anyway.
 * @returns a delay in ms, more than 0 after every step; null: nothing is waited for
 */
export function nextChainDeadline(state: ChainState, views: readonly MemberView[], now: Now): number | null {
  const moments = [
    state.sentinel.retryDue,
    ...state.deliveries.map(({ retryDue }) => retryDue),
    ...state.alerts.map(({ retryDue }) => retryDue),
    ...views.map(({ turnsAt }) => turnsAt),
  ];
  const rank = state.members.findIndex(({ credential }) => credential === state.inUse?.credential);
  const preferred = state.members.slice(0, Math.max(0, rank));
  const delays = [
    ...moments.flatMap((moment) => (moment === null ? [] : [moment - now.monotonicMs])),
    ...preferred.map(({ credential }) => settlesInMs(state, credential, now)).filter((delayMs) => delayMs > 0),
    ...(keepsPublished(state, views) ? keptForMs(state.deliveries, now) : []),
  ];
  return delays.length === 0 ? null : Math.min(...delays);
}

const NOT_A_MEMBER: Omit<MemberView, 'credential'> = {
  standing: 'absent',
  token: null,
  generation: 0,
  lack: { reason: 'not_a_member', code: 'not_a_member', needsPerson: false },
  turnsAt: null,
  holdsNothing: false,
};

function viewOf(views: readonly MemberView[], credential: string): MemberView {
  return views.find((view) => view.credential === credential) ?? { credential, ...NOT_A_MEMBER };
}

/** Why a chain is down, in a word. */
export const NO_USABLE_MEMBER = 'no_usable_member';

// A consumer that reports later than this many switches after its read has long asked again.
const BINDINGS_MAX = 16;
