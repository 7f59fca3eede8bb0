/**
 * An attempt, stage by stage: begin, recorded, answered, persisted, closed.
 *
 * Rule: whatever the verdict on the access token, a new refresh token goes to journal and store first; verdicts concern
 * publication and schedule only.
 */
import { adopt, asOperatorWishes, dueNow, obstacleTo, supersede } from './adoption.ts';
import type { AttemptReason } from './effect.ts';
import type { Event } from './event.ts';
import {
  closing,
  doubted,
  failed,
  failPhase,
  leavesDoubt,
  outcomeUnknown,
  type Refreshing,
  refunded,
} from './failing.ts';
import { unreachable } from './invariants.ts';
import { refreshEnded, refreshStarted } from './rejection.ts';
import { after, isFirstGuarded, isInDoubt, refilled } from './schedule.ts';
import { impasseOf, isOverNothing, outlived, setAside } from './set-aside.ts';
import type { CredentialState, Doubt, Step } from './state.ts';
import type { Answer, Grant, Now } from './token.ts';
import { conclude } from './verdict.ts';

/** The phase of the attempt that an event answers, or null when the event is stale. */
function currentAttempt(state: CredentialState, attempt: number): Refreshing | null {
  return state.phase.kind === 'refreshing' && state.attempt === attempt ? state.phase : null;
}

export function begin(state: CredentialState, reason: AttemptReason, now: Now): Step {
  const attempt = state.attempt + 1;
  const bucket = refilled(state, now);
  const impasse = reason === 'set_aside' ? impasseOf(state.phase) : null;
  // The doubt is about what the store holds.
  const isGuarded = impasse === null && isInDoubt(state);
  const isFree = isGuarded && isFirstGuarded(state);
  const attempts = isFree ? bucket.attempts : Math.max(0, bucket.attempts - 1);
  const begun: CredentialState = {
    ...state,
    attempt,
    phase: {
      kind: 'refreshing',
      stage: 'recording',
      reason,
      deadline: after(now, state.policy.limits.effectTimeoutMs),
      answer: null,
      guard: isFree ? 'first' : isGuarded ? 'later' : 'none',
      ...(impasse === null ? {} : { impasse }),
    },
    lastBegan: now.monotonicMs,
    lastBeganAt: now.wallMs,
    lastReason: reason,
    // An attempt that an empty budget was made to give uses up what was on its way.
    bucket: { attempts, refilledAt: bucket.attempts === 0 && !isFree ? now.monotonicMs : bucket.refilledAt },
    wanted: null,
    rejection: refreshStarted(state.rejection),
  };
  const given = impasse === null ? null : (state.setAside?.answer ?? null);
  const expected = impasse !== null && isOverNothing(impasse) ? null : state.grant;
  const effect = { type: 'begin_attempt', attempt, reason, expected, guarded: isGuarded, setAside: given } as const;
  return { state: begun, effects: [effect] };
}

/** The journal names the attempt: only now may anything be sent. */
function recorded(before: CredentialState, found: Refreshing, isAfterOrphan: boolean, now: Now): Step {
  // The orphan has not moved for a minute, so this send need not wait; but what its refusal means has changed.
  const isDoubtful = isAfterOrphan && found.impasse === undefined && leavesDoubt(before);
  const state = isDoubtful ? doubted(before, now) : before;
  const phase = isDoubtful && found.guard === 'none' ? { ...found, guard: 'later' as const } : found;
  const { refreshTimeoutMs, killGraceMs, limits } = state.policy;
  const deadline = after(now, refreshTimeoutMs + killGraceMs + limits.resultSlackMs);
  return {
    state: {
      ...state,
      phase: { ...phase, stage: 'running', deadline },
      doubt: phase.guard === 'none' ? state.doubt : sentAgain(state.doubt),
      lastBegan: now.monotonicMs,
      lastBeganAt: now.wallMs,
    },
    effects: [{ type: 'run_refresh', attempt: state.attempt, reason: phase.reason }],
  };
}

/** Counted when it is sent: whatever becomes of it, it was not the first any more. */
function sentAgain(doubt: Doubt | null): Doubt | null {
  return doubt === null ? null : { ...doubt, sends: Math.min(DOUBT_SENDS_MAX, doubt.sends + 1) };
}

/** First or not is all that matters. */
const DOUBT_SENDS_MAX = 2;

function succeeded(state: CredentialState, phase: Refreshing, answer: Answer, now: Now): Step {
  if (answer.response === null) return storedByTool(state, phase, answer, now);
  const deadline = after(now, state.policy.limits.effectTimeoutMs);
  return {
    state: { ...state, phase: { ...phase, stage: 'recording_answer', deadline, answer } },
    effects: [{ type: 'record_answer', attempt: state.attempt, answer }],
  };
}

