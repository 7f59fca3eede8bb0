/**
 * Taking tokens into hand: from the store when it moved, from an answer when it brought progress.
 *
 * Rule: the store wins over memory, but a refresh token whose successor is recorded here, or another account's, is not a rotation.
 */
import { beginEpisode, endEpisode } from './episode.ts';
import type { Failure } from './failure.ts';
import { answered } from './rejection.ts';
import {
  expiresAtOf,
  hold,
  isExpired,
  isYetToStart,
  recoveryWaitMs,
  refreshAtHalfLifeMs,
  refreshAtLifeLeftMs,
  refreshes,
  retryWaitMs,
} from './schedule.ts';
import type { CredentialState, HeldToken, Phase, ReauthorizationReason } from './state.ts';
import type { Fingerprint, Grant, Now, Token } from './token.ts';
import { monotonicMs } from './token.ts';

/** A phase that is due at once; settle decides what may really begin. */
export const dueNow = (now: Now): Phase => ({ kind: 'backing_off', due: now.monotonicMs });

/** What the store holds replaces what we knew of it. */
export function adopt(state: CredentialState, grant: Grant, now: Now): CredentialState {
  const obstacle = obstacleTo(state, grant);
  if (obstacle !== null) {
    return breakDown(state, { reason: 'state_broken', code: obstacle, detail: REFUSALS[obstacle] }, now);
  }
  if (isLatchedTo(state, grant)) return latchedAgain(state, grant, now);
  const known: CredentialState = {
    ...state,
    superseded: grant.hasRefreshToken ? supersededBy(state, grant.fingerprint) : state.superseded,
    grant: grant.fingerprint,
    account: grant.account ?? state.account,
    refreshTokenExpiresAt: grant.refreshTokenExpiresAt,
    refreshTokenWarnings: grant.refreshTokenExpiresAt === state.refreshTokenExpiresAt ? state.refreshTokenWarnings : 0,
    doubt: state.doubt?.fingerprint === grant.fingerprint ? state.doubt : null,
  };
  const { token } = grant;
  if (token === null) return withoutAccessToken(known, now);
  if (known.held === null && known.generationOf === token.fingerprint) return resumed(known, token, now);
  if (known.held?.token.fingerprint === token.fingerprint) {
    return sameToken(known, { token, isNewGrant: grant.fingerprint !== state.grant }, now);
  }
  return otherToken(known, token, now);
}

function otherToken(state: CredentialState, token: Token, now: Now): CredentialState {
  if (isYetToStart(token, now)) {
    const waiting = { ...state, incoming: hold(token, state.generation, now) };
    return { ...waiting, phase: planned(waiting, now) };
  }
  const isStale = isExpired(hold(token, 0, now), now);
  const isServing = state.held !== null && !isExpired(state.held, now);
  if (isStale && isServing) return { ...state, phase: planned(state, now) };
  const taken = takeOver(state, token, now);
  return isStale ? { ...taken, phase: planned(taken, now) } : recovered(taken, planned(taken, now), now);
}

/** The former refresh token has a successor now: it is never sent and never adopted again. */
export function supersededBy(state: CredentialState, next: Fingerprint): readonly Fingerprint[] {
  const { grant, policy, superseded } = state;
  if (!policy.rotates || grant === null || grant === next || superseded.includes(grant)) return superseded;
  return [...superseded, grant].slice(-policy.limits.supersededMax);
}

/** Why a stored grant is not what it seems; null when it may be used. */
function obstacleTo(state: CredentialState, grant: Grant): 'superseded_grant' | 'account_changed' | null {
  if (grant.hasRefreshToken && grant.fingerprint !== state.grant && state.superseded.includes(grant.fingerprint)) {
    return 'superseded_grant';
  }
  if (state.account !== null && grant.account !== null && grant.account !== state.account) return 'account_changed';
  return null;
}

const REFUSALS = {
  superseded_grant: 'the store holds a refresh token that was already replaced; a backup was restored',
  account_changed: 'the store holds the login of another account',
};

