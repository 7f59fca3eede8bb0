/**
 * What each way of failing means for the schedule.
 *
 * Rule: the class decides the wait; doubt is another fact. It decides how the journal is left, how soon the first send after it
 * follows, and what a refusal then means.
 */

import { raise } from './alert-ledger.ts';
import type { Effect } from './effect.ts';
import { beginEpisode } from './episode.ts';
import type { Failure } from './failure.ts';
import { unreachable } from './invariants.ts';
import { refreshEnded, refreshPutOff } from './rejection.ts';
import { after, isExpired, isInDoubt, laterOf, refilled, refreshes, retryPhase, wallOf } from './schedule.ts';
import { askPerson, outlived } from './set-aside.ts';
import type { CredentialState, Impasse, Latched, Phase, Refusal, Step } from './state.ts';
import type { Fingerprint, Now } from './token.ts';

type CloseAttempt = Extract<Effect, { type: 'close_attempt' }>;
export type Refreshing = Extract<Phase, { kind: 'refreshing' }>;

/** Nothing was sent and nobody is to blame: not counted, tried again at the floor. */
const UNCOUNTED_CODES: ReadonlySet<string> = new Set(['store_busy', 'journal_failed', 'left_run_alive']);

/** Does a failure with this code only put the attempt off to the next floor? */
export const isPutOff = (code: string): boolean => UNCOUNTED_CODES.has(code);

export function failed(state: CredentialState, phase: Refreshing, failure: Failure, now: Now): Step {
  if (phase.impasse !== undefined) return triedInVain(state, { ...phase, impasse: phase.impasse }, failure, now);
  const isDoubtful = failure.doubt && leavesDoubt(state);
  const next = failPhase(isDoubtful ? doubted(state, now) : state, failure, now);
  const isOpen = isInDoubt(next) && !isRefused(next);
  return { state: next, effects: phase.stage === 'recording' ? [] : [closing(state, isOpen ? 'keep' : 'empty')] };
}

/** What was set aside did not help, and was sent or refused: now a person is asked. What was surely not spent is tried again. */
function triedInVain(
  state: CredentialState,
  phase: Refreshing & { readonly impasse: Impasse },
  failure: Failure,
  now: Now,
): Step {
  const { impasse, stage } = phase;
  const effects = stage === 'recording' ? [] : [closing(state, 'empty')];
  const isUnspent = failure.unsent || failure.class === 'rate_limited' || failure.class === 'config';
  if (isUnspent && failure.class !== 'terminal') {
    const next = failPhase(state, failure, now);
    const waits = next.phase.kind === 'backing_off' || next.phase.kind === 'recovering';
    return { state: waits ? { ...next, phase: { ...next.phase, impasse } } : next, effects };
  }
  return { state: askPerson(refreshEnded(outlived(state)), impasse, now), effects };
}

/** An answer came that leaves nothing to find out. */
const isRefused = ({ phase }: CredentialState): boolean =>
  phase.kind === 'reauthorization_required' && (phase.reason === 'lost_response' || phase.reason === 'terminal');

/** Nothing came at all. What still runs is ended; the outcome is in doubt. */
export function outcomeUnknown(state: CredentialState, phase: Refreshing, now: Now): Step {
  const step = failed(state, phase, OUTCOME_UNKNOWN, now);
  return { state: step.state, effects: [{ type: 'cancel_refresh', attempt: state.attempt }, ...step.effects] };
}

const OUTCOME_UNKNOWN: Failure = {
  class: 'transient',
  code: 'outcome_unknown',
  doubt: true,
  unsent: false,
  origin: 'local',
  retryAfterMs: null,
  detail: 'no result came back from the refresh',
};

/** Refresh tokens are single use, and freshd or its script sends them. */
export const leavesDoubt = ({ policy }: CredentialState): boolean =>
  policy.rotates && !policy.resultInStore && refreshes(policy);

