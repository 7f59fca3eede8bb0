/**
 * The life of a credential: `step` applies one event and then settles what follows from the state alone.
 *
 * Rules of this file. A tick is the empty event, so a late, early or doubled wake-up is harmless. A stale message equals a tick.
 * There are no timer effects: `nextDeadline` is a query, and after every step it lies in the future.
 *
 *   absent ── store has a token ──> fresh ── due ──> refreshing ── answer ──> fresh
 *     ^                               ^                  │ failure
 *     └── store lost it               │                  ├──> backing_off ── due ──> refreshing      (maxRetries times)
 *                                     │                  ├──> recovering  ── due ──> refreshing      (for ever)
 *                                     └── store moved ───┴──> reauthorization_required               (a person must act)
 */
import { adopt, breakDown, planned, startIncoming } from './adoption.ts';
import { applyResult, begin, persist, persistFailed } from './attempt.ts';
import { delivered, settleDeliveries, settleSentinel, undelivered } from './delivery.ts';
import type { Effect } from './effect.ts';
import { alertDelayMs, alertDelivered, alertFailed, beginEpisode, raise, settleAlerts } from './episode.ts';
import type { Event } from './event.ts';
import { outcomeUnknown } from './failing.ts';
import { unreachable } from './invariants.ts';
import { applyJump } from './jump.ts';
import { isHalfLifeLeft, nextAttempt } from './plan.ts';
import { changePolicy, settlePolicy } from './policy-change.ts';
import { forgetQuiet, holdEndsAt, isDistrusted, refreshEnded, report } from './rejection.ts';
import { after, isExpired, lifeLeftMs, refreshes } from './schedule.ts';
import type { CredentialState, Step } from './state.ts';
import { settleStore, unpersistedAnswered } from './store-write.ts';
import type { MonotonicMs, Now } from './token.ts';
import { monotonicMs } from './token.ts';

/** The only way a state changes. Never throws for anything an event can say. */
export function step(state: CredentialState, event: Event, now: Now): Step {
  const applied = apply(state, event, now);
  const settled = settle(applied.state, now);
  return { state: settled.state, effects: [...applied.effects, ...settled.effects] };
}

const only = (state: CredentialState): Step => ({ state, effects: [] });

function apply(state: CredentialState, event: Event, now: Now): Step {
  if (state.phase.kind === 'stopped') return only(state);
  switch (event.type) {
    case 'tick':
      return only(state);
    case 'token_loaded':
    case 'store_changed':
    case 'token_missing':
    case 'state_broken':
      return only(storeRead(state, event, now));
    case 'store_unchanged':
      return only(storeUnchanged(state, event.obstacle === null, now));
    case 'attempt_recorded':
    case 'refresh_succeeded':
    case 'refresh_failed':
    case 'refresh_outcome_unknown':
    case 'answer_recorded':
    case 'answer_record_failed':
      return applyResult(state, event, now);
    case 'persist_succeeded':
    case 'persist_failed':
      return state.unpersisted?.attempt === event.attempt
        ? unpersistedAnswered(state, event, now)
        : applyResult(state, event, now);
    case 'publish_succeeded':
      return only(delivered(state, event));
    case 'publish_failed':
      return only(undelivered(state, event, now));
    case 'rejection_reported':
      return only(rejected(state, event, now));
    case 'refresh_requested':
      return only(requested(state, event, now));
    case 'policy_changed':
      return only(changePolicy(state, event, now));
    case 'alert_delivered':
      return only(alertDelivered(state, event.id));
    case 'alert_failed':
      return only(alertFailed(state, event.id, now));
    case 'clock_jumped':
      return only(applyJump(state, event.byMs, now));
    case 'stopping':
      return only({ ...state, stopping: true });
    default:
      return unreachable(event);
  }
}

type StoreEvent = Extract<Event, { type: 'token_loaded' | 'store_changed' | 'token_missing' | 'state_broken' }>;

