/**
 * Taking tokens into hand: from the store when it moved, from an answer when it brought progress.
 *
 * Rule: the store wins over memory, but a refresh token whose successor is recorded here, or another account's, is not a rotation.
 */
import { answerEpisode, endEpisode } from './episode.ts';
import { answered, refreshEnded } from './rejection.ts';
import {
  after,
  expiresAtOf,
  FOREVER_MS,
  hold,
  isExpired,
  isIssuedAhead,
  isYetToStart,
  refreshAtLifeLeftMs,
  refreshes,
  retryPhase,
} from './schedule.ts';
import { askPerson, impasseOf, isToTry, latchIn } from './set-aside.ts';
import type { CredentialState, HeldToken, Latched, Phase, ReauthorizationReason, Refusal } from './state.ts';
import type { Fingerprint, Grant, Now, Token } from './token.ts';
import { REJECTED, refreshTokenEndOfStored, withRefreshTokenEnd } from './warnings.ts';

/** A phase that is due at once; settle decides what may really begin. */
export const dueNow = (now: Now): Phase => ({ kind: 'backing_off', due: now.monotonicMs });

/** What the store holds replaces what we knew of it. */
export function adopt(state: CredentialState, grant: Grant, now: Now): CredentialState {
  const obstacle = obstacleTo(state, grant);
  if (obstacle !== null) {
    return breakDown(state, { reason: 'state_broken', code: obstacle, detail: REFUSALS[obstacle] }, now);
  }
  const refusal = refusalOf(state, grant);
  if (refusal !== null) return refusedAgain(state, refusal, grant, now);
  if (latchIn(state.phase)?.local === true && isSame(state, grant, state.grant))
    return obstructedAgain(state, grant, now);
  const isAnswer = state.phase.kind === 'reauthorization_required' && grant.fingerprint !== state.grant;
  const known: CredentialState = {
    ...withRefreshTokenEnd(isAnswer ? answerEpisode(state) : state, refreshTokenEndOfStored(state, grant, now)),
    superseded: grant.hasRefreshToken ? supersededBy(state, grant.fingerprint) : state.superseded,
    grant: grant.fingerprint,
    account: grant.account ?? state.account,
    refusal: isSame(state, grant, state.refusal?.fingerprint ?? null) ? state.refusal : null,
    doubt: state.doubt?.fingerprint === grant.fingerprint ? state.doubt : null,
  };
  const { token } = grant;
  if (token === null) return withoutAccessToken(known, isOtherLogin(state, grant), now);
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
  return isStale ? { ...taken, phase: planned(taken, now) } : recovered(taken, plannedOfStored(taken, now), now);
}

/** What the store holds from now on. */
export function supersede(state: CredentialState, next: Fingerprint): CredentialState {
  return { ...state, grant: next, superseded: supersededBy(state, next) };
}

/**
 * The former refresh token has a successor now: it is never sent and never adopted again. So has one that is in doubt or was
 * refused, also where its file was removed before the new login came.
 */
function supersededBy(
  { grant, doubt, refusal, policy, superseded }: CredentialState,
  next: Fingerprint,
): readonly Fingerprint[] {
  if (!policy.rotates) return superseded;
  // A server may hand out anew what it had replaced before: then that is what is to be sent.
  const others = superseded.includes(next) ? superseded.filter((each) => each !== next) : superseded;
  const former = [grant, doubt?.fingerprint ?? null, refusal?.fingerprint ?? null].flatMap((each) =>
    each === null || each === next || others.includes(each) ? [] : each,
  );
  return former.length === 0 ? others : [...others, ...new Set(former)].slice(-policy.limits.supersededMax);
}

/** An operator decides whether the login of another account is to be taken over. */
export const asOperatorWishes = (state: CredentialState): CredentialState =>
  state.phase.kind === 'refreshing' && state.phase.reason === 'operator' ? { ...state, account: null } : state;

/** Why a stored grant is not what it seems; null when it may be used. */
export function obstacleTo(state: CredentialState, grant: Grant): 'superseded_grant' | 'account_changed' | null {
  if (grant.hasRefreshToken && grant.fingerprint !== state.grant && state.superseded.includes(grant.fingerprint)) {
    return 'superseded_grant';
  }
  if (state.account !== null && grant.account !== null && grant.account !== state.account) return 'account_changed';
  return null;
}

