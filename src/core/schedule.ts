/**
 * When: how much life is left, when the next refresh, retry or recovery is due, and what holds an attempt back.
 *
 * Rule: expiry is judged by both clocks and the stricter one wins; retry, floor and budget are monotonic. Pure arithmetic; no decision about phases.
 */
import type { Policy } from './policy.ts';
import type { CredentialState, Doubt, HeldToken, Phase } from './state.ts';
import type { EpochMs, MonotonicMs, Now, Token } from './token.ts';
import { epochMs, monotonicMs } from './token.ts';

/** Larger than any delay, and still exact. */
export const FOREVER_MS = Number.MAX_SAFE_INTEGER;

/** A clock this far behind the issue time of a token was stepped back: its reading of the expiry is not trusted. */
const ISSUED_AHEAD_MS = 5 * 60_000;

export const after = (now: Now, delayMs: number): MonotonicMs => monotonicMs(now.monotonicMs + delayMs);

export const laterOf = (a: MonotonicMs, b: MonotonicMs): MonotonicMs => (a > b ? a : b);

/** Can anybody here obtain a new token for this credential? */
export const refreshes = (policy: Policy): boolean => policy.method === 'script' || policy.method === 'oauth';

export function expiresAtOf(token: Token): EpochMs | null {
  return token.expiry.kind === 'never' ? null : token.expiry.expiresAt;
}

/** Takes a token into hand at `now`; from here on its life is counted on both clocks. */
export function hold(token: Token, generation: number, now: Now): HeldToken {
  const expiresAt = expiresAtOf(token);
  return { token, generation, receivedAt: now, lifeAtReceiptMs: expiresAt === null ? null : expiresAt - now.wallMs };
}

/** Life left by the stricter of the two clocks; null when nothing limits it. Assumed expiries count here too: they plan. */
export function lifeLeftMs(held: HeldToken, now: Now): number | null {
  const expiresAt = expiresAtOf(held.token);
  if (expiresAt === null || held.lifeAtReceiptMs === null) return null;
  const byWall = expiresAt - now.wallMs;
  const byMonotonic = held.lifeAtReceiptMs - (now.monotonicMs - held.receivedAt.monotonicMs);
  return Math.min(byWall, byMonotonic);
}

/** Expired for certain: an assumed expiry never is. */
export function isExpired(held: HeldToken, now: Now): boolean {
  const left = lifeLeftMs(held, now);
  return held.token.expiry.kind === 'known' && left !== null && left <= 0;
}

export const isYetToStart = (token: Token, now: Now): boolean =>
  token.notBefore !== null && token.notBefore > now.wallMs;

/** Issued in the future of this clock, by more than clocks differ. */
export const isIssuedAhead = (token: Token, now: Now): boolean =>
  token.obtainedAt !== null && token.obtainedAt > now.wallMs + ISSUED_AHEAD_MS;

/** Whole life of the token where its issue time is known. */
function lifeMs(token: Token): number | null {
  const expiresAt = expiresAtOf(token);
  return expiresAt === null || token.obtainedAt === null ? null : expiresAt - token.obtainedAt;
}

/**
 * A number in [0, 1) that depends only on its arguments, so that a replay gives the same schedule.
 * The mixing steps are those of a 32-bit finalizer: neighbouring inputs give unrelated outputs.
 */
export function jitter(seed: number, n: number): number {
  let h = (seed ^ Math.imul(n | 0, 0x9e3779b1)) >>> 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b) >>> 0;
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35) >>> 0;
  return ((h ^ (h >>> 16)) >>> 0) / 0x1_0000_0000;
}

export interface Lead {
  readonly marginMs: number;
  readonly jitterMs: number;
}

/** How long before expiry the refresh is due: the margin, capped by a third of the life, plus jitter that only makes it earlier. */
export function leadOf(policy: Policy, held: HeldToken): Lead {
  const life = lifeMs(held.token);
  const marginMs = life === null ? policy.refreshMarginMs : Math.max(0, Math.min(policy.refreshMarginMs, life / 3));
  const jitterMs = (marginMs * policy.jitterPercent * jitter(policy.jitterSeed, held.generation)) / 100;
  return { marginMs, jitterMs };
}

const leadMs = (policy: Policy, held: HeldToken): number => {
  const { marginMs, jitterMs } = leadOf(policy, held);
  return marginMs + jitterMs;
};

/** Life left at which the refresh of a token just received is due; null: never. */
export function refreshAtLifeLeftMs(policy: Policy, held: HeldToken): number | null {
  if (!refreshes(policy) || held.lifeAtReceiptMs === null) return null;
  const lead = leadMs(policy, held);
  return windowAtLifeLeftMs(policy, held, lead) ?? lead;
}

/**
 * Life left at the moment that the window prefers: its last one before the refresh would be due anyway. Only the later half
 * of that time counts, or a pattern that comes often would throw tokens away young.
 */
function windowAtLifeLeftMs({ window }: Policy, held: HeldToken, lead: number): number | null {
  const expiresAt = expiresAtOf(held.token);
  if (window === null || expiresAt === null) return null;
  const received = held.receivedAt.wallMs;
  const due = expiresAt - lead;
  const half = (Math.min(held.token.obtainedAt ?? received, received) + due) / 2;
  const from = Math.max(received, half);
  const preferred = from < due ? window.latestIn(window, { from, to: due }) : null;
  return preferred === null ? null : expiresAt - preferred;
}

/** After an answer that brought nothing new: again at half of what is left, and at expiry; an assumed end already passed waits half a life. */
export function refreshAtHalfLifeMs(policy: Policy, held: HeldToken, now: Now): number | null {
  const left = lifeLeftMs(held, now);
  if (left === null || held.lifeAtReceiptMs === null) return null;
  return left > 0 ? left / 2 : left - Math.max(policy.retryIntervalMs, held.lifeAtReceiptMs / 2);
}

