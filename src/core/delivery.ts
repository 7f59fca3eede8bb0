/**
 * Delivery: what a credential's publication targets and its sentinel are told, and what their answers mean.
 *
 * Rule: what may be used at `now` is derived, never stored; how targets are told and asked again is the matter of targets.ts.
 */
import type { Effect } from './effect.ts';
import { isWithheld } from './rejection.ts';
import { isExpired } from './schedule.ts';
import type { CredentialState, Delivery, Step } from './state.ts';
import {
  isStillGood,
  SENTINEL_TARGET,
  sentinelAnswered,
  targetDelivered,
  targetFailed,
  tellSentinel,
  tellTargets,
} from './targets.ts';
import type { Now } from './token.ts';

/** May consumers have the held token at `now`? Derived, never stored. */
export function isUsable(state: CredentialState, now: Now): boolean {
  return state.held !== null && !isExpired(state.held, now) && !isWithheld(state, now);
}

export function settleDeliveries(state: CredentialState, now: Now): Step {
  const { held } = state;
  const wanted = isUsable(state, now) ? held : null;
  // Nothing is held yet after a start: what was published before is not taken away as long as it is good.
  const wantedOf = (delivery: Delivery) => (held === null && isStillGood(delivery, now) ? 'as_it_is' : wanted);
  const { deliveries, told } = tellTargets(state.deliveries, wantedOf, state.policy.limits, now);
  if (told.length === 0) return { state, effects: [] };
  return { state: { ...state, deliveries }, effects: told.map((delivery) => commandFor(state, delivery)) };
}

function commandFor({ name, held }: CredentialState, { target, revision, told }: Delivery): Effect {
  if (told === null || held === null) return { type: 'withdraw_token', target, revision };
  const { token, generation } = held;
  return { type: 'publish_token', target, revision, publication: { credential: name, token, generation } };
}

interface Answer {
  readonly target: string;
  readonly revision: number;
}

export function delivered(state: CredentialState, event: Answer, now: Now): CredentialState {
  const { limits } = state.policy;
  if (event.target === SENTINEL_TARGET) return withSentinel(state, event.revision, 'done', now);
  return { ...state, deliveries: targetDelivered(state.deliveries, event, limits, now) };
}

export function undelivered(
  state: CredentialState,
  event: Answer & { readonly code: string; readonly remedy: string },
  now: Now,
): CredentialState {
  if (event.target === SENTINEL_TARGET) return withSentinel(state, event.revision, 'failed', now);
  return { ...state, deliveries: targetFailed(state.deliveries, event, state.policy.limits, now) };
}

function withSentinel(state: CredentialState, revision: number, outcome: 'done' | 'failed', now: Now): CredentialState {
  const sentinel = sentinelAnswered(state.sentinel, { revision, outcome }, state.policy.limits, now);
  return sentinel === state.sentinel ? state : { ...state, sentinel };
}

export function settleSentinel(state: CredentialState, now: Now): Step {
  const isDown = !isUsable(state, now);
  const downSince = isDown ? (state.downSince ?? now.wallMs) : null;
  const known = downSince === state.downSince ? state : { ...state, downSince };
  const down = downSince === null ? null : { since: downSince, ...whyDown(known) };
  const told = tellSentinel(known.sentinel, down, state.policy.limits, now);
  if (told === null) return { state: known, effects: [] };
  return { state: { ...known, sentinel: told }, effects: [{ type: 'set_sentinel', revision: told.revision, down }] };
}

/** Says why there is no token; steady while attempts come and go, so that the file is not rewritten by each. */
export function whyDown(state: CredentialState): { reason: string; code: string } {
  const { phase } = state;
  if (phase.kind === 'reauthorization_required') return { reason: phase.reason, code: phase.code };
  const reason = state.held === null ? 'none' : state.rejection?.confirmed === true ? 'rejected' : 'expired';
  return { reason, code: state.lastFailure?.code ?? (phase.kind === 'absent' ? 'token_missing' : reason) };
}
