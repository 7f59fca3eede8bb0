/**
 * The limits of one credential, resolved to milliseconds, and the relations between them.
 *
 * Minutes and seconds exist only in config.json; `config/schema.ts` converts them once.
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

export interface Policy {
  readonly method: RefreshMethod;
  /** The refresh itself writes the store (`result: store`); freshd sends and persists nothing. */
  readonly resultInStore: boolean;
  /** An attempt makes sense although the store holds nothing (a script that mints tokens on its own). */
  readonly mintsWithoutGrant: boolean;
  /** Refresh tokens are single use, so an unknown outcome leaves a doubt. */
  readonly rotates: boolean;
  /** Does not count for readiness, and its absence is no episode. */
  readonly optional: boolean;
  readonly refreshMarginMs: number;
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
}

/** How many refresh-token fingerprints with a known successor are remembered. */
export const SUPERSEDED_MAX = 64;
/** How many peers that reported a rejection are remembered. */
export const PEERS_MAX = 16;
