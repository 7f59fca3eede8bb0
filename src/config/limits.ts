/**
 * The limits of a credential's life as a user writes them: one row each with unit, bounds, default and meaning.
 *
 * Rule: minutes and seconds end here; `limitMs` converts them once. The lower bounds let a test run in fractions of a second.
 */

export type LimitUnit = 'days' | 'hours' | 'minutes' | 'seconds' | 'per cent' | 'count';

export interface Limit {
  readonly unit: LimitUnit;
  readonly min: number;
  readonly max: number;
  readonly default: number;
  readonly doc: string;
}

const DAY_SECONDS = 24 * 60 * 60;
const WEEK_MINUTES = 7 * 24 * 60;
/** A token's life is clamped to this everywhere. */
const TEN_YEARS_SECONDS = 10 * 365 * DAY_SECONDS;

export const LIMIT_TABLE = {
  refreshMarginMinutes: {
    unit: 'minutes',
    min: 0,
    max: WEEK_MINUTES,
    default: 30,
    doc: "How long before its expiry a token is refreshed; never more than a third of the token's life.",
  },
  retryIntervalMinutes: {
    unit: 'minutes',
    min: 0.001,
    max: WEEK_MINUTES,
    default: 5,
    doc: 'Flat wait between attempts after a failure, counted from the start of the failed one; shortened so that all retries fit before expiry.',
  },
  maxRetries: {
    unit: 'count',
    min: 0,
    max: 1000,
    default: 5,
    doc: 'Retries after a first failure before active recovery begins. Recovery never gives up.',
  },
  activeRecoveryIntervalMinutes: {
    unit: 'minutes',
    min: 0.001,
    max: WEEK_MINUTES,
    default: 30,
    doc: 'Wait between attempts once the retries are used up, for ever.',
  },
  refreshTimeoutSeconds: {
    unit: 'seconds',
    min: 0.05,
    max: 3600,
    default: 60,
    doc: 'How long a refresh may take; then its whole process group is ended.',
  },
  killGraceSeconds: {
    unit: 'seconds',
    min: 0,
    max: 600,
    default: 5,
    doc: 'Time between SIGTERM and SIGKILL for a refresh that timed out.',
  },
  minRefreshIntervalSeconds: {
    unit: 'seconds',
    min: 0.01,
    max: DAY_SECONDS,
    default: 10,
    doc: 'Floor: no attempt begins sooner than this after the last one began, whatever the cause.',
  },
  maxAttemptsPerHour: {
    unit: 'count',
    min: 1,
    max: 36_000,
    default: 30,
    doc: 'Budget for attempts without progress and for those that rejections caused; when it is empty, one attempt per 2 minutes.',
  },
  settleSeconds: {
    unit: 'seconds',
    min: 0,
    max: 600,
    default: 2,
    doc: 'Quiet time before a refresh whose predecessor has an unknown outcome is sent again.',
  },
  chainSettleSeconds: {
    unit: 'seconds',
    min: 0,
    max: DAY_SECONDS,
    default: 10,
    doc: 'How long a member of a chain must have been usable before the chain goes back to it. The way to a fallback takes no time.',
  },
  expiresInDefaultSeconds: {
    unit: 'seconds',
    min: 0.05,
    max: TEN_YEARS_SECONDS,
    default: 3600,
    doc: 'Assumed life of a token that does not say when it expires. It plans refreshes; it never withdraws a token.',
  },
  storeCheckSeconds: {
    unit: 'seconds',
    min: 0.05,
    max: DAY_SECONDS,
    default: 60,
    doc: 'How often a store is looked at, beside the watch on its folder. Only what changed is read.',
  },
  rejectionHoldSeconds: {
    unit: 'seconds',
    min: 0.05,
    max: DAY_SECONDS,
    default: 60,
    doc: 'How long a token that consumers reported as rejected, and that could not be replaced, stays withdrawn after the last report. A static credential uses activeRecoveryIntervalMinutes instead unless this is set.',
  },
  jitterPercent: {
    unit: 'per cent',
    min: 0,
    max: 100,
    default: 10,
    doc: 'Up to this much of the margin is added to it at random, so that many machines do not refresh at once. Only ever earlier.',
  },
} as const satisfies Readonly<Record<string, Limit>>;

/** Numbers that belong to the daemon, a sink or a hook, with the same kind of row. */
export const SETTING_TABLE = {
  maxConcurrentRefreshes: {
    unit: 'count',
    min: 1,
    max: 100,
    default: 4,
    doc: 'At most this many refreshes run at once, nearest expiry first.',
  },
  hookTimeoutSeconds: { unit: 'seconds', min: 0.05, max: 3600, default: 30, doc: 'How long the hook may take.' },
  connectTimeoutSeconds: {
    unit: 'seconds',
    min: 0.05,
    max: 600,
    default: 10,
    doc: 'How long it may take to reach the server, through a proxy if there is one; part of refreshTimeoutSeconds.',
  },
  sinkTimeoutSeconds: {
    unit: 'seconds',
    min: 0.05,
    max: 600,
    default: 10,
    doc: 'How long the sink may take before the alert counts as not sent.',
  },
} as const satisfies Readonly<Record<string, Limit>>;

export type LimitName = keyof typeof LIMIT_TABLE;
export const LIMIT_NAMES = Object.keys(LIMIT_TABLE) as readonly LimitName[];

/** Limits that somebody set; the others come from a lower rank. */
export type LimitValues = { readonly [K in LimitName]?: number | undefined };

export const DAY_MS = 24 * 3_600_000;

const MS_PER: Readonly<Partial<Record<LimitUnit, number>>> = {
  days: DAY_MS,
  hours: 3_600_000,
  minutes: 60_000,
  seconds: 1_000,
};

/** Milliseconds in one unit; null where the unit is no time. */
export const unitMs = (unit: LimitUnit): number | null => MS_PER[unit] ?? null;

/** A limit in milliseconds; counts and percentages as they are. */
export const limitMs = (name: LimitName, value: number): number => {
  const perUnit = unitMs(LIMIT_TABLE[name].unit);
  return perUnit === null ? value : Math.round(value * perUnit);
};
