/**
 * Rejections: what a consumer's report of a 401 changes.
 *
 * Rule: a report is advice. It never latches, concerns only the generation it names, starts at most one refresh for it,
 * and takes a token away only when a second report confirmed it and no refresh could replace it.
 */
import { refreshes } from './schedule.ts';
import type { CredentialState, Peer, Rejection } from './state.ts';
import type { Generation, Now } from './token.ts';
import { monotonicMs } from './token.ts';

/** Notes a report; whether a refresh follows is decided by settle, from `refresh: 'owed'`. */
export function report(
  state: CredentialState,
  event: { readonly generation: Generation; readonly peer: string },
  now: Now,
): CredentialState {
  const { held } = state;
  if (held === null || event.generation !== held.generation || isDistrusted(state, event.peer, now)) return state;
  const known = state.peers.find((peer) => peer.peer === event.peer);
  if (known?.brought === event.generation) return distrust(state, known, now);
  return state.rejection === null ? firstReport(state, event.peer, now) : repeatedReport(state, state.rejection, now);
}

function firstReport(state: CredentialState, peer: string, now: Now): CredentialState {
  const { held, policy } = state;
  if (held === null) return state;
  const isQuick = now.monotonicMs - held.receivedAt.monotonicMs < policy.limits.quickRejectionMs;
  const rejection: Rejection = {
    generation: held.generation,
    peer,
    firstAt: now.monotonicMs,
    lastAt: now.monotonicMs,
    confirmed: false,
    refresh: refreshFor(state, held.generation),
  };
  return {
    ...state,
    rejection,
    refreshedFor: rejection.refresh === 'ended' ? state.refreshedFor : held.generation,
    quickRejections: isQuick ? Math.min(2, state.quickRejections + 1) : 0,
    peers: remembered(state, { peer, brought: null, distrustedUntil: null, doublings: doublingsOf(state, peer) }),
  };
}

function repeatedReport(state: CredentialState, rejection: Rejection, now: Now): CredentialState {
  const confirmed = rejection.confirmed || now.monotonicMs - rejection.firstAt >= state.policy.limits.confirmAfterMs;
  return { ...state, rejection: { ...rejection, lastAt: now.monotonicMs, confirmed } };
}

/** One refresh per generation: a report after a quiet time does not start another. */
function refreshFor(state: CredentialState, generation: Generation): Rejection['refresh'] {
  if (!canRefreshNow(state) || state.refreshedFor === generation) return 'ended';
  return state.phase.kind === 'refreshing' ? 'started' : 'owed';
}

function canRefreshNow(state: CredentialState): boolean {
  const { kind } = state.phase;
  return refreshes(state.policy) && kind !== 'reauthorization_required' && kind !== 'absent' && kind !== 'stopped';
}

/** Is the present token withheld because of its rejection? */
export function isWithheld(state: CredentialState, now: Now): boolean {
  const { rejection } = state;
  return rejection?.refresh === 'ended' && rejection.confirmed && now.monotonicMs < holdEndsAt(state, rejection);
}

export const holdEndsAt = (state: CredentialState, rejection: Rejection): number =>
  rejection.lastAt + state.policy.rejectionHoldMs;

/** No report for as long as the hold lasts: the token counts as good again. An open refresh is waited for. */
export function forgetQuiet(state: CredentialState, now: Now): CredentialState {
  const { rejection } = state;
  if (rejection?.refresh !== 'ended' || now.monotonicMs < holdEndsAt(state, rejection)) return state;
  return { ...state, rejection: null };
}

/** An attempt begins: it is the one that was owed. One that has failed stays failed, also while others are tried. */
export const refreshStarted = (rejection: Rejection | null): Rejection | null =>
  rejection?.refresh === 'owed' ? { ...rejection, refresh: 'started' } : rejection;

/** The attempt sent nothing and nobody is to blame, so the refresh is owed as before. */
export function refreshPutOff(state: CredentialState): CredentialState {
  const { rejection } = state;
  return rejection?.refresh === 'started' ? { ...state, rejection: { ...rejection, refresh: 'owed' } } : state;
}

/** The refresh that a rejection asked for is over without a new token. */
export function refreshEnded(state: CredentialState): CredentialState {
  return state.rejection === null ? state : { ...state, rejection: { ...state.rejection, refresh: 'ended' } };
}

/** A new generation answers the report; remembers whom it was made for. */
export function answered(state: CredentialState, generation: Generation): CredentialState {
  const { rejection } = state;
  if (rejection === null) return state;
  const peer: Peer = {
    peer: rejection.peer,
    brought: generation,
    distrustedUntil: null,
    doublings: doublingsOf(state, rejection.peer),
  };
  return { ...state, rejection: null, peers: remembered(state, peer) };
}

const doublingsOf = (state: CredentialState, peer: string): number =>
  state.peers.find((known) => known.peer === peer)?.doublings ?? 0;

export function isDistrusted(state: CredentialState, peer: string, now: Now): boolean {
  const until = state.peers.find((known) => known.peer === peer)?.distrustedUntil ?? null;
  return until !== null && now.monotonicMs < until;
}

/** It refused the very token that its own report brought about: its audience, scheme or host is wrong, not the token. */
function distrust(state: CredentialState, peer: Peer, now: Now): CredentialState {
  const { distrustMs, distrustMaxMs } = state.policy.limits;
  const forMs = Math.min(distrustMaxMs, distrustMs * 2 ** peer.doublings);
  const doublings = forMs >= distrustMaxMs ? peer.doublings : peer.doublings + 1;
  return {
    ...state,
    peers: remembered(state, {
      ...peer,
      brought: null,
      distrustedUntil: monotonicMs(now.monotonicMs + forMs),
      doublings,
    }),
  };
}

/** Most recent last; the oldest is forgotten. */
function remembered(state: CredentialState, peer: Peer): readonly Peer[] {
  const others = state.peers.filter((known) => known.peer !== peer.peer);
  return [...others, peer].slice(-state.policy.limits.peersMax);
}
