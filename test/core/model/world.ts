/**
 * The world of the model walk: tokens with known ends, two clocks, and its own book-keeping of what was sent, reported and published.
 *
 * Rule: nothing here is computed by the code under test; the checks compare two independent accounts.
 */
import { LIMITS, type Limits, type Policy } from '../../../src/core/policy.ts';
import {
  type Answer,
  type Expiry,
  epochMs,
  type Fingerprint,
  type Grant,
  monotonicMs,
  type Now,
  type Token,
} from '../../../src/core/token.ts';

/** One tick of the abstract clock. */
export const UNIT = 60_000;
/** Moments further away than this look alike: longer than every interval of the policy. */
export const HORIZON = 6;
/** So do moments this long past: longer than every wait that counts from the past. */
export const PAST = 4;

const LIMITS_IN_UNITS: Limits = {
  ...LIMITS,
  attemptBurst: 2,
  emptyBudgetWaitMs: 2 * UNIT,
  effectTimeoutMs: UNIT,
  resultSlackMs: UNIT,
  retryAfterMaxMs: 4 * UNIT,
  probeIntervalMs: 4 * UNIT,
  confirmAfterMs: UNIT,
  quickRejectionMs: UNIT,
  distrustMs: 2 * UNIT,
  distrustMaxMs: 4 * UNIT,
  jumpGraceMs: UNIT,
  deliveryTimeoutMs: 2 * UNIT,
  deliveryRetryMs: UNIT,
  deliveryRetryMaxMs: UNIT,
  alertRetryMs: UNIT,
  alertRetryMaxMs: UNIT,
  occurrenceMs: 4 * UNIT,
  supersededMax: 1,
  peersMax: 2,
};

export const POLICY: Policy = {
  method: 'script',
  resultInStore: false,
  mintsWithoutGrant: false,
  takesTokens: true,
  rotates: true,
  optional: false,
  scheme: 'bearer',
  refreshMarginMs: 2 * UNIT,
  window: null,
  refreshTokenIdleMs: null,
  retryIntervalMs: UNIT,
  maxRetries: 1,
  activeRecoveryIntervalMs: 3 * UNIT,
  refreshTimeoutMs: UNIT,
  killGraceMs: 0,
  minRefreshIntervalMs: UNIT,
  maxAttemptsPerHour: 30,
  settleMs: 0,
  storeCheckMs: 100 * UNIT,
  rejectionHoldMs: 2 * UNIT,
  jitterPercent: 0,
  jitterSeed: 0,
  alerts: [],
  reminderMs: null,
  limits: LIMITS_IN_UNITS,
};

/** What the walk knows of a published or publishable token. */
export interface KnownToken {
  readonly expiry: Expiry;
  /** When it was first seen, on the monotonic clock. */
  readonly seenAt: number;
  readonly lifeMs: number | null;
}

export interface World {
  readonly now: Now;
  /** For the next new refresh and access token. */
  readonly serial: number;
  readonly tokens: ReadonlyMap<Fingerprint, KnownToken>;
  /** The attempt that was begun and not closed. */
  readonly openAttempt: number | null;
  readonly lastBegan: number | null;
  readonly retryAfterUntil: number | null;
  readonly forced: boolean;
  /** Tokens of answers whose store write was not tried yet. */
  readonly untried: Fingerprint | null;
  /** Refresh tokens that were sent without an answer. */
  readonly unanswered: ReadonlySet<Fingerprint>;
  /** Set-aside refresh tokens that were sent, and not surely in vain. */
  readonly sentAside: ReadonlySet<Fingerprint>;
  /** The slot for what is set aside, as it would be if nobody could ever wipe it. */
  readonly slot: Answer | null;
  /** Refresh tokens whose successor was recorded here. */
  readonly succeeded: ReadonlySet<Fingerprint>;
  /** First and last report about the present generation. */
  readonly reports: { readonly generation: number; readonly first: number; readonly last: number } | null;
  readonly publishedGeneration: number;
  /** What the target was told last, and all that it may hold; null: nothing. */
  readonly file: { readonly told: Fingerprint | null; readonly possible: readonly (Fingerprint | null)[] };
  /** Kinds of messages sent in the present episode. */
  readonly told: readonly string[];
}