export function doubted(state: CredentialState, now: Now): CredentialState {
  if (state.grant === null) return state;
  const same = isInDoubt(state) ? state.doubt : null;
  const settlesAt = after(now, state.policy.settleMs);
  const { grant: fingerprint } = state;
  return { ...state, doubt: { fingerprint, since: same?.since ?? now.wallMs, sends: same?.sends ?? 0, settlesAt } };
}

/** The one switch over failure classes. */
export function failPhase(before: CredentialState, given: Failure, now: Now): CredentialState {
  if (isClockToBlame(before, given)) {
    const blamed = { ...before, clockBlamedFor: before.grant };
    const told = raise(blamed, 'clock_skew', now, { code: given.code });
    return failPhase(told, { ...given, class: 'transient' }, now);
  }
  const failure = meant(before, given);
  if (isFruitlessProbe(before, failure)) return latchedOn(before, failure, now);
  const noted = withLastFailure(before, failure, now);
  if (isUncounted(noted, failure, now)) {
    return waiting(refunded(refreshPutOff(noted), now), after(now, noted.policy.minRefreshIntervalMs));
  }
  const state = refreshEnded(noted);
  switch (failure.class) {
    case 'transient':
    case 'not_auth':
      return counted(heldBack(state, failure.retryAfterMs, now), failure, now);
    case 'rate_limited':
      return rateLimited(state, failure, now);
    case 'terminal':
      return requireReauthorization(state, { reason: reasonOf(failure), code: failure.code, failure }, now);
    case 'config':
      return requireReauthorization(state, { reason: 'config', code: failure.code, failure }, now);
    default:
      return unreachable(failure.class);
  }
}

/** What is refused after an answer was lost was spent by us: its successor went down with that answer. */
function meant(state: CredentialState, failure: Failure): Failure {
  const isLoss = failure.class === 'terminal' && !failure.unsent && isInDoubt(state);
  return isLoss ? { ...failure, code: LOST_RESPONSE } : failure;
}

const LOST_RESPONSE = 'lost_response';

const reasonOf = ({ code }: Failure): Why['reason'] => (code === LOST_RESPONSE ? LOST_RESPONSE : 'terminal');

/** With clocks apart a sound grant can be refused: it seems to come from the future, or to be over. Once, not for ever. */
function isClockToBlame({ grant, clockBlamedFor }: CredentialState, failure: Failure): boolean {
  return failure.class === 'terminal' && failure.clockSkewMs !== undefined && clockBlamedFor !== grant;
}

function withLastFailure(state: CredentialState, failure: Failure, now: Now): CredentialState {
  const lastFailure = { class: failure.class, code: failure.code, at: now.wallMs, detail: failure.detail };
  return { ...state, lastFailure };
}

/** The server has not judged its configuration, so nothing is known that was not known before. */
function isFruitlessProbe({ phase }: CredentialState, failure: Failure): boolean {
  const isJudged = failure.class === 'config' || failure.class === 'terminal';
  return phase.kind === 'refreshing' && phase.reason === 'probe' && !isJudged;
}

/** The latch stays; what was not even sent is tried again sooner. */
function latchedOn(state: CredentialState, failure: Failure, now: Now): CredentialState {
  const { limits, activeRecoveryIntervalMs } = state.policy;
  const phase: Phase = {
    kind: 'reauthorization_required',
    reason: 'config',
    code: state.lastFailure?.code ?? failure.code,
    since: state.episode?.startedAt ?? now.wallMs,
    probeDue: after(now, failure.unsent ? activeRecoveryIntervalMs : limits.probeIntervalMs),
    local: false,
  };
  return refreshEnded({ ...state, phase });
}

function isUncounted(state: CredentialState, failure: Failure, now: Now): boolean {
  // Ended by our own stop: that says nothing about the credential.
  if (state.stopping && failure.code === 'cancelled') return true;
  if (!failure.unsent || failure.class !== 'transient') return false;
  return isPutOff(failure.code) || (state.jumpGraceUntil !== null && now.monotonicMs < state.jumpGraceUntil);
}

