/**
 * Queries: what readers, operators and health checks are told at `now`. No step, no effect, no secret but the token that was asked for.
 */
import { isUsable, whyDown } from './delivery.ts';
import type { AttemptReason } from './effect.ts';
import { type NextAction, nextAction } from './next-action.ts';
import { isHalfLifeLeft, nextAttempt } from './plan.ts';
import { holdEndsAt, isDistrusted } from './rejection.ts';
import { expiresAtOf, isExpired, leadOf, lifeLeftMs, refreshes, wholeLifeMs } from './schedule.ts';
import type { CredentialState, LastFailure, PhaseKind, ReauthorizationReason } from './state.ts';
import type { EpochMs, Generation, Now } from './token.ts';

/** What people are shown; `usable` and `expiring` can be read. */
export type TokenStatus = 'usable' | 'expiring' | 'expired' | 'rejected' | 'none';

export type TokenRead =
  | {
      readonly kind: 'token';
      readonly accessToken: string;
      readonly tokenType: string;
      /** How a request carries it: `bearer`, or the name of a header. */
      readonly scheme: string;
      readonly generation: Generation;
      /** Null when it does not expire, or nobody said when. */
      readonly expiresAt: EpochMs | null;
      readonly lifeLeftMs: number | null;
      /** Its whole life: what a fresh token can be expected to have. */
      readonly lifeMs: number | null;
      /** False: valid for now, but nothing here can refresh it. */
      readonly refreshable: boolean;
      /** False: a newer refresh token could not be stored yet. */
      readonly durable: boolean;
      /** A consumer reported it rejected and the refresh for that is not over: whoever can wait should. */
      readonly rejectionPending: boolean;
    }
  | {
      readonly kind: 'unusable';
      readonly code: 'reauthorization_required' | 'temporarily_unavailable';
      readonly reason: string;
      /** When the next attempt is planned; null when a person must act. */
      readonly retryAfterMs: number | null;
    };

/** Whether a refresh is under way or planned now. `inMs`: from now. */
type StartedOutcome =
  | { readonly outcome: 'refresh_started' | 'joined' | 'not_refreshable' }
  | { readonly outcome: 'scheduled'; readonly inMs: number };

/** What became of a report of a rejection. */
export type RejectionOutcome = StartedOutcome | { readonly outcome: 'superseded' | 'ignored' };

/** What became of a request for a refresh. */
export type RequestOutcome = StartedOutcome | { readonly outcome: 'not_needed' };

export interface CredentialDescription {
  readonly credential: string;
  readonly phase: PhaseKind;
  readonly reason: ReauthorizationReason | null;
  readonly status: TokenStatus;
  readonly refreshable: boolean;
  readonly durable: boolean;
  readonly optional: boolean;
  readonly generation: Generation | null;
  readonly expiresAt: EpochMs | null;
  readonly expiryAssumed: boolean;
  readonly next: NextAction;
  readonly lastAttempt: {
    readonly attempt: number;
    readonly beganAt: EpochMs;
    readonly reason: AttemptReason | null;
  } | null;
  readonly lastSucceededAt: EpochMs | null;
  readonly failures: number;
  readonly lastFailure: LastFailure | null;
  readonly inDoubt: boolean;
  readonly episode: { readonly startedAt: EpochMs; readonly code: string; readonly alerts: readonly string[] } | null;
  readonly publications: readonly {
    readonly target: string;
    readonly status: 'pending' | 'done' | 'failed';
    readonly holds: Generation | null | 'unknown';
    readonly code: string | null;
    readonly remedy: string | null;
  }[];
}

export interface Readiness {
  readonly ready: boolean;
  /** Why not, one code; null when ready. */
  readonly reason: string | null;
}

export function readToken(state: CredentialState, now: Now): TokenRead {
  const { held } = state;
  if (held === null || !isUsable(state, now)) return unusable(state, now);
  return {
    kind: 'token',
    accessToken: held.token.accessToken,
    tokenType: held.token.tokenType,
    scheme: state.policy.scheme,
    generation: held.generation,
    expiresAt: held.token.expiry.kind === 'known' ? held.token.expiry.expiresAt : null,
    lifeLeftMs: held.token.expiry.kind === 'known' ? lifeLeftMs(held, now) : null,
    lifeMs: wholeLifeMs(held),
    refreshable: isRefreshable(state),
    durable: state.unpersisted === null,
    rejectionPending: isRejectionPending(state, now),
  };
}

/** A refresh that only waits (for Retry-After, say) must not keep others waiting longer than the hold. */
function isRejectionPending(state: CredentialState, now: Now): boolean {
  const { rejection } = state;
  if (rejection === null || rejection.refresh === 'ended') return false;
  return rejection.refresh === 'started' || now.monotonicMs < holdEndsAt(state, rejection);
}