/** What a reading of the store says. During an attempt only the reading that the attempt itself began with counts. */
function storeRead(before: CredentialState, event: StoreEvent, now: Now): CredentialState {
  const attempt = event.type === 'token_loaded' ? null : event.attempt;
  const state = attempt === null ? checked(before, now) : before;
  if (state.phase.kind === 'refreshing') {
    const endsIt = attempt === state.attempt && state.phase.stage === 'recording';
    if (!endsIt) return state;
  } else if (attempt !== null) {
    return state;
  }
  const idle = refreshEnded(state);
  switch (event.type) {
    case 'token_loaded':
    case 'store_changed':
      return adopt(idle, event.grant, now);
    case 'token_missing':
      return missing(idle, event.detail, now);
    case 'state_broken':
      return breakDown(idle, { reason: event.reason, code: event.reason, detail: event.detail }, now);
    default:
      return unreachable(event);
  }
}

function missing(state: CredentialState, detail: string, now: Now): CredentialState {
  if (state.policy.mintsWithoutGrant && state.held === null) {
    return state.phase.kind === 'absent' ? { ...state, phase: planned(state, now) } : state;
  }
  const absent: CredentialState = { ...state, grant: null, wanted: null, phase: { kind: 'absent', detail } };
  return state.policy.optional ? absent : beginEpisode(absent, 'token_missing', now);
}

function checked(state: CredentialState, now: Now): CredentialState {
  return { ...state, storeCheckInFlight: false, storeCheckDue: after(now, state.policy.storeCheckMs) };
}

/** A local obstacle that is gone reopens the credential: nothing was ever sent about it. */
function storeUnchanged(before: CredentialState, hasNoObstacle: boolean, now: Now): CredentialState {
  const state = checked(before, now);
  const isLocal = state.phase.kind === 'reauthorization_required' && state.phase.local;
  return isLocal && hasNoObstacle ? { ...state, phase: { kind: 'backing_off', due: now.monotonicMs } } : state;
}

function rejected(
  state: CredentialState,
  event: Extract<Event, { type: 'rejection_reported' }>,
  now: Now,
): CredentialState {
  const reported = report(state, event, now);
  const isNewlyDistrusted = !isDistrusted(state, event.peer, now) && isDistrusted(reported, event.peer, now);
  if (isNewlyDistrusted) return raise(reported, 'suspicious_refresh_rate', now, { code: 'peer_rejects_fresh_tokens' });
  const isTooQuick = reported.quickRejections >= 2 && state.quickRejections < 2;
  return isTooQuick ? raise(reported, 'suspicious_refresh_rate', now, { code: 'tokens_rejected_at_once' }) : reported;
}

/** An operator opens a latch and passes over Retry-After; a reader only asks, and a waiting reader shortens a recovery. */
function requested(
  state: CredentialState,
  event: Extract<Event, { type: 'refresh_requested' }>,
  now: Now,
): CredentialState {
  const { phase, held } = state;
  if (!refreshes(state.policy) || phase.kind === 'refreshing') return state;
  switch (event.cause) {
    case 'operator':
      if (!event.force && isHalfLifeLeft(state, now)) return state;
      return { ...state, wanted: { reason: 'operator', overridesRetryAfter: event.force } };
    case 'min_valid': {
      const isPossible = phase.kind === 'fresh' && held !== null && state.demandedFor !== held.generation;
      if (!isPossible) return state;
      return { ...state, demandedFor: held.generation, wanted: { reason: 'demand', overridesRetryAfter: false } };
    }
    case 'wait': {
      if (phase.kind !== 'recovering' || state.lastBegan === null) return state;
      const due = Math.min(phase.due, state.lastBegan + state.policy.retryIntervalMs);
      return { ...state, phase: { ...phase, due: monotonicMs(due) } };
    }
    default:
      return unreachable(event.cause);
  }
}