function counted(state: CredentialState, failure: Failure, now: Now): CredentialState {
  const failures = Math.min(state.policy.maxRetries + 1, state.failures + 1);
  const open = beginEpisode({ ...state, failures }, failure.code, now);
  return { ...warnedOfWait(open, failure.code, now), phase: retryPhase(open, now) };
}

/** Which of the two waiting phases it is follows from the number of failures. The floor keeps a due moment from lying in the past. */
function waiting(state: CredentialState, due: ReturnType<typeof after>): CredentialState {
  const kind = state.failures > state.policy.maxRetries ? 'recovering' : 'backing_off';
  return { ...state, phase: { kind, due } };
}

function heldBack(state: CredentialState, delayMs: number | null, now: Now): CredentialState {
  if (delayMs === null) return state;
  const until = after(now, Math.min(delayMs, state.policy.limits.retryAfterMaxMs));
  return { ...state, notBefore: state.notBefore === null ? until : laterOf(state.notBefore, until) };
}

function rateLimited(state: CredentialState, failure: Failure, now: Now): CredentialState {
  const { policy } = state;
  const doubledMs = Math.min(policy.activeRecoveryIntervalMs, policy.retryIntervalMs * 2 ** state.rateLimitDoublings);
  const isAtCap = doubledMs >= policy.activeRecoveryIntervalMs;
  const heldUp = heldBack(
    { ...state, rateLimitDoublings: isAtCap ? state.rateLimitDoublings : state.rateLimitDoublings + 1 },
    failure.retryAfterMs ?? doubledMs,
    now,
  );
  const open = beginEpisode(heldUp, failure.code, now);
  // A server that says "at once" does not make us hurry: its wait counts when it is the longer one.
  const { due } = retryPhase(open, now);
  return waiting(warnedOfWait(open, failure.code, now), open.notBefore === null ? due : laterOf(due, open.notBefore));
}

/** The server's wait is honoured past the end of the token, and a person is told until when. */
function warnedOfWait(state: CredentialState, code: string, now: Now): CredentialState {
  const { held, notBefore } = state;
  if (notBefore === null || notBefore <= now.monotonicMs) return state;
  const outlives = held === null || isExpired(held, { ...now, monotonicMs: notBefore });
  return outlives ? raise(state, 'rate_limited_past_expiry', now, { code, until: wallOf(notBefore, now) }) : state;
}

interface Why {
  readonly reason: 'terminal' | 'lost_response' | 'config';
  readonly code: string;
  readonly failure: Failure;
}

function requireReauthorization(state: CredentialState, why: Why, now: Now): CredentialState {
  const isServerConfig = why.reason === 'config' && why.failure.origin === 'server';
  const isLocal = why.reason === 'config' && why.failure.origin === 'local';
  const latch: Latched = {
    kind: 'reauthorization_required',
    reason: why.reason,
    code: why.code,
    since: now.wallMs,
    probeDue: isServerConfig ? after(now, state.policy.limits.probeIntervalMs) : null,
    local: isLocal,
  };
  const refusal = isLocal ? state.refusal : state.grant === null ? null : refusalOf(why, state.grant);
  return askPerson({ ...state, wanted: null, refusal }, latch, now);
}

const refusalOf = ({ reason, code }: Why, fingerprint: Fingerprint): Refusal => ({ fingerprint, reason, code });

export function refunded(state: CredentialState, now: Now): CredentialState {
  // What was not spent is not given back.
  if (state.phase.kind === 'refreshing' && state.phase.guard === 'first') return state;
  const bucket = refilled(state, now);
  const attempts = Math.min(state.policy.limits.attemptBurst, bucket.attempts + 1);
  return { ...state, bucket: { ...bucket, attempts } };
}

export const closing = (state: CredentialState, journal: CloseAttempt['journal']): Effect => ({
  type: 'close_attempt',
  attempt: state.attempt,
  journal,
});