/** Wait from the start of a failed attempt to the next: flat, fitted so that all retries come before expiry; jitter only shortens. */
function retryWaitMs(state: CredentialState, now: Now): number {
  const { policy, held } = state;
  const isValid = held !== null && held.lifeAtReceiptMs !== null && !isExpired(held, now);
  const fittedMs = isValid ? leadMs(policy, held) / (policy.maxRetries + 1) : FOREVER_MS;
  return shortened(policy, Math.min(policy.retryIntervalMs, fittedMs), state.attempt);
}

/** Wait in active recovery: still the retry interval until one recovery interval has passed since expiry, so that no hole opens there. */
function recoveryWaitMs(state: CredentialState, now: Now): number {
  const { policy, held } = state;
  const left = held === null ? null : lifeLeftMs(held, now);
  const sinceExpiryMs = left !== null ? -left : state.downSince === null ? FOREVER_MS : now.wallMs - state.downSince;
  const waitMs =
    sinceExpiryMs < policy.activeRecoveryIntervalMs
      ? policy.retryIntervalMs
      : Math.min(policy.activeRecoveryIntervalMs, Math.max(policy.retryIntervalMs, lifeOrForever(held)));
  return shortened(policy, waitMs, state.attempt);
}

function lifeOrForever(held: HeldToken | null): number {
  return (held === null ? null : wholeLifeMs(held)) ?? FOREVER_MS;
}

/** What a fresh token can be expected to have: the whole life where that is known, else what was left at receipt; null: no end. */
export const wholeLifeMs = (held: HeldToken): number | null => lifeMs(held.token) ?? held.lifeAtReceiptMs;

/** The doubt that concerns what would be sent; null: none does. */
const doubtOf = ({ doubt, grant }: CredentialState): Doubt | null => (doubt?.fingerprint === grant ? doubt : null);

/** What would be sent may have been spent already. */
export const isInDoubt = (state: CredentialState): boolean => doubtOf(state) !== null;

/** Nothing was sent yet since the answer was lost: the next send is outside schedule and budget, a known reuse grace may still cover it. */
export const isFirstGuarded = (state: CredentialState): boolean => doubtOf(state)?.sends === 0;

/** Where a counted failure leaves the credential. Expiry is an attempt of its own, whatever the interval says. */
export function retryPhase(state: CredentialState, now: Now): Extract<Phase, { kind: 'backing_off' | 'recovering' }> {
  const isRecovering = state.failures > state.policy.maxRetries;
  const waitMs = isRecovering ? recoveryWaitMs(state, now) : retryWaitMs(state, now);
  const doubt = doubtOf(state);
  const due = doubt?.sends === 0 ? doubt.settlesAt : (state.lastBegan ?? now.monotonicMs) + waitMs;
  const left = state.held === null ? null : lifeLeftMs(state.held, now);
  const notAfter = left !== null && left > 0 ? now.monotonicMs + left : FOREVER_MS;
  return { kind: isRecovering ? 'recovering' : 'backing_off', due: monotonicMs(Math.min(due, notAfter)) };
}

/** Each credential has a pace of its own: those that a jump of the clocks brought into step fall out of it again. */
export const storeCheckWaitMs = (policy: Policy): number => Math.ceil(shortened(policy, policy.storeCheckMs, 0));

function shortened(policy: Policy, waitMs: number, n: number): number {
  return waitMs - (waitMs * policy.jitterPercent * jitter(policy.jitterSeed, n)) / 100;
}

const HOUR_MS = 3_600_000;

/** The bucket as it is at `now`. Integers only: a fraction of an attempt is no attempt. */
export function refilled(state: CredentialState, now: Now): CredentialState['bucket'] {
  const { bucket, policy } = state;
  const everyMs = HOUR_MS / policy.maxAttemptsPerHour;
  const earned = Math.floor((now.monotonicMs - bucket.refilledAt) / everyMs);
  if (earned <= 0) return bucket;
  const attempts = Math.min(policy.limits.attemptBurst, bucket.attempts + earned);
  const refilledAt = attempts === policy.limits.attemptBurst ? now.monotonicMs : bucket.refilledAt + earned * everyMs;
  return { attempts, refilledAt: monotonicMs(refilledAt) };
}

/** The earliest moment at which floor, budget and Retry-After let an attempt begin; the past when nothing holds it back. */
export function gateOpensAt(state: CredentialState, now: Now, options: { overridesRetryAfter: boolean }): MonotonicMs {
  const { policy, lastBegan } = state;
  let opensAt = monotonicMs(0);
  if (lastBegan !== null) opensAt = laterOf(opensAt, monotonicMs(lastBegan + policy.minRefreshIntervalMs));
  if (state.notBefore !== null && !options.overridesRetryAfter) opensAt = laterOf(opensAt, state.notBefore);
  const doubt = doubtOf(state);
  if (doubt !== null) opensAt = laterOf(opensAt, doubt.settlesAt);
  const bucket = refilled(state, now);
  if (bucket.attempts === 0 && !isFirstGuarded(state)) {
    const nextRefill = bucket.refilledAt + HOUR_MS / policy.maxAttemptsPerHour;
    const neverLaterThan = (lastBegan ?? now.monotonicMs) + policy.limits.emptyBudgetWaitMs;
    opensAt = laterOf(opensAt, monotonicMs(Math.min(nextRefill, neverLaterThan)));
  }
  return opensAt;
}

/** Wall moment of a monotonic one, for people; exact only as long as no clock is set. */
export const wallOf = (moment: MonotonicMs, now: Now): EpochMs => epochMs(now.wallMs + (moment - now.monotonicMs));