/** What follows from the state alone. Each part is idempotent; together they leave nothing due. */
function settle(state: CredentialState, now: Now): Step {
  if (state.phase.kind === 'stopped') return only(state);
  const parts = [settleLost, settleHeld, settlePolicy, settleStore, settleAttempt, settleDeliveries, settleSentinel];
  let settled = only(state);
  for (const part of [...parts, settleAlerts, settleStop]) {
    const next = part(settled.state, now);
    settled = { state: next.state, effects: [...settled.effects, ...next.effects] };
  }
  return settled;
}

function settleHeld(state: CredentialState, now: Now): Step {
  const known = startIncoming(forgetQuiet(state, now), now);
  const { held, phase, policy } = known;
  const isEnded = phase.kind === 'fresh' && !refreshes(policy) && held !== null && isExpired(held, now);
  if (!isEnded) return only(known);
  const absent: CredentialState = { ...known, phase: planned(known, now) };
  return only(policy.optional ? absent : beginEpisode(absent, 'expired', now));
}

/** The back-stop: a stage of an attempt whose answer is lost. Waiting in line has no end of its own; it is only looked at again. */
function settleLost(state: CredentialState, now: Now): Step {
  const { phase } = state;
  if (phase.kind !== 'refreshing' || phase.deadline > now.monotonicMs) return only(state);
  switch (phase.stage) {
    case 'recording':
      return only({ ...state, phase: { ...phase, deadline: after(now, state.policy.limits.effectTimeoutMs) } });
    case 'running':
      return outcomeUnknown(state, phase, now);
    case 'recording_answer':
      return persist(state, phase, now);
    case 'persisting':
      return persistFailed(state, phase, { code: 'timed_out', winner: null }, now);
    default:
      return unreachable(phase.stage);
  }
}

function settleAttempt(state: CredentialState, now: Now): Step {
  const plan = nextAttempt(state, now);
  return plan !== null && plan.at <= now.monotonicMs && !state.stopping ? begin(state, plan.reason, now) : only(state);
}

/** An attempt in flight is finished first; one that has sent nothing yet is given up. */
function settleStop(state: CredentialState): Step {
  if (!state.stopping) return only(state);
  const { phase } = state;
  if (phase.kind === 'refreshing' && phase.stage !== 'recording') return only(state);
  const effects: Effect[] =
    phase.kind === 'refreshing' ? [{ type: 'close_attempt', attempt: state.attempt, journal: 'empty' }] : [];
  return { state: { ...state, phase: { kind: 'stopped' } }, effects };
}

/**
 * How long nothing will happen by itself.
 * @returns a delay in ms, more than 0 after every step; null only once stopped
 */
export function nextDeadline(state: CredentialState, now: Now): number | null {
  if (state.phase.kind === 'stopped') return null;
  const moments: (MonotonicMs | number | null | undefined)[] = [
    // While an attempt runs nobody looks at the store but the attempt itself.
    ...(state.phase.kind === 'refreshing'
      ? [state.phase.deadline]
      : [nextAttempt(state, now)?.at, state.storeCheckDue, state.unpersisted?.retryDue]),
    state.sentinel.retryDue,
    ...state.deliveries.map((delivery) => delivery.retryDue),
    state.rejection?.refresh === 'ended' ? holdEndsAt(state, state.rejection) : null,
  ];
  const delays = moments.flatMap((moment) => (typeof moment === 'number' ? [moment - now.monotonicMs] : []));
  const left = state.held?.token.expiry.kind === 'known' ? lifeLeftMs(state.held, now) : null;
  if (left !== null && left > 0) delays.push(left);
  const { incoming } = state;
  // While an attempt runs a token whose time has come waits for its end.
  if (incoming !== null && incoming.token.notBefore !== null && state.phase.kind !== 'refreshing') {
    delays.push(incoming.token.notBefore - now.wallMs);
  }
  if (state.publishedUntil !== null && state.held === null && state.publishedUntil > now.wallMs) {
    delays.push(state.publishedUntil - now.wallMs);
  }
  const alertMs = alertDelayMs(state, now);
  if (alertMs !== null) delays.push(alertMs);
  return Math.min(...delays);
}
