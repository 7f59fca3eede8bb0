/**
 * The limits of one credential, resolved to milliseconds, and the relations between them.
 *
 * Minutes and seconds exist only in config.json; the room that reads it converts them once.
 */
/** Who refreshes: a script, the native grant, another tool that we only watch, or nobody. */
export type RefreshMethod = 'script' | 'oauth' | 'follow' | 'static';

export const ALERT_KINDS = [
  'first_failure',
  'escalated',
  'recovering',
  'reauthorization_required',
  'restored',
  'suspicious_refresh_rate',
  'clock_skew',
  'rate_limited_past_expiry',
  'refresh_token_expiring',
  'delivery_failed',
  'delivery_restored',
] as const;
export type AlertKind = (typeof ALERT_KINDS)[number];

/** Limits that no user sets; part of the policy so that a walk over all states can use small ones. */
export interface Limits {
  /** Attempts that may follow each other before the hourly rate applies. */
  readonly attemptBurst: number;
  /** With an empty budget one attempt is still made this often: bounded, never silent. */
  readonly emptyBudgetWaitMs: number;
  /** How long a step of an attempt other than the refresh itself may take before its result counts as lost. */
  readonly effectTimeoutMs: number;
  /** Added to timeout and grace: the store poll of 3 s, and slack. */
  readonly resultSlackMs: number;
  /** `Retry-After` is honoured up to this. */
  readonly retryAfterMaxMs: number;
  /** A configuration that only the server can judge is tried this often. */
  readonly probeIntervalMs: number;
  /** A second report of a rejection confirms the first when it comes this much later. */
  readonly confirmAfterMs: number;
  /** A generation rejected sooner than this after its publication points at the consumer. */
  readonly quickRejectionMs: number;
  readonly distrustMs: number;
  readonly distrustMaxMs: number;
  readonly jumpGraceMs: number;
  /** Without an answer for this long a publication is told again; longer than any of its targets may take. */
  readonly deliveryTimeoutMs: number;
  /** A failed publication or store write is repeated after this, doubling … */
  readonly deliveryRetryMs: number;
  /** … up to this. */
  readonly deliveryRetryMaxMs: number;
  readonly alertRetryMs: number;
  readonly alertRetryMaxMs: number;
  /** The same occurrence is announced again only after this. */
  readonly occurrenceMs: number;
  readonly supersededMax: number;
  readonly peersMax: number;
}

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

export const LIMITS: Limits = {
  attemptBurst: 6,
  emptyBudgetWaitMs: 2 * MINUTE,
  effectTimeoutMs: 30 * SECOND,
  resultSlackMs: 3 * SECOND + 10 * SECOND,
  retryAfterMaxMs: 6 * HOUR,
  probeIntervalMs: 6 * HOUR,
  confirmAfterMs: 5 * SECOND,
  quickRejectionMs: MINUTE,
  distrustMs: HOUR,
  distrustMaxMs: 24 * HOUR,
  jumpGraceMs: 2 * MINUTE,
  deliveryTimeoutMs: MINUTE,
  deliveryRetryMs: 2 * SECOND,
  deliveryRetryMaxMs: MINUTE,
  alertRetryMs: MINUTE,
  alertRetryMaxMs: HOUR,
  occurrenceMs: 6 * HOUR,
  // A restored backup is rarely older than this many rotations, and 64 short strings cost nothing.
  supersededMax: 64,
  peersMax: 16,
};

/** Moments at which a refresh is welcome, by a cron pattern. */
export interface RefreshWindow {
  readonly cron: string;
  /** Null: that of the machine. */
  readonly timeZone: string | null;
  /** The last of its moments after `from` and not after `to`, in epoch ms; null: none lies there. A function of its arguments alone. */
  readonly latestIn: (window: RefreshWindow, span: { readonly from: number; readonly to: number }) => number | null;
}

export interface Policy {
  readonly method: RefreshMethod;
  /** The refresh itself writes the store (`result: store`); freshd sends and persists nothing. */
  readonly resultInStore: boolean;
  /** An attempt makes sense although the store holds nothing (a script that mints tokens on its own). */
  readonly mintsWithoutGrant: boolean;
  /** The refresh is given what it sends; a script that is not looks into the store itself. */
  readonly takesTokens: boolean;
  /** Refresh tokens are single use, so an unknown outcome leaves a doubt. */
  readonly rotates: boolean;
  /** Does not count for readiness, and its absence is no episode. */
  readonly optional: boolean;
  /** How a request carries the token: `bearer`, or the header that holds it bare, in lower case. */
  readonly scheme: string;
  readonly refreshMarginMs: number;
  /** Prefers a moment for the refresh, never later than the margin says; null: none. */
  readonly window: RefreshWindow | null;
  /** The refresh token ends when it is not used for this long; null: not known. Where an end is stated, that counts. */
  readonly refreshTokenIdleMs: number | null;
  readonly retryIntervalMs: number;
  readonly maxRetries: number;
  readonly activeRecoveryIntervalMs: number;
  readonly refreshTimeoutMs: number;
  readonly killGraceMs: number;
  readonly minRefreshIntervalMs: number;
  readonly maxAttemptsPerHour: number;
  readonly settleMs: number;
  readonly storeCheckMs: number;
  readonly rejectionHoldMs: number;
  /** 0-100; of the lead, earlier, never later. */
  readonly jitterPercent: number;
  /** Seeded by machine and name, so that a fleet does not refresh in step. */
  readonly jitterSeed: number;
  /** Kinds that are switched on. */
  readonly alerts: readonly AlertKind[];
  /** Repeat an open re-authorization alert this often; null: never. */
  readonly reminderMs: number | null;
  readonly limits: Limits;
}
