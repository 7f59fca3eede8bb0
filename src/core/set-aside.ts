/**
 * The answer that a store did not take because it had changed: kept in the journal, and tried once before a person is asked.
 *
 * Rule: it never takes the place of a grant that may be good. Over a store that holds nothing it is stored; beside a grant
 * that was refused its refresh token is sent, and only what that brings is stored. Whatever was sent of it is never sent again.
 */
import { beginEpisode } from './episode.ts';
import { hold, isExpired, refreshes } from './schedule.ts';
import type { CredentialState, Impasse, Latched, Phase, SetAside } from './state.ts';
import type { Answer, Fingerprint, Grant, Now } from './token.ts';

/** Keeps the answer, if it may be of use once what the store holds is not. */
export function setAside(state: CredentialState, answer: Answer, winner: Grant): CredentialState {
  const { fingerprint, hasRefreshToken } = answer.grant;
  const isNews = hasRefreshToken && fingerprint !== state.grant && fingerprint !== winner.fingerprint;
  const isUseful = isNews && state.policy.rotates && answer.response !== null && isOfAccount(answer, winner.account);
  return isUseful ? { ...state, setAside: { answer } } : state;
}

/** It is of no use any more: a later one is stored, it was sent, the store holds it, or the store is another's now. */
export function isForgettable(state: CredentialState, { answer }: SetAside): boolean {
  const { fingerprint } = answer.grant;
  return (
    fingerprint === state.grant ||
    state.superseded.includes(fingerprint) ||
    fingerprint === state.doubt?.fingerprint ||
    !state.policy.rotates ||
    !isOfAccount(answer, state.account)
  );
}

const isOfAccount = ({ grant }: Answer, account: string | null): boolean =>
  account === null || grant.account === null || grant.account === account;

/** Nothing here helps any more: a person is asked, unless an answer that was set aside is still to be tried. */
export function askPerson(state: CredentialState, impasse: Impasse, now: Now): CredentialState {
  if (isToTry(state, impasse)) return { ...state, phase: { kind: 'backing_off', due: now.monotonicMs, impasse } };
  const stuck: CredentialState = { ...state, phase: impasse };
  if (impasse.kind === 'reauthorization_required') return beginEpisode(stuck, impasse.code, now);
  return state.policy.optional ? stuck : beginEpisode(stuck, 'token_missing', now);
}

export function isToTry(state: CredentialState, impasse: Impasse): boolean {
  const kept = state.setAside;
  if (kept === null || state.unpersisted !== null || !refreshes(state.policy) || isForgettable(state, kept))
    return false;
  if (isOverNothing(impasse)) return true;
  const isRefused = impasse.kind === 'reauthorization_required' && REFUSALS.has(impasse.reason);
  // A script that looks into the store itself would send what was refused.
  return isRefused && state.policy.takesTokens;
}

const REFUSALS: ReadonlySet<Latched['reason']> = new Set(['terminal', 'lost_response']);

/** The store holds nothing: there is nothing that could be lost by storing it. */
export const isOverNothing = (impasse: Impasse): boolean =>
  impasse.kind === 'absent' || impasse.reason === 'store_blanked';

/** Is it stored as it is, without anything being sent? */
export function isToStore(state: CredentialState, impasse: Impasse, now: Now): boolean {
  const token = state.setAside?.answer.grant.token ?? null;
  const isGood = token !== null && !isExpired(hold(token, 0, now), now);
  return isOverNothing(impasse) && (isGood || !state.policy.takesTokens);
}

/** What the credential waits in until it is known whether that answer helps. */
export function impasseOf(phase: Phase): Impasse | null {
  switch (phase.kind) {
    case 'reauthorization_required':
    case 'absent':
      return phase;
    case 'backing_off':
    case 'recovering':
    case 'refreshing':
      return phase.impasse ?? null;
    default:
      return null;
  }
}

/** The latch, also while an answer that was set aside is tried first. */
export function latchIn(phase: Phase): Latched | null {
  const impasse = phase.kind === 'stopped' ? (phase.latch ?? null) : impasseOf(phase);
  return impasse?.kind === 'reauthorization_required' ? impasse : null;
}

/** It was sent: never again, whatever came of it. */
export function spent(state: CredentialState, fingerprint: Fingerprint): CredentialState {
  const others = state.superseded.filter((each) => each !== fingerprint);
  return { ...state, superseded: [...others, fingerprint].slice(-state.policy.limits.supersededMax) };
}

/** What the store holds now is later than what was set aside, or is that itself. */
export function outlived(state: CredentialState): CredentialState {
  const fingerprint = state.setAside?.answer.grant.fingerprint ?? null;
  return fingerprint === null || fingerprint === state.grant ? state : spent(state, fingerprint);
}
