/**
 * Queries: what readers, operators and health checks are told at `now`. No step, no effect, no secret but the token that was asked for.
 */
import type { AttemptReason } from './effect.ts';
import type { FailureClass } from './failure.ts';
import type { CredentialState, PhaseKind, ReauthorizationReason } from './state.ts';
import type { EpochMs, Generation, Now } from './token.ts';

/** What people are shown; `usable` and `expiring` can be read. */
export type TokenStatus = 'usable' | 'expiring' | 'expired' | 'rejected' | 'none';

export type TokenRead =
  | {
      readonly kind: 'token';
      readonly accessToken: string;
      readonly tokenType: string;
      readonly generation: Generation;
      /** Null when it does not expire, or nobody said when. */
      readonly expiresAt: EpochMs | null;
      readonly lifeLeftMs: number | null;
      /** Life at receipt: what a fresh token can be expected to have. */
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

/** What happened to a report of a rejection (surfaces: `outcome`). */
export type RejectionOutcome =
  | { readonly outcome: 'refresh_started' | 'joined' | 'superseded' | 'ignored' | 'not_refreshable' }
  | { readonly outcome: 'scheduled'; readonly inMs: number };

/** What happened to a request for a refresh. */
export type RequestOutcome =
  | { readonly outcome: 'refresh_started' | 'joined' | 'not_needed' | 'not_refreshable' }
  | { readonly outcome: 'scheduled'; readonly inMs: number };

/** The next thing that will happen, in terms that `explain` and `status` can put into words. */
export interface NextAction {
  readonly what: 'refresh' | 'retry' | 'recovery' | 'probe' | 'store_check' | 'attempt_running' | 'none';
  readonly inMs: number | null;
  /** One sentence: "30 min 22 s before expiry (22 s of jitter)". */
  readonly why: string;
}

export interface CredentialDescription {
  readonly credential: string;
  readonly phase: PhaseKind;
  readonly reason: ReauthorizationReason | null;
  readonly attemptReason: AttemptReason | null;
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
  readonly lastFailure: {
    readonly class: FailureClass;
    readonly code: string;
    readonly at: EpochMs;
    readonly detail: string | null;
  } | null;
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

export declare function readToken(state: CredentialState, now: Now): TokenRead;