function unusable(state: CredentialState, now: Now): TokenRead {
  const { reason } = whyDown(state);
  if (state.phase.kind === 'reauthorization_required') {
    return { kind: 'unusable', code: 'reauthorization_required', reason, retryAfterMs: null };
  }
  const plan = nextAttempt(state, now);
  const retryAfterMs = plan === null ? state.storeCheckDue - now.monotonicMs : plan.at - now.monotonicMs;
  return { kind: 'unusable', code: 'temporarily_unavailable', reason, retryAfterMs: Math.max(0, retryAfterMs) };
}

function isRefreshable(state: CredentialState): boolean {
  const { kind } = state.phase;
  return refreshes(state.policy) && kind !== 'reauthorization_required' && kind !== 'absent' && kind !== 'stopped';
}

export function tokenStatus(state: CredentialState, now: Now): TokenStatus {
  const { held } = state;
  if (held === null) return 'none';
  if (isExpired(held, now)) return 'expired';
  if (!isUsable(state, now)) return 'rejected';
  const left = held.token.expiry.kind === 'known' ? lifeLeftMs(held, now) : null;
  return left !== null && left <= leadOf(state.policy, held).marginMs ? 'expiring' : 'usable';
}

/** What became of a report; `before` and `after` are the states around its step. */
export function rejectionOutcome(
  before: CredentialState,
  after: CredentialState,
  event: { readonly generation: Generation; readonly peer: string },
  now: Now,
): RejectionOutcome {
  if (event.generation < before.generation) return { outcome: 'superseded' };
  if (before.held?.generation !== event.generation || isDistrusted(after, event.peer, now))
    return { outcome: 'ignored' };
  if (!isRefreshable(before)) return { outcome: 'not_refreshable' };
  return startedOutcome(before, after, now);
}

/** What became of a request for a refresh. */
export function requestOutcome(before: CredentialState, after: CredentialState, now: Now): RequestOutcome {
  if (!refreshes(before.policy) || before.phase.kind === 'stopped') return { outcome: 'not_refreshable' };
  const isQuiet = after.phase.kind !== 'refreshing' && after.wanted === null;
  if (isQuiet && isHalfLifeLeft(after, now)) return { outcome: 'not_needed' };
  return startedOutcome(before, after, now);
}

function startedOutcome(before: CredentialState, after: CredentialState, now: Now): StartedOutcome {
  if (before.phase.kind === 'refreshing') return { outcome: 'joined' };
  if (after.phase.kind === 'refreshing') return { outcome: 'refresh_started' };
  const plan = nextAttempt(after, now);
  if (plan === null) return { outcome: 'not_refreshable' };
  return { outcome: 'scheduled', inMs: Math.max(0, plan.at - now.monotonicMs) };
}

export function readiness(state: CredentialState, now: Now): Readiness {
  if (!isUsable(state, now)) return { ready: false, reason: whyDown(state).reason };
  if (state.unpersisted !== null) return { ready: false, reason: 'not_durable' };
  const undelivered = state.deliveries.find((delivery) => delivery.holds !== state.generation);
  return undelivered === undefined ? { ready: true, reason: null } : { ready: false, reason: 'not_delivered' };
}

/** What of the description changes with its phase; asked for at every step of a credential that somebody watches. */
export type PhaseDescription = Pick<
  CredentialDescription,
  'credential' | 'phase' | 'reason' | 'status' | 'refreshable' | 'generation'
>;

export function describePhase(state: CredentialState, now: Now): PhaseDescription {
  const { name, phase, held } = state;
  return {
    credential: name,
    phase: phase.kind,
    reason: phase.kind === 'reauthorization_required' ? phase.reason : null,
    status: tokenStatus(state, now),
    refreshable: isRefreshable(state),
    generation: held?.generation ?? null,
  };
}

export function describe(state: CredentialState, now: Now): CredentialDescription {
  const { held, lastBeganAt, attempt, lastReason } = state;
  return {
    ...describePhase(state, now),
    durable: state.unpersisted === null,
    optional: state.policy.optional,
    expiresAt: held === null ? null : expiresAtOf(held.token),
    expiryAssumed: held?.token.expiry.kind === 'assumed',
    next: nextAction(state, now),
    lastAttempt: lastBeganAt === null ? null : { attempt, beganAt: lastBeganAt, reason: lastReason },
    lastSucceededAt: state.lastSucceededAt,
    failures: state.failures,
    lastFailure: state.lastFailure,
    inDoubt: state.doubt !== null,
    episode: describeEpisode(state),
    publications: state.deliveries.map(({ target, status, holds, code, remedy }) => ({
      target,
      status,
      holds,
      code,
      remedy,
    })),
  };
}

function describeEpisode({ episode, alerts }: CredentialState): CredentialDescription['episode'] {
  if (episode === null) return null;
  const kinds = alerts.filter(({ status }) => status === 'sent').map(({ alert }) => alert.kind);
  return { startedAt: episode.startedAt, code: episode.code, alerts: kinds };
}