const REFUSALS = {
  superseded_grant: 'the store holds a refresh token that was already replaced; a backup was restored',
  account_changed: 'the store holds the login of another account; a refresh that an operator asks for takes it over',
};

/** The store cannot be used: no attempts until it holds something else. A token still in hand is served until its expiry. */
export function breakDown(
  state: CredentialState,
  why: { readonly reason: ReauthorizationReason; readonly code: string; readonly detail: string },
  now: Now,
): CredentialState {
  const before = latchIn(state.phase);
  if (before?.reason === why.reason && before.code === why.code) return stillIn(before, state, now);
  const latch: Latched = {
    kind: 'reauthorization_required',
    reason: why.reason,
    code: why.code,
    since: now.wallMs,
    probeDue: null,
    local: false,
  };
  const broken: CredentialState = {
    ...refreshEnded(state),
    wanted: null,
    lastFailure: { class: 'terminal', code: why.code, at: now.wallMs, detail: why.detail },
  };
  return askPerson(broken, latch, now);
}

/** Nothing has changed; but after a restart an answer that was set aside may be at hand, which nobody has tried. */
function stillIn(latch: Latched, state: CredentialState, now: Now): CredentialState {
  const { kind } = state.phase;
  const isTrying = kind === 'backing_off' || kind === 'recovering';
  const isSettled = kind === latch.kind && !isToTry(state, latch);
  return isTrying || isSettled ? state : askPerson(state, latch, now);
}

/** The content that was there before, come back or merely touched. Another access token beside it is news: somebody refreshed. */
const isSame = (state: CredentialState, grant: Grant, fingerprint: Fingerprint | null): boolean =>
  grant.fingerprint === fingerprint && (grant.token === null || grant.token.fingerprint === state.generationOf);

/** Terminal is latched to what was refused: the same content coming back is no reason to try again, whatever the store held meanwhile. */
function refusalOf(state: CredentialState, grant: Grant): Refusal | null {
  const isStuck = impasseOf(state.phase) !== null;
  return isStuck && isSame(state, grant, state.refusal?.fingerprint ?? null) ? state.refusal : null;
}

/** Still refused, in the words of the refusal. Its access token is served for as long as it lasts, also after a restart. */
function refusedAgain(before: CredentialState, refusal: Refusal, grant: Grant, now: Now): CredentialState {
  const state = { ...before, held: heldOf(before, grant, now), grant: grant.fingerprint };
  const latch = latchIn(state.phase);
  return latch?.reason === refusal.reason && latch.code === refusal.code
    ? stillIn(latch, state, now)
    : askPerson(state, latchOf(state, refusal, now), now);
}

/** A person must act, because of what a server said. */
export const latchOf = ({ policy }: CredentialState, { reason, code }: Refusal, now: Now): Latched => ({
  kind: 'reauthorization_required',
  reason,
  code,
  since: now.wallMs,
  probeDue: reason === 'config' ? after(now, policy.limits.probeIntervalMs) : null,
  local: false,
});

/** A local obstacle is looked for again: nothing is sent for that. */
function obstructedAgain(state: CredentialState, grant: Grant, now: Now): CredentialState {
  return { ...state, held: heldOf(state, grant, now), phase: dueNow(now) };
}

const heldOf = ({ held, generation }: CredentialState, { token }: Grant, now: Now): HeldToken | null =>
  held ?? (token === null ? null : holdAgain(token, generation, now));

/** After a restart: the token that was in hand before. It ends no trouble and starts no needless refresh. */
function resumed(state: CredentialState, token: Token, now: Now): CredentialState {
  const dated = { ...token, obtainedAt: token.obtainedAt ?? state.issuedAt };
  const held = { ...state, held: holdAgain(dated, state.generation, now) };
  if (state.failures > 0) return { ...held, phase: retryPhase(held, now) };
  if (state.lastFailure?.class === 'rate_limited') {
    return { ...held, phase: { kind: 'backing_off', due: state.notBefore ?? now.monotonicMs } };
  }
  const isTroubled = state.lastFailure?.class === 'transient' || state.episode?.code === REJECTED;
  const phase = plannedOfStored(held, now);
  return isTroubled || isExpired(held.held, now) ? { ...held, phase } : recovered(held, phase, now);
}

