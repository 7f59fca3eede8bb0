/**
 * The state of one credential.
 *
 * Rule: illegal combinations cannot be written. A moment stands only in the phase that waits for it; what is true in
 * several phases is a field; what follows from other fields (usable, status, next deadline) is a function in
 * `schedule.ts` or `view.ts`, never a field.
 */
import type { Alert, AttemptReason, Down, Effect } from './effect.ts';
import type { FailureClass } from './failure.ts';
import type { Policy } from './policy.ts';
import type { Answer, EpochMs, Fingerprint, Generation, MonotonicMs, Now, Token } from './token.ts';

/** Why a person must act. */
export type ReauthorizationReason = 'terminal' | 'config' | 'lost_response' | 'store_blanked' | 'state_broken';

/** How far an attempt has come; each stage waits for the answer to one effect. */
export type AttemptStage = 'recording' | 'running' | 'recording_answer' | 'persisting';

export type Phase =
  | Absent
  /** Holds a token. The next refresh is due when this much life is left; null: nothing is planned. */
  | { readonly kind: 'fresh'; readonly refreshAtLifeLeftMs: number | null }
  | {
      readonly kind: 'refreshing';
      readonly stage: AttemptStage;
      readonly reason: AttemptReason;
      /** When the result of this stage counts as lost. */
      readonly deadline: MonotonicMs;
      /** From `recording_answer` on. */
      readonly answer: Answer | null;
      /** Whether what is sent may have been spent already, and whether this is the first send since. */
      readonly guard: 'none' | 'first' | 'later';
      readonly impasse?: Impasse;
    }
  /** `impasse`: an answer that was set aside is tried first; where this leads if it does not help. */
  | { readonly kind: 'backing_off'; readonly due: MonotonicMs; readonly impasse?: Impasse }
  | { readonly kind: 'recovering'; readonly due: MonotonicMs; readonly impasse?: Impasse }
  | Latched
  /** `latch`: what it was stopped in, so that the next start knows of it. */
  | { readonly kind: 'stopped'; readonly latch?: Latched };

/** Nothing loadable, or an expired token that nobody here may refresh; the store check looks again. */
export interface Absent {
  readonly kind: 'absent';
  readonly detail: string;
}

/** Where nothing that can be done here helps. */
export type Impasse = Latched | Absent;

/** A person must act; until then nothing is sent. */
export interface Latched {
  readonly kind: 'reauthorization_required';
  readonly reason: ReauthorizationReason;
  readonly code: string;
  readonly since: EpochMs;
  /** One attempt every six hours for a configuration that only the server can judge. */
  readonly probeDue: MonotonicMs | null;
  /** The obstacle is here: the store check looks whether it is gone. */
  readonly local: boolean;
}

/** What an answer said of one fingerprint. It outlives what obstructs or spoils the store: that says nothing about the fingerprint. */
export interface Refusal {
  readonly fingerprint: Fingerprint;
  readonly reason: 'terminal' | 'lost_response' | 'config';
  readonly code: string;
}

export type PhaseKind = Phase['kind'];

export interface HeldToken {
  readonly token: Token;
  readonly generation: Generation;
  readonly receivedAt: Now;
  /** Null when no known or assumed expiry limits it. */
  readonly lifeAtReceiptMs: number | null;
  /** Its generation comes from the memory of an earlier process, which may have given out later ones. */
  readonly isRemembered?: true;
}

/** What one target was last told, and how that went. `set_sentinel` is a target too. */
export interface Delivery {
  readonly target: string;
  /** Grows with every command to this target; an answer to an older one is stale. */
  readonly revision: number;
  /** Generation it was told to hold; null: withdrawn; `unknown`: nothing was said since the start. */
  readonly told: Generation | null | 'unknown';
  readonly status: 'pending' | 'done' | 'failed';
  /** Generation that it is known to hold. */
  readonly holds: Generation | null | 'unknown';
  /** When that which it was told to hold ends; null: it was told nothing, or to hold nothing. */
  readonly toldUntil: EpochMs | null;
  /**
   * Until when all that it may hold is good: a command without an answer may have come through or not. Remembered over
   * restarts; null: nothing is known of it, or it holds nothing.
   */
  readonly goodUntil: EpochMs | null;
  readonly failures: number;
  readonly code: string | null;
  readonly remedy: string | null;
  readonly retryDue: MonotonicMs | null;
}

/** The sentinel file: what it was last told to say. */
export interface SentinelDelivery {
  readonly revision: number;
  readonly told: Down | null | 'unknown';
  readonly status: 'pending' | 'done' | 'failed';
  /** When to tell it again, or, while pending, when the answer counts as lost. */
  readonly retryDue: MonotonicMs | null;
}

/** A new refresh token that the store did not take: kept, retried, and its predecessor never sent again. */
export interface Unpersisted {
  readonly attempt: number;
  readonly answer: Answer;
  readonly expected: Fingerprint | null;
  readonly failures: number;
  readonly code: string;
  readonly inFlight: boolean;
  /** When to write again, or, in flight, when the result counts as lost. */
  readonly retryDue: MonotonicMs;
}

/** An answer that the store did not take because somebody else had changed it; the journal keeps it too. */
export interface SetAside {
  readonly answer: Answer;
}

