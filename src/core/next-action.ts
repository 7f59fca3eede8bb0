/**
 * Why and when, in words: the next action of a credential. No secrets.
 */

import { durationText } from './duration.ts';
import type { AttemptReason } from './effect.ts';
import { type AttemptPlan, nextAttempt } from './plan.ts';
import { isIssuedAhead, leadOf, lifeLeftMs, refreshAtLifeLeftMs, refreshes } from './schedule.ts';
import type { CredentialState } from './state.ts';
import type { Now } from './token.ts';

/** The next thing that will happen, in terms that `explain` and `status` can put into words. */
export interface NextAction {
  readonly what: 'refresh' | 'retry' | 'recovery' | 'probe' | 'store_check' | 'attempt_running' | 'none';
  readonly inMs: number | null;
  /** One sentence: "30 min 22 s before expiry (22 s of jitter)". */
  readonly why: string;
}

export function nextAction(state: CredentialState, now: Now): NextAction {
  if (state.phase.kind === 'stopped') return { what: 'none', inMs: null, why: 'the daemon is stopping' };
  if (state.phase.kind === 'refreshing') return running(state, now);
  const plan = nextAttempt(state, now);
  const inMs = plan === null ? state.storeCheckDue - now.monotonicMs : plan.at - now.monotonicMs;
  if (plan === null) return { what: 'store_check', inMs, why: whyOnlyTheStore(state) };
  return { what: WHAT_OF_REASON[plan.reason], inMs: Math.max(0, inMs), why: whyThen(state, plan, now) };
}

const WHAT_OF_REASON: Record<AttemptReason, NextAction['what']> = {
  due: 'refresh',
  expired: 'refresh',
  missing: 'refresh',
  rejection: 'refresh',
  demand: 'refresh',
  operator: 'refresh',
  retry: 'retry',
  recovery: 'recovery',
  probe: 'probe',
  set_aside: 'refresh',
  resumed: 'refresh',
};

function running(state: CredentialState, now: Now): NextAction {
  const { phase } = state;
  const isQueued = phase.kind === 'refreshing' && phase.stage === 'recording';
  const inMs = phase.kind === 'refreshing' ? phase.deadline - now.monotonicMs : null;
  return {
    what: 'attempt_running',
    inMs,
    why: isQueued ? 'waiting in line or for the lock' : 'its result is due by then at the latest',
  };
}

function whyOnlyTheStore(state: CredentialState): string {
  const { phase } = state;
  if (phase.kind === 'reauthorization_required') return `a person must act (${phase.reason}: ${phase.code})`;
  if (state.unpersisted !== null) return 'a new refresh token has to be stored before anything is sent';
  if (phase.kind === 'absent') return phase.detail;
  return refreshes(state.policy) ? 'the token has no expiry' : 'this credential is only watched, not refreshed here';
}

function whyThen(state: CredentialState, plan: AttemptPlan, now: Now): string {
  const { held } = state;
  switch (plan.reason) {
    case 'due':
      return held === null ? 'it is due' : whyDue(state, now);
    case 'retry':
      return `${retryText(state)}${patience(state, plan, now)}`;
    case 'recovery':
      return `active recovery after ${state.lastFailure?.code ?? 'repeated failures'}${patience(state, plan, now)}`;
    case 'probe':
      return 'only the server can tell whether its configuration was mended';
    case 'expired':
      return 'the token has expired';
    case 'missing':
      return 'there is no token yet';
    case 'rejection':
      return 'a consumer reported the token as rejected';
    case 'demand':
      return 'a reader asked for a longer validity';
    case 'operator':
      return 'an operator asked for it';
    case 'set_aside':
      return 'an answer that the store did not take earlier is tried before anybody is asked';
    case 'resumed':
      return 'an answer from before the start is stored';
  }
}

/** A wait that is no counted failure has no number. */
function retryText({ failures, policy, lastFailure }: CredentialState): string {
  const after = `after ${lastFailure?.code ?? 'a failure'}`;
  return failures === 0 ? after : `attempt ${failures + 1} of ${policy.maxRetries + 1}, ${after}`;
}

/** Says when it is the server that makes us wait. */
function patience({ notBefore }: CredentialState, plan: AttemptPlan, now: Now): string {
  const isHeldBack = notBefore !== null && notBefore > now.monotonicMs && notBefore >= plan.at;
  return isHeldBack ? '; the server wants to be left alone until then' : '';
}

function whyDue(state: CredentialState, now: Now): string {
  const { held, phase, policy } = state;
  if (held === null || phase.kind !== 'fresh' || phase.refreshAtLifeLeftMs === null) return 'it is due';
  const { jitterMs, marginMs } = leadOf(policy, held);
  if (phase.refreshAtLifeLeftMs > marginMs + jitterMs && isIssuedAhead(held.token, now)) {
    return 'by its issue time this clock runs behind; a new token will tell';
  }
  const isPreferred =
    phase.refreshAtLifeLeftMs > marginMs + jitterMs && phase.refreshAtLifeLeftMs === refreshAtLifeLeftMs(policy, held);
  if (phase.refreshAtLifeLeftMs !== marginMs + jitterMs && !isPreferred) return 'the last refresh brought nothing new';
  const left = lifeLeftMs(held, now);
  const isPast = left !== null && left <= phase.refreshAtLifeLeftMs;
  const lead = `${durationText(phase.refreshAtLifeLeftMs)} before expiry`;
  const reason = isPreferred
    ? `${lead}, in its window (${policy.window?.cron ?? ''})`
    : jitterMs < 1000
      ? lead
      : `${lead} (${durationText(jitterMs)} of jitter)`;
  return isPast ? `${reason}; held back by the floor, the hourly budget or Retry-After` : reason;
}
