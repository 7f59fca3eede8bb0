/**
 * What a reading of the store says: another login, the same as before, nothing, or something that cannot be understood.
 *
 * Rule: during an attempt only what the attempt itself found counts; it ends the attempt, and the store wins.
 */
import { adopt, asOperatorWishes, breakDown, dueNow, latchOf, planned } from './adoption.ts';
import type { Event, JournalFinding } from './event.ts';
import { closing, refunded } from './failing.ts';
import { unreachable } from './invariants.ts';
import { noted, reconciled, resumed } from './reconcile.ts';
import { refreshEnded, refreshPutOff } from './rejection.ts';
import { after, isInDoubt, storeCheckWaitMs } from './schedule.ts';
import { askPerson, outlived } from './set-aside.ts';
import type { CredentialState, ReauthorizationReason, Step } from './state.ts';
import type { EpochMs, Now } from './token.ts';

type StoreEvent = Extract<Event, { type: 'token_loaded' | 'store_changed' | 'token_missing' | 'state_broken' }>;

export function storeRead(before: CredentialState, event: StoreEvent, now: Now): Step {
  const attempt = event.type === 'token_loaded' ? null : event.attempt;
  if (attempt !== null) return foundByAttempt(before, event, now);
  const kept = 'setAside' in event ? (event.setAside ?? null) : null;
  const state = checked(kept === null ? before : { ...before, setAside: { answer: kept } }, now);
  const journal = 'journal' in event ? (event.journal ?? null) : null;
  if (isBusy(state, journal) || isBehindOurs(state, event)) return { state, effects: [] };
  if (journal === null) return { state: taken(state, event, now), effects: [] };
  return withJournal(
    state.phase.kind === 'refreshing' ? refunded(refreshPutOff(state), now) : state,
    event,
    journal,
    now,
  );
}

/** What an earlier process left goes first: an attempt that waits for that has not sent anything. */
const isBusy = ({ phase }: CredentialState, journal: JournalFinding | null): boolean =>
  phase.kind === 'refreshing' && !(journal !== null && phase.stage === 'recording');

function withJournal(state: CredentialState, event: StoreEvent, journal: JournalFinding, now: Now): Step {
  if (event.type === 'token_loaded' || event.type === 'store_changed') {
    return reconciled(state, event.grant, journal, now);
  }
  const known = noted(state, journal, now);
  // Over nothing the answer is stored; what cannot be understood is left to a person.
  const isEmpty = event.type === 'token_missing' || event.reason === 'store_blanked';
  const step = isEmpty ? resumed(known, journal, now) : null;
  return step ?? { state: taken(known, event, now), effects: [] };
}

/**
 * At its begin an attempt looks before it sends; after a refusal (`invalid_grant`) it looks whether another was faster. Of a
 * store that does not show any more what was sent, the refusal says nothing; what was in doubt stays so.
 */
function foundByAttempt(state: CredentialState, event: StoreEvent, now: Now): Step {
  const { phase } = state;
  const isCurrent = phase.kind === 'refreshing' && event.type !== 'token_loaded' && event.attempt === state.attempt;
  if (!isCurrent || !(phase.stage === 'recording' || phase.stage === 'running')) return { state, effects: [] };
  const open = refreshEnded(asOperatorWishes(state));
  if (phase.stage === 'recording') return { state: taken(open, event, now), effects: [] };
  // What was set aside was sent, and that was refused, whatever the store holds.
  const known = phase.impasse === undefined ? open : outlived(open);
  const next = taken(known, event, now);
  const isOpen = phase.impasse === undefined && isInDoubt(next);
  return { state: next, effects: [closing(state, isOpen ? 'keep' : 'empty')] };
}

function taken(state: CredentialState, event: StoreEvent, now: Now): CredentialState {
  switch (event.type) {
    case 'token_loaded':
    case 'store_changed':
      return adopt(state, event.grant, now);
    case 'token_missing':
      return missing(state, event.detail, now);
    case 'state_broken':
      return breakDown(state, { reason: event.reason, code: event.reason, detail: event.detail }, now);
    default:
      return unreachable(event);
  }
}

/** A store that did not take our answer yet holds what that answer replaces, or nothing: it must not come back from there. */
function isBehindOurs({ unpersisted }: CredentialState, event: StoreEvent): boolean {
  if (unpersisted === null) return false;
  if ('grant' in event) return event.grant.fingerprint === unpersisted.expected;
  return event.type === 'token_missing' || event.reason === 'store_blanked';
}

function missing(before: CredentialState, detail: string, now: Now): CredentialState {
  const { mintsWithoutGrant } = before.policy;
  // What a script makes out of nothing owes nothing to what was refused before.
  const state = { ...refreshEnded(before), refusal: mintsWithoutGrant ? null : before.refusal };
  if (mintsWithoutGrant && state.held === null) {
    return state.phase.kind === 'absent' ? { ...state, phase: planned(state, now) } : state;
  }
  return askPerson({ ...state, grant: null, wanted: null }, { kind: 'absent', detail }, now);
}

/** Only a look that was due starts the interval anew: after the first reading, thousands of stores stay spread over it. */
function checked(state: CredentialState, now: Now): CredentialState {
  if (!state.storeCheckInFlight) return state;
  return { ...state, storeCheckInFlight: false, storeCheckDue: after(now, storeCheckWaitMs(state.policy)) };
}

/** A local obstacle that is gone reopens the credential, unless an answer had closed it before: nothing was sent about it since. */
export function storeUnchanged(before: CredentialState, isUnobstructed: boolean, now: Now): CredentialState {
  const state = checked(before, now);
  const isLocal = state.phase.kind === 'reauthorization_required' && state.phase.local;
  if (!isLocal || !isUnobstructed) return state;
  const refusal = state.refusal?.fingerprint === state.grant ? state.refusal : null;
  return refusal === null ? { ...state, phase: dueNow(now) } : askPerson(state, latchOf(state, refusal, now), now);
}

/**
 * Somebody logged in where the store does not show it (a tool keeps its login elsewhere): what was refused before that is tried
 * again, without a second alert: such a path changes for other reasons too. A change from before the refusal is no news, and one in
 * the future is none of this clock.
 */
export function watchedPathChanged(state: CredentialState, at: EpochMs, now: Now): CredentialState {
  const { phase } = state;
  if (phase.kind !== 'reauthorization_required' || !OPENED_BY_LOGIN.has(phase.reason)) return state;
  const isNews = at > phase.since && at <= now.wallMs;
  return isNews ? { ...state, refusal: null, phase: dueNow(now) } : state;
}

/** What a store holds is another matter: it opens when the store does. */
const OPENED_BY_LOGIN: ReadonlySet<ReauthorizationReason> = new Set(['terminal', 'lost_response', 'config']);
