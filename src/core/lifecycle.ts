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
import { planned, startIncoming } from './adoption.ts';
import { alertDelivered, alertFailed, raise } from './alert-ledger.ts';
import { applyResult, begin, persist, persistFailed } from './attempt.ts';
import { delivered, settleDeliveries, settleSentinel, undelivered } from './delivery.ts';
import type { Effect } from './effect.ts';
import { alertDelayMs, beginEpisode, settleAlerts } from './episode.ts';
import type { Event } from './event.ts';
import { outcomeUnknown } from './failing.ts';
import { unreachable } from './invariants.ts';
import { applyJump } from './jump.ts';
import { isHalfLifeLeft, nextAttempt } from './plan.ts';
import { changePolicy, settlePolicy } from './policy-change.ts';
import { stored } from './reconcile.ts';
import { forgetQuiet, holdEndsAt, isDistrusted, report } from './rejection.ts';
import { after, isExpired, isInDoubt, lifeLeftMs, refreshes } from './schedule.ts';
import { askPerson, isForgettable, isToStore, isToTry, latchIn } from './set-aside.ts';
import type { CredentialState, Step } from './state.ts';
import { storeRead, storeUnchanged, watchedPathChanged } from './store-read.ts';
import { settleStore, unpersistedAnswered } from './store-write.ts';
import { keptForMs } from './targets.ts';
import type { MonotonicMs, Now } from './token.ts';
import { monotonicMs } from './token.ts';
import { settleWarnings, warningDelayMs } from './warnings.ts';

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
      return storeRead(state, event, now);
    case 'store_unchanged':
      return only(storeUnchanged(state, event.obstacle === null, now));
    case 'watched_path_changed':
      return only(watchedPathChanged(state, event.at, now));
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
      return only(delivered(state, event, now));
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
  const parts = [settleLost, settleHeld, settlePolicy, settleSetAside, settleStore, settleAttempt];
  let settled = only(state);
  for (const part of [...parts, settleDeliveries, settleSentinel, settleWarnings, settleAlerts, settleStop]) {
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

/** What was set aside is forgotten when it is of no use any more, and stored where nothing could be lost by it. */
function settleSetAside(before: CredentialState, now: Now): Step {
  const kept = before.setAside;
  const isOver = kept !== null && isForgettable(before, kept);
  const state = isOver ? { ...before, setAside: null } : before;
  const effects: Effect[] = isOver ? [{ type: 'forget_set_aside' }] : [];
  const { phase } = state;
  const isWaiting = phase.kind === 'backing_off' || phase.kind === 'recovering';
  if (!isWaiting || phase.impasse === undefined) return { state, effects };
  if (!isToTry(state, phase.impasse)) return { state: askPerson(state, phase.impasse, now), effects };
  const isStored = kept !== null && isToStore(state, phase.impasse, now) && !state.stopping;
  return isStored ? persist(state, stored(kept.answer, 'set_aside', now), now) : { state, effects };
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
    phase.kind === 'refreshing'
      ? [{ type: 'close_attempt', attempt: state.attempt, journal: isInDoubt(state) ? 'keep' : 'empty' }]
      : [];
  const latch = latchIn(phase);
  const stopped = { kind: 'stopped', ...(latch === null ? {} : { latch }) } as const;
  return { state: { ...state, phase: stopped }, effects };
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
  if (state.held === null) delays.push(...keptForMs(state.deliveries, now));
  for (const delayMs of [alertDelayMs(state, now), warningDelayMs(state, now)]) {
    if (delayMs !== null) delays.push(delayMs);
  }
  return Math.min(...delays);
}