/** An arbitrary Sunday; the epoch second of it is the first generation. */
const START_MS = 1_700_000_000_000;

export const firstWorld: World = {
  now: { wallMs: epochMs(START_MS), monotonicMs: monotonicMs(1000 * UNIT) },
  serial: 1,
  tokens: new Map(),
  openAttempt: null,
  lastBegan: null,
  retryAfterUntil: null,
  forced: false,
  untried: null,
  unanswered: new Set(),
  sentAside: new Set(),
  slot: null,
  succeeded: new Set(),
  reports: null,
  publishedGeneration: 0,
  file: { told: null, possible: [null] },
  told: [],
};

export function advanced(world: World, by: { readonly wall: number; readonly monotonic: number }): World {
  const { wallMs, monotonicMs: monotonic } = world.now;
  return {
    ...world,
    now: { wallMs: epochMs(wallMs + by.wall * UNIT), monotonicMs: monotonicMs(monotonic + by.monotonic * UNIT) },
  };
}

const print = (kind: 'a' | 'r', serial: number): Fingerprint => `${kind}${serial}` as Fingerprint;

/** A grant of its own with a token that lives for `life` units; null: it never ends. */
export function newGrant(
  world: World,
  options: {
    readonly life: number | null;
    readonly kind?: 'known' | 'assumed';
    readonly serial?: number;
    readonly startsIn?: number;
  },
): { readonly world: World; readonly grant: Grant } {
  const serial = options.serial ?? world.serial;
  const token = tokenOf(world.now, { ...options, serial });
  const known = { expiry: token.expiry, seenAt: world.now.monotonicMs, lifeMs: lifeOf(token, world.now) };
  const tokens = new Map(world.tokens);
  if (!tokens.has(token.fingerprint)) tokens.set(token.fingerprint, known);
  return {
    world: { ...world, serial: Math.max(world.serial, serial + 1), tokens },
    grant: grantWith(token, serial),
  };
}

export const grantWith = (token: Token | null, serial: number): Grant => ({
  token,
  fingerprint: print('r', serial),
  hasRefreshToken: true,
  refreshTokenExpiresAt: null,
  account: null,
});

function tokenOf(
  now: Now,
  options: {
    readonly life: number | null;
    readonly kind?: 'known' | 'assumed';
    readonly serial: number;
    readonly startsIn?: number;
  },
): Token {
  const expiresAt = epochMs(now.wallMs + (options.life ?? 0) * UNIT);
  return {
    accessToken: `secret-${options.serial}`,
    tokenType: 'Bearer',
    fingerprint: print('a', options.serial),
    obtainedAt: now.wallMs,
    notBefore: options.startsIn === undefined ? null : epochMs(now.wallMs + options.startsIn * UNIT),
    expiry: options.life === null ? { kind: 'never' } : { kind: options.kind ?? 'known', expiresAt },
  };
}

const lifeOf = (token: Token, now: Now): number | null =>
  token.expiry.kind === 'never' ? null : token.expiry.expiresAt - now.wallMs;

/** Life left by the stricter clock, by the walk's own account; null when nothing known ends it. */
export function knownLifeLeft(world: World, fingerprint: Fingerprint): number | null {
  const token = world.tokens.get(fingerprint);
  if (token === undefined || token.expiry.kind !== 'known' || token.lifeMs === null) return null;
  const byWall = token.expiry.expiresAt - world.now.wallMs;
  const byMonotonic = token.lifeMs - (world.now.monotonicMs - token.seenAt);
  return Math.min(byWall, byMonotonic);
}