/** Where the tool writes the store, its answer is what the store shows; and that may be a backup, or another login, of that very moment. */
function storedByTool(state: CredentialState, phase: Refreshing, answer: Answer, now: Now): Step {
  const { grant } = answer;
  if (obstacleTo(asOperatorWishes(state), grant) === null) {
    return concludeAttempt(supersede(state, grant.fingerprint), phase, answer, 'empty', now);
  }
  const closed: CredentialState = { ...refreshEnded(state), phase: dueNow(now) };
  return { state: adopt(closed, grant, now), effects: [closing(state, 'empty')] };
}

/** The journal holds the answer, or could not take it: either way the store is next. */
export function persist(state: CredentialState, phase: Refreshing, now: Now): Step {
  if (phase.answer === null) return { state, effects: [] };
  const deadline = after(now, state.policy.limits.effectTimeoutMs);
  return {
    state: { ...state, phase: { ...phase, stage: 'persisting', deadline } },
    effects: [{ type: 'persist_token', attempt: state.attempt, answer: phase.answer, expected: state.grant }],
  };
}

function persisted(state: CredentialState, phase: Refreshing, now: Now): Step {
  if (phase.answer === null) return { state, effects: [] };
  const stored = outlived(supersede(state, phase.answer.grant.fingerprint));
  return concludeAttempt(stored, phase, phase.answer, 'empty', now);
}

export function persistFailed(
  state: CredentialState,
  phase: Refreshing,
  event: { readonly code: string; readonly winner: Grant | null },
  now: Now,
): Step {
  if (phase.answer === null) return { state, effects: [] };
  if (event.winner !== null) return lostToWinner(state, { answer: phase.answer, winner: event.winner }, now);
  const unpersisted = {
    attempt: state.attempt,
    answer: phase.answer,
    expected: state.grant,
    failures: 1,
    code: event.code,
    inFlight: false,
    retryDue: after(now, state.policy.limits.deliveryRetryMs),
  };
  return concludeAttempt({ ...state, unpersisted }, phase, phase.answer, 'keep', now);
}

/** The fenced commit met another writer: what the store holds is what counts; our answer is set aside. */
function lostToWinner(
  state: CredentialState,
  { answer, winner }: { readonly answer: Answer; readonly winner: Grant },
  now: Now,
): Step {
  const kept = setAside(state, answer, winner);
  const closed: CredentialState = { ...refreshEnded(kept), phase: dueNow(now) };
  return { state: adopt(closed, winner, now), effects: [closing(state, kept === state ? 'empty' : 'set_aside')] };
}

function concludeAttempt(
  state: CredentialState,
  phase: Refreshing,
  answer: Answer,
  journal: 'empty' | 'keep',
  now: Now,
): Step {
  const verdict = conclude(state, answer.grant, now);
  const refund = verdict.kind === 'progress' && phase.reason !== 'rejection' && phase.guard !== 'first';
  const effects = [closing(state, journal)];
  switch (verdict.kind) {
    case 'progress':
      return { state: refund ? refunded(verdict.state, now) : verdict.state, effects };
    case 'no_progress':
      return { state: refreshEnded({ ...verdict.state, doubt: null }), effects };
    case 'failure':
      return { state: failPhase({ ...verdict.state, doubt: null }, verdict.failure, now), effects };
    default:
      return unreachable(verdict);
  }
}

/** Results of an attempt, once they are known to be of the current one and of the stage it is in. */
export function applyResult(state: CredentialState, event: Event & { readonly attempt: number }, now: Now): Step {
  const phase = currentAttempt(state, event.attempt);
  const unchanged: Step = { state, effects: [] };
  if (phase === null) return unchanged;
  switch (event.type) {
    case 'attempt_recorded':
      return phase.stage === 'recording' ? recorded(state, phase, event.afterOrphan === true, now) : unchanged;
    case 'refresh_succeeded':
      return phase.stage === 'running' ? succeeded(state, phase, event.answer, now) : unchanged;
    case 'refresh_failed':
      return phase.stage === 'recording' || phase.stage === 'running'
        ? failed(state, phase, event.failure, now)
        : unchanged;
    case 'refresh_outcome_unknown':
      return phase.stage === 'running' ? outcomeUnknown(state, phase, now) : unchanged;
    case 'answer_recorded':
    case 'answer_record_failed':
      return phase.stage === 'recording_answer' ? persist(state, phase, now) : unchanged;
    case 'persist_succeeded':
      return phase.stage === 'persisting' ? persisted(state, phase, now) : unchanged;
    case 'persist_failed':
      return phase.stage === 'persisting' ? persistFailed(state, phase, event, now) : unchanged;
    default:
      return unchanged;
  }
}