/** Under the generation that is remembered for it. */
const holdAgain = (token: Token, generation: number, now: Now) =>
  ({ ...hold(token, generation, now), isRemembered: true }) as const;

const recoveredUnless = (isStale: boolean, state: CredentialState, now: Now): CredentialState =>
  isStale ? { ...state, phase: planned(state, now) } : recovered(state, plannedOfStored(state, now), now);

/** What never rotates changes by a login alone: a token in hand is that of the former one, however long it would last. */
const isOtherLogin = ({ grant, policy }: CredentialState, { fingerprint }: Grant): boolean =>
  !policy.rotates && grant !== null && grant !== fingerprint;

/** A grant that was never used yet: the first access token has to be fetched. */
function withoutAccessToken(state: CredentialState, isOther: boolean, now: Now): CredentialState {
  if (!refreshes(state.policy))
    return { ...state, phase: { kind: 'absent', detail: 'the store holds no access token' } };
  const isServing = state.held !== null && !isExpired(state.held, now);
  return { ...state, phase: isServing && !isOther ? planned(state, now) : dueNow(now) };
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
  const known = isMoved ? { ...state, held: { ...held, ...hold(found.token, held.generation, now) } } : state;
  return recoveredUnless(known.held === null || isExpired(known.held, now), known, now);
}

/** A new generation, bound to this access token. */
export function takeOver(state: CredentialState, token: Token, now: Now): CredentialState {
  const isKnown = state.generationOf === token.fingerprint;
  const generation = isKnown ? state.generation : Math.max(state.generation + 1, leastGeneration(state, now));
  const held = hold(token, generation, now);
  const issuedAt = token.obtainedAt;
  return answered(
    { ...state, generation, generationOf: token.fingerprint, issuedAt, held, incoming: null },
    generation,
  );
}

/** After a start, memory may be older than what was given out last (a full disk, a power failure); no generation grows as fast as the epoch second. */
const leastGeneration = ({ held }: CredentialState, now: Now): number =>
  held === null || held.isRemembered === true ? Math.floor(now.wallMs / 1000) : 0;

/** The plan for what is held: by lead, or at once where nothing usable is held. */
export function planned(state: CredentialState, now: Now): Phase {
  const { held, policy } = state;
  if (held === null || isExpired(held, now)) {
    if (state.incoming !== null) return { kind: 'fresh', refreshAtLifeLeftMs: null };
    return refreshes(policy)
      ? dueNow(now)
      : { kind: 'absent', detail: 'the token has expired and nothing here may refresh it' };
  }
  return { kind: 'fresh', refreshAtLifeLeftMs: refreshAtLifeLeftMs(policy, held) };
}

/** A stored token from the future says that the clock was stepped back; one refresh brings a token that can be judged (kubelet's rule). */
function plannedOfStored(state: CredentialState, now: Now): Phase {
  const phase = planned(state, now);
  const isPlanned = phase.kind === 'fresh' && phase.refreshAtLifeLeftMs !== null;
  const isSuspect = isPlanned && state.held !== null && isIssuedAhead(state.held.token, now);
  return isSuspect ? { kind: 'fresh', refreshAtLifeLeftMs: FOREVER_MS } : phase;
}

/** A good token is in hand: everything that the last trouble left behind ends here. */
export function recovered(state: CredentialState, phase: Phase, now: Now): CredentialState {
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

/** A token whose time has come takes over. */
export function startIncoming(state: CredentialState, now: Now): CredentialState {
  const { incoming } = state;
  if (incoming === null || isYetToStart(incoming.token, now) || state.phase.kind === 'refreshing') return state;
  const cleared = { ...state, incoming: null };
  if (isExpired(incoming, now)) return { ...cleared, phase: planned(cleared, now) };
  const taken = takeOver(cleared, incoming.token, now);
  return recovered(taken, planned(taken, now), now);
}