/** The store cannot be used: no attempts until it holds something else. A token still in hand is served until its expiry. */
export function breakDown(
  state: CredentialState,
  why: { readonly reason: ReauthorizationReason; readonly code: string; readonly detail: string },
  now: Now,
): CredentialState {
  const { phase } = state;
  const isSame = phase.kind === 'reauthorization_required' && phase.reason === why.reason && phase.code === why.code;
  if (isSame) return state;
  const broken: CredentialState = {
    ...state,
    wanted: null,
    phase: {
      kind: 'reauthorization_required',
      reason: why.reason,
      code: why.code,
      since: now.wallMs,
      latchedTo: phase.kind === 'reauthorization_required' ? phase.latchedTo : null,
      probeDue: null,
      local: false,
    },
    lastFailure: { class: 'terminal', code: why.code, at: now.wallMs, detail: why.detail },
  };
  return beginEpisode(broken, why.code, now);
}

/** Terminal is latched to what was refused: the same content coming back is no reason to try again. */
function isLatchedTo(state: CredentialState, grant: Grant): boolean {
  const { phase } = state;
  if (phase.kind !== 'reauthorization_required' || phase.latchedTo === null || phase.local) return false;
  const isKnownToken = grant.token === null || grant.token.fingerprint === state.generationOf;
  return phase.latchedTo === grant.fingerprint && isKnownToken;
}

/** Still refused. Its access token is served for as long as it lasts, also after a restart. */
function latchedAgain(state: CredentialState, grant: Grant, now: Now): CredentialState {
  const { phase } = state;
  if (phase.kind !== 'reauthorization_required') return state;
  const wasSpoiled = phase.reason === 'store_blanked' || phase.reason === 'state_broken';
  const held = state.held ?? (grant.token === null ? null : hold(grant.token, state.generation, now));
  return {
    ...state,
    held,
    grant: grant.fingerprint,
    phase: wasSpoiled ? { ...phase, reason: 'terminal', code: 'refused_before' } : phase,
  };
}

/** After a restart: the token that was in hand before. It ends no trouble and starts no needless refresh. */
function resumed(state: CredentialState, token: Token, now: Now): CredentialState {
  const held = { ...state, held: hold(token, state.generation, now) };
  if (state.failures === 0) return recoveredUnless(isExpired(held.held, now), held, now);
  const isRecovering = state.failures > state.policy.maxRetries;
  const waitMs = isRecovering ? recoveryWaitMs(held, now) : retryWaitMs(held, now);
  const due = monotonicMs((state.lastBegan ?? now.monotonicMs) + waitMs);
  return { ...held, phase: { kind: isRecovering ? 'recovering' : 'backing_off', due } };
}

const recoveredUnless = (isStale: boolean, state: CredentialState, now: Now): CredentialState =>
  isStale ? { ...state, phase: planned(state, now) } : recovered(state, planned(state, now), now);

/** A grant that was never used yet: the first access token has to be fetched. */
function withoutAccessToken(state: CredentialState, now: Now): CredentialState {
  if (!refreshes(state.policy))
    return { ...state, phase: { kind: 'absent', detail: 'the store holds no access token' } };
  return { ...state, phase: state.held !== null && !isExpired(state.held, now) ? planned(state, now) : dueNow(now) };
}

/** The same access token. A moved expiry, another refresh token or the end of a trouble makes a new plan; a mere touch of the file does not. */
function sameToken(
  state: CredentialState,
  found: { readonly token: Token; readonly isNewGrant: boolean },
  now: Now,
): CredentialState {
  const { held, phase } = state;
  if (held === null) return state;
  const isMoved = expiresAtOf(found.token) !== expiresAtOf(held.token);
  const isDown = phase.kind === 'reauthorization_required' || phase.kind === 'absent';
  if (!isMoved && !isDown && !found.isNewGrant && phase.kind !== 'refreshing') return state;
  const known = isMoved ? { ...state, held: hold(found.token, held.generation, now) } : state;
  return recoveredUnless(known.held === null || isExpired(known.held, now), known, now);
}

