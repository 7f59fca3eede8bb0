/**
 * Effects: commands, in the imperative, that the core gives to the shell. Plain data, run in order per credential.
 *
 * Rule: each effect that can fail is answered by exactly one event carrying its `attempt`, `revision` or alert `id`.
 */
import type { AlertKind } from './policy.ts';
import type { Answer, EpochMs, Fingerprint, Generation, Token } from './token.ts';

/** Why an attempt is made; shown to people and to the script (`FRESHD_REASON`). */
export type AttemptReason =
  | 'due'
  | 'expired'
  | 'retry'
  | 'recovery'
  | 'rejection'
  | 'demand'
  | 'operator'
  | 'missing'
  | 'probe'
  /** An answer that the store did not take earlier is tried, before a person is asked. */
  | 'set_aside'
  /** An answer from before the start is stored; nothing is sent. */
  | 'resumed';

/** What one publication target is to hold. */
export interface Publication {
  /** Whose token it is; in a chain, which variables are to stand. */
  readonly credential: string;
  readonly token: Token;
  readonly generation: Generation;
}

/** Why a credential is down, for the sentinel and for people. No secrets. */
export interface Down {
  readonly since: EpochMs;
  /** The phase, or the reason of `reauthorization_required`. */
  readonly reason: string;
  readonly code: string;
}

/** One message owed to a person. No secrets: codes and facts only; the wording is made from them. */
export interface Alert {
  /** The same for each repeat of the message, so that a receiver who gets it twice can tell. */
  readonly id: string;
  readonly kind: AlertKind;
  readonly at: EpochMs;
  readonly episodeStartedAt: EpochMs | null;
  /** Consecutive failures, saturated. */
  readonly failures: number;
  readonly code: string | null;
  /** Expiry of the token still in use, if it is known. */
  readonly expiresAt: EpochMs | null;
  /** Publication target, for delivery alerts. */
  readonly target: string | null;
  /** Until when nothing is tried, where a server asked for that. */
  readonly until?: EpochMs;
}

export type Effect =
  /** Lock, re-read the store, write the journal. Answered by attempt_recorded | store_changed | token_missing | state_broken | refresh_failed. */
  | {
      readonly type: 'begin_attempt';
      readonly attempt: number;
      readonly reason: AttemptReason;
      /** What the store is expected to hold; null when nothing is known of it, or nothing is there. */
      readonly expected: Fingerprint | null;
      /** What is sent may have been spent already by an attempt without an answer: for the log. */
      readonly guarded: boolean;
      /** Sent in place of what the store holds. */
      readonly setAside: Answer | null;
    }
  /** Started, not awaited. Answered by refresh_succeeded | refresh_failed | refresh_outcome_unknown | store_changed | token_missing | state_broken. */
  | { readonly type: 'run_refresh'; readonly attempt: number; readonly reason: AttemptReason }
  | { readonly type: 'record_answer'; readonly attempt: number; readonly answer: Answer }
  | { readonly type: 'cancel_refresh'; readonly attempt: number }
  | {
      readonly type: 'persist_token';
      readonly attempt: number;
      readonly answer: Answer;
      /** The commit is refused when the store holds any other grant; one that is gone or blanked is written. */
      readonly expected: Fingerprint | null;
    }
  /** Unlock; `empty` also empties the journal entry, `set_aside` keeps its answer apart, `keep` leaves it for reconciliation. */
  | { readonly type: 'close_attempt'; readonly attempt: number; readonly journal: 'empty' | 'keep' | 'set_aside' }
  | { readonly type: 'forget_set_aside' }
  /** `stat`, and a read only when something changed. Answered by store_changed | store_unchanged | token_missing | state_broken. */
  | { readonly type: 'reread_store' }
  | {
      readonly type: 'publish_token';
      readonly target: string;
      readonly revision: number;
      readonly publication: Publication;
    }
  | { readonly type: 'withdraw_token'; readonly target: string; readonly revision: number }
  | { readonly type: 'set_sentinel'; readonly revision: number; readonly down: Down | null }
  | { readonly type: 'send_alert'; readonly alert: Alert };

export type EffectType = Effect['type'];
