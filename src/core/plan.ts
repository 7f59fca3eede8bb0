/**
 * The next attempt: why it will be made, and the earliest moment it may begin.
 *
 * Rule: a query. Whether it begins is settle's decision; what holds every attempt back (floor, budget, Retry-After) is applied here once.
 */
import type { AttemptReason } from './effect.ts';
import { unreachable } from './invariants.ts';
import { after, gateOpensAt, isExpired, isInDoubt, lifeLeftMs, refreshes, wholeLifeMs } from './schedule.ts';
import type { CredentialState, Phase } from './state.ts';
import type { MonotonicMs, Now } from './token.ts';
import { monotonicMs } from './token.ts';

export interface AttemptPlan {
  readonly reason: AttemptReason;
  readonly at: MonotonicMs;
}

/** The next attempt and the earliest moment it may begin; null while none is possible. Past moments mean now. */
export function nextAttempt(state: CredentialState, now: Now): AttemptPlan | null {
  // The predecessor of a refresh token that could not be stored yet must never be sent: the store is written first.
  if (!refreshes(state.policy) || state.unpersisted !== null) return null;
  if (state.wanted !== null && state.phase.kind !== 'refreshing') {
    return gated(state, { reason: state.wanted.reason, at: now.monotonicMs }, now);
  }
  if (isTrying(state)) return gated(state, { reason: 'set_aside', at: state.phase.due }, now);
  if (state.rejection?.refresh === 'owed') return gated(state, rejectionPlan(state, now), now);
  const plan = phasePlan(state, now);
  return plan === null ? null : gated(state, plan, now);
}

type Trying = CredentialState & { readonly phase: Extract<Phase, { kind: 'backing_off' | 'recovering' }> };

const isTrying = (state: CredentialState): state is Trying =>
  (state.phase.kind === 'backing_off' || state.phase.kind === 'recovering') && state.phase.impasse !== undefined;

function gated(state: CredentialState, plan: AttemptPlan, now: Now): AttemptPlan {
  const overridesRetryAfter = state.wanted?.overridesRetryAfter === true;
  return { ...plan, at: monotonicMs(Math.max(plan.at, gateOpensAt(state, now, { overridesRetryAfter }))) };
}

/** Two generations refused within a minute of their publication: the fault is not the token's, so there is no hurry. */
function rejectionPlan(state: CredentialState, now: Now): AttemptPlan {
  const isHasty = state.quickRejections >= 2 && state.lastBegan !== null;
  const at = isHasty ? (state.lastBegan ?? 0) + state.policy.retryIntervalMs : now.monotonicMs;
  return { reason: 'rejection', at: monotonicMs(at) };
}

function phasePlan(state: CredentialState, now: Now): AttemptPlan | null {
  const { phase, held } = state;
  switch (phase.kind) {
    case 'fresh': {
      const left = held === null ? null : lifeLeftMs(held, now);
      if (left === null || phase.refreshAtLifeLeftMs === null) return null;
      return { reason: left <= 0 ? 'expired' : 'due', at: after(now, left - phase.refreshAtLifeLeftMs) };
    }
    case 'backing_off':
      return { reason: reasonToRetry(state, now), at: phase.due };
    case 'recovering':
      return { reason: 'recovery', at: phase.due };
    case 'reauthorization_required':
      return phase.probeDue === null ? null : { reason: 'probe', at: phase.probeDue };
    case 'absent':
      return state.policy.mintsWithoutGrant ? { reason: 'missing', at: now.monotonicMs } : null;
    case 'refreshing':
    case 'stopped':
      return null;
    default:
      return unreachable(phase);
  }
}

function reasonToRetry(state: CredentialState, now: Now): AttemptReason {
  const { held, failures, lastFailure } = state;
  const hasFailed =
    isInDoubt(state) || failures > 0 || lastFailure?.class === 'transient' || lastFailure?.class === 'rate_limited';
  if (hasFailed) return 'retry';
  return held === null ? 'missing' : isExpired(held, now) ? 'expired' : 'due';
}

/** More than half of the life is left, and nothing is amiss: a refresh would gain nothing. */
export function isHalfLifeLeft({ held, phase }: CredentialState, now: Now): boolean {
  if (held === null || phase.kind !== 'fresh') return false;
  const [left, whole] = [lifeLeftMs(held, now), wholeLifeMs(held)];
  return left !== null && whole !== null && left > whole / 2;
}