/** A new generation, bound to this access token. */
function takeOver(state: CredentialState, token: Token, now: Now): CredentialState {
  const generation = state.generationOf === token.fingerprint ? state.generation : state.generation + 1;
  const held = hold(token, generation, now);
  return answered({ ...state, generation, generationOf: token.fingerprint, held, incoming: null }, generation);
}

/** The plan for what is held: by lead, or at once where nothing usable is held. */
export function planned(state: CredentialState, now: Now): Phase {
  const { held, policy } = state;
  if (held === null || isExpired(held, now)) {
    if (state.incoming !== null) return { kind: 'fresh', refreshAtLifeLeftMs: null };
    return refreshes(policy)
      ? dueNow(now)
      : { kind: 'absent', detail: 'the token has expired and nothing here may refresh it' };
  }
  return { kind: 'fresh', refreshAtLifeLeftMs: refreshAtLifeLeftMs(policy, held, now) };
}

/** A good token is in hand: everything that the last trouble left behind ends here. */
function recovered(state: CredentialState, phase: Phase, now: Now): CredentialState {
  const calm: CredentialState = {
    ...state,
    phase,
    failures: 0,
    lastFailure: null,
    rateLimitDoublings: 0,
    jumpGraceUntil: null,
    wanted: null,
  };
  return endEpisode(calm, now);
}

export type Verdict =
  | { readonly kind: 'progress'; readonly state: CredentialState }
  | { readonly kind: 'no_progress'; readonly state: CredentialState }
  | { readonly kind: 'failure'; readonly failure: Failure };

/** Judges the access token of an answer; its refresh token is safe already. */
export function conclude(state: CredentialState, grant: Grant, now: Now): Verdict {
  const succeeded: CredentialState = {
    ...state,
    account: grant.account ?? state.account,
    refreshTokenExpiresAt: grant.refreshTokenExpiresAt ?? state.refreshTokenExpiresAt,
    lastSucceededAt: now.wallMs,
  };
  const { token } = grant;
  if (token === null) return noProgress(succeeded, 'no_access_token', now);
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

function yetToStart(state: CredentialState, token: Token, now: Now): Verdict {
  const incoming = hold(token, state.generation, now);
  const isServing = state.held !== null && !isExpired(state.held, now);
  // At the expiry of the old token at the latest somebody must look again, should the new one still not have begun.
  const phase: Phase = { kind: 'fresh', refreshAtLifeLeftMs: isServing ? 0 : null };
  return { kind: 'no_progress', state: { ...state, incoming, phase, notBefore: null } };
}

/** While the token is usable an answer without progress is no failure: again at half the remaining life, and at expiry. */
function noProgress(state: CredentialState, code: string, now: Now): Verdict {
  const { held, policy } = state;
  const isServing = held !== null && !isExpired(held, now) && state.rejection === null;
  if (!isServing) return { kind: 'failure', failure: withoutProgress(code) };
  const phase: Phase = { kind: 'fresh', refreshAtLifeLeftMs: refreshAtHalfLifeMs(policy, held, now) };
  return { kind: 'no_progress', state: { ...state, phase, failures: 0 } };
}

const withoutProgress = (code: string): Failure => ({
  class: 'transient',
  code,
  doubt: false,
  unsent: false,
  origin: 'server',
  retryAfterMs: null,
  detail: 'the refresh ran, but brought no token that can be used',
});

/** A token whose time has come takes over. */
export function startIncoming(state: CredentialState, now: Now): CredentialState {
  const { incoming } = state;
  if (incoming === null || isYetToStart(incoming.token, now) || state.phase.kind === 'refreshing') return state;
  const cleared = { ...state, incoming: null };
  if (isExpired(incoming, now)) return { ...cleared, phase: planned(cleared, now) };
  const taken = takeOver(cleared, incoming.token, now);
  return recovered(taken, planned(taken, now), now);
}
