/**
 * Events: facts, in the past tense, that the shell reports to the core.
 *
 * Rule: an event that answers an effect carries that effect's `attempt`, `revision` or alert `id`; a stale one equals a tick.
 */
import type { Failure } from './failure.ts';
import type { AlertKind, Policy } from './policy.ts';
import type { Answer, EpochMs, Fingerprint, Generation, Grant } from './token.ts';

/** What the attempt journal showed at start of an attempt that nobody closed. */
export interface JournalFinding {
  readonly attempt: number;
  /** Of what was sent. */
  readonly fingerprint: Fingerprint | null;
  /** Of what the store held then, where that was not what was sent; null: nothing. */
  readonly found?: Fingerprint | null;
  readonly beganAt: EpochMs;
  /** From the journal, or from what the script had printed; null: none came. */
  readonly answer: Answer | null;
  /** The journal is damaged: whatever the store holds may have been sent, by nobody knows which attempt. */
  readonly isIllegible?: true;
}

/** What the journal showed beside the first reading of the store. */
interface AtStart {
  /** An attempt that the process before this one left open. */
  readonly journal?: JournalFinding | null;
  /** An answer that the store did not take because it had changed. */
  readonly setAside?: Answer | null;
}

export type Event =
  | { readonly type: 'tick' }
  /** The store was read at start. */
  | ({ readonly type: 'token_loaded'; readonly grant: Grant } & AtStart)
  /** There is no file, or no entry in it. `attempt` when found while beginning one, or after what it sent was refused. */
  | ({ readonly type: 'token_missing'; readonly detail: string; readonly attempt: number | null } & AtStart)
  /** The store cannot be understood, or was blanked by its own tool. `attempt`: likewise. */
  | ({
      readonly type: 'state_broken';
      readonly reason: 'state_broken' | 'store_blanked';
      readonly detail: string;
      readonly attempt: number | null;
    } & AtStart)
  /** The store holds something else than what we last saw; `attempt` when found while beginning one, which it ends. */
  | { readonly type: 'store_changed'; readonly grant: Grant; readonly attempt: number | null }
  /** `reread_store` found nothing new; `obstacle` is the local precondition of a refresh that is not met, if any. */
  | { readonly type: 'store_unchanged'; readonly obstacle: Failure | null }
  /** When one of the paths that tell of a new login was last changed; told only while a person is asked to log in. */
  | { readonly type: 'watched_path_changed'; readonly at: EpochMs }
  /** `afterOrphan`: the tool that owns the store left its lock behind; it may have sent the same refresh token. */
  | { readonly type: 'attempt_recorded'; readonly attempt: number; readonly afterOrphan?: boolean }
  | { readonly type: 'refresh_succeeded'; readonly attempt: number; readonly answer: Answer }
  | { readonly type: 'refresh_failed'; readonly attempt: number; readonly failure: Failure }
  /** The run broke off without a result; a failure in doubt, and what still runs is ended. The back-stop is the core's own. */
  | { readonly type: 'refresh_outcome_unknown'; readonly attempt: number }
  | { readonly type: 'answer_recorded'; readonly attempt: number }
  | { readonly type: 'answer_record_failed'; readonly attempt: number; readonly code: string }
  | { readonly type: 'persist_succeeded'; readonly attempt: number; readonly fingerprint: Fingerprint }
  /** `winner`: the fenced commit found another grant in the store, and the store wins. */
  | { readonly type: 'persist_failed'; readonly attempt: number; readonly code: string; readonly winner: Grant | null }
  /** Also reports `withdraw_token` and `set_sentinel`; `revision` is that of the effect. */
  | {
      readonly type: 'publish_succeeded';
      readonly target: string;
      readonly revision: number;
      /** Done as told, but something beside it wants a person's eye. */
      readonly remark?: { readonly code: string; readonly remedy: string };
    }
  | {
      readonly type: 'publish_failed';
      readonly target: string;
      readonly revision: number;
      readonly code: string;
      /** For people: what to do about it. */
      readonly remedy: string;
    }
  | { readonly type: 'rejection_reported'; readonly generation: Generation; readonly peer: string }
  | { readonly type: 'refresh_requested'; readonly cause: 'operator' | 'wait' | 'min_valid'; readonly force: boolean }
  /** `targets`: ids of the publication targets from now on. */
  | { readonly type: 'policy_changed'; readonly policy: Policy; readonly targets: readonly string[] }
  | { readonly type: 'alert_delivered'; readonly kind: AlertKind; readonly id: string }
  | { readonly type: 'alert_failed'; readonly kind: AlertKind; readonly id: string }
  /** The two clocks disagree by `byMs`: positive when the wall clock ran ahead (suspend, or it was set). */
  | { readonly type: 'clock_jumped'; readonly byMs: number }
  | { readonly type: 'stopping' };
