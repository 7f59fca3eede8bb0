/**
 * What an answer's access token is worth: progress, no progress, or a failure. Its refresh token is safe already.
 *
 * Rule: while a token is usable, an answer that brings nothing better is no failure; it only plans the next look.
 */
import { planned, recovered, takeOver } from './adoption.ts';
import type { Failure } from './failure.ts';
import { expiresAtOf, hold, isExpired, isYetToStart, refreshAtHalfLifeMs } from './schedule.ts';
import type { CredentialState, HeldToken, Phase } from './state.ts';
import type { Grant, Now, Token } from './token.ts';
import { refreshTokenEndOfAnswer, withRefreshTokenEnd } from './warnings.ts';

export type Verdict =
  | { readonly kind: 'progress'; readonly state: CredentialState }
  | { readonly kind: 'no_progress'; readonly state: CredentialState }
  | { readonly kind: 'failure'; readonly state: CredentialState; readonly failure: Failure };

export function conclude(state: CredentialState, grant: Grant, now: Now): Verdict {
  const succeeded: CredentialState = {
    ...withRefreshTokenEnd(state, refreshTokenEndOfAnswer(state, grant, now)),
    account: grant.account ?? state.account,
    lastSucceededAt: now.wallMs,
    refusal: null,
  };
  if (grant.token === null) return noProgress(succeeded, 'no_access_token', now);
  // It comes from a refresh of ours, so it was issued just now, whether it says so or not.
  const token = { ...grant.token, obtainedAt: grant.token.obtainedAt ?? now.wallMs };
  if (isExpired(hold(token, 0, now), now)) return noProgress(succeeded, 'expired_on_arrival', now);
  if (succeeded.held?.token.fingerprint === token.fingerprint && !isExtended(succeeded.held, token)) {
    return noProgress(succeeded, 'same_token', now);
  }
  if (isYetToStart(token, now)) return yetToStart(succeeded, token, now);
  const before = succeeded.held;
  const taken = takeOver({ ...succeeded, doubt: null, notBefore: null }, token, now);
  if (before === null || taken.held === null || hasLaterExpiry(before, token, now)) {
    return { kind: 'progress', state: recovered(taken, planned(taken, now), now) };
  }
  const phase: Phase = { kind: 'fresh', refreshAtLifeLeftMs: refreshAtHalfLifeMs(taken.policy, taken.held, now) };
  return { kind: 'no_progress', state: recovered(taken, phase, now) };
}

const isExtended = (held: HeldToken, token: Token): boolean => {
  const [before, next] = [expiresAtOf(held.token), expiresAtOf(token)];
  return held.token.expiry.kind === 'known' && before !== null && next !== null && next > before;
};

/** A new token counts as moved also when either has no stated end: there is nothing to compare. */
function hasLaterExpiry(before: HeldToken, token: Token, now: Now): boolean {
  if (before.token.expiry.kind !== 'known' || token.expiry.kind !== 'known') return true;
  return isExpired(before, now) || token.expiry.expiresAt > before.token.expiry.expiresAt;
}

/** It takes over when its time comes. Whoever has nothing to serve until then does not wait in silence for a moment that a wrong clock may have put years away. */
function yetToStart(state: CredentialState, token: Token, now: Now): Verdict {
  const waiting: CredentialState = { ...state, incoming: hold(token, state.generation, now), notBefore: null };
  if (isServing(state, now)) {
    return { kind: 'no_progress', state: { ...waiting, phase: { kind: 'fresh', refreshAtLifeLeftMs: 0 } } };
  }
  const waitMs = token.notBefore === null ? 0 : token.notBefore - now.wallMs;
  return waitMs > state.policy.retryIntervalMs
    ? { kind: 'failure', state: waiting, failure: withoutProgress('not_yet_valid') }
    : { kind: 'no_progress', state: { ...waiting, phase: { kind: 'fresh', refreshAtLifeLeftMs: null } } };
}

/** While the token is usable an answer without progress is no failure: again at half the remaining life, and at expiry. */
function noProgress(state: CredentialState, code: string, now: Now): Verdict {
  const { held, policy } = state;
  if (held === null || !isServing(state, now) || state.rejection !== null) {
    return { kind: 'failure', state, failure: withoutProgress(code) };
  }
  const phase: Phase = { kind: 'fresh', refreshAtLifeLeftMs: refreshAtHalfLifeMs(policy, held, now) };
  return { kind: 'no_progress', state: { ...state, phase, failures: 0 } };
}

const isServing = ({ held }: CredentialState, now: Now): boolean => held !== null && !isExpired(held, now);

const withoutProgress = (code: string): Failure => ({
  class: 'transient',
  code,
  doubt: false,
  unsent: false,
  origin: 'server',
  retryAfterMs: null,
  detail: 'the refresh ran, but brought no token that can be used',
});