/** Reports of consumers that the current generation was refused. Advice: it never latches. */
export interface Rejection {
  readonly generation: Generation;
  readonly peer: string;
  readonly firstAt: MonotonicMs;
  readonly lastAt: MonotonicMs;
  /** A second report came at least five seconds after the first. */
  readonly confirmed: boolean;
  /** The one refresh that this generation's rejection may start. */
  readonly refresh: 'owed' | 'started' | 'ended';
}

export interface Peer {
  readonly peer: string;
  /** Generation that its last believed report brought about; null while that is open. */
  readonly brought: Generation | null;
  /** Not believed until then. */
  readonly distrustedUntil: MonotonicMs | null;
  readonly doublings: number;
}

export interface Bucket {
  readonly attempts: number;
  readonly refilledAt: MonotonicMs;
}

export interface AlertRecord {
  readonly alert: Alert;
  readonly status: 'sending' | 'failed' | 'sent';
  readonly tries: number;
  /** When to send again, or, while sending, when the answer counts as lost. Null once sent. */
  readonly retryDue: MonotonicMs | null;
}

export interface Episode {
  readonly startedAt: EpochMs;
  readonly code: string;
  /** Set when the next good token came; what is still owed is then sent, and the episode is over. */
  readonly endedAt: EpochMs | null;
  /** Whoever was asked to log in has done so; should that login be refused too, he is asked again. */
  readonly isAnswered: boolean;
}

/** A refresh token was sent and no answer came: the server may have spent it. Every further send of it is guarded. */
export interface Doubt {
  readonly fingerprint: Fingerprint;
  readonly since: EpochMs;
  /** Guarded sends so far; saturates. */
  readonly sends: number;
  /** Nothing of it is sent before: what the server still works on is to be over. */
  readonly settlesAt: MonotonicMs;
}

export interface LastFailure {
  readonly class: FailureClass;
  readonly code: string;
  readonly at: EpochMs;
  readonly detail: string | null;
}

export interface CredentialState {
  readonly name: string;
  readonly policy: Policy;
  /** Waits for the attempt in flight to close. */
  readonly nextPolicy: { readonly policy: Policy; readonly targets: readonly string[] } | null;
  readonly phase: Phase;
  readonly stopping: boolean;

  readonly held: HeldToken | null;
  /** A token that is not yet valid; takes over when it is. */
  readonly incoming: HeldToken | null;
  /** Of what the store is known to hold. */
  readonly grant: Fingerprint | null;
  readonly account: string | null;
  readonly refreshTokenExpiresAt: EpochMs | null;
  /** Refresh tokens whose successor is recorded here: never to be sent, never to be adopted. */
  readonly superseded: readonly Fingerprint[];
  readonly generation: Generation;
  /** Access token that `generation` is bound to. */
  readonly generationOf: Fingerprint | null;
  /** When that token was issued, where only our own receipt of it tells; null: not known. */
  readonly issuedAt: EpochMs | null;

  readonly attempt: number;
  readonly lastBegan: MonotonicMs | null;
  readonly lastBeganAt: EpochMs | null;
  /** Why that attempt was made; null: it was an earlier process that made it. */
  readonly lastReason: AttemptReason | null;
  readonly lastSucceededAt: EpochMs | null;
  /** Consecutive and counted; saturates at maxRetries + 1. */
  readonly failures: number;
  readonly lastFailure: LastFailure | null;
  readonly notBefore: MonotonicMs | null;
  readonly rateLimitDoublings: number;
  readonly bucket: Bucket;
  /** Failures that were surely unsent are retried at the floor and not counted until then. */
  readonly jumpGraceUntil: MonotonicMs | null;
  readonly doubt: Doubt | null;
  /** Latched to its fingerprint: opens when the store holds another, or by an operator. */
  readonly refusal: Refusal | null;
  /** Whose refusal was not believed because of the clocks: once for each. */
  readonly clockBlamedFor: Fingerprint | null;
  readonly unpersisted: Unpersisted | null;
  readonly setAside: SetAside | null;

  readonly rejection: Rejection | null;
  /** Generation whose rejection already started a refresh. */
  readonly refreshedFor: Generation | null;
  /** Generations in a row that were rejected within a minute; saturates at 2. */
  readonly quickRejections: number;
  readonly peers: readonly Peer[];
  /** A refresh was asked for and waits for the floor, the budget or Retry-After. */
  readonly wanted: { readonly reason: 'operator' | 'demand'; readonly overridesRetryAfter: boolean } | null;
  /** Generation for which a read's demand already started a refresh. */
  readonly demandedFor: Generation | null;

  /** Since when there is no usable token; null while there is one. */
  readonly downSince: EpochMs | null;
  readonly deliveries: readonly Delivery[];
  readonly sentinel: SentinelDelivery;
  readonly episode: Episode | null;
  readonly alerts: readonly AlertRecord[];
  /** How many of the thresholds before the end of the refresh token were announced. */
  readonly refreshTokenWarnings: number;
  readonly storeCheckDue: MonotonicMs;
  readonly storeCheckInFlight: boolean;
}

export interface Step {
  readonly state: CredentialState;
  readonly effects: readonly Effect[];
}
