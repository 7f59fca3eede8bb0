/**
 * The policy of one credential: every limit from the credential, its store format, `defaults`, or the built-in value, in this order.
 *
 * Rule: pure; the only place that knows the order of precedence.
 */
import { createHash } from 'node:crypto';
import { type AlertKind, LIMITS, type Policy, type RefreshMethod, type RefreshWindow } from '../core/policy.ts';
import { type StoreFormat, storeDefaults } from '../core/store-format.ts';
import type { RefreshConfig } from './config.ts';
import { DAY_MS, LIMIT_TABLE, type LimitName, type LimitValues, limitMs } from './limits.ts';

export interface PolicyInputs {
  readonly name: string;
  readonly format: StoreFormat;
  readonly refresh: RefreshConfig | null;
  readonly own: LimitValues & {
    readonly rotates?: boolean | undefined;
    readonly optional?: boolean | undefined;
    readonly scheme?: string | undefined;
    readonly refreshTokenIdleDays?: number | undefined;
  };
  readonly defaults: LimitValues;
  readonly alerts: { readonly kinds: readonly AlertKind[]; readonly reminderMs: number | null };
  readonly window: RefreshWindow | null;
  readonly machineId: string;
  /** The longest of its hooks; null: it has none. */
  readonly hookTimeoutMs: number | null;
}

export function resolvePolicy(inputs: PolicyInputs): Policy {
  const { name, format, refresh, own } = inputs;
  const limit = (key: LimitName): number => resolveLimit(key, inputs);
  return {
    method: methodOf(refresh),
    resultInStore: refresh?.kind === 'command' && refresh.result === 'store',
    mintsWithoutGrant: mintsWithoutGrant(refresh, format),
    takesTokens: refresh?.kind === 'oauth' || (refresh?.kind === 'command' && refresh.input === 'token'),
    rotates: own.rotates ?? storeDefaults(format).rotates,
    optional: own.optional ?? false,
    scheme: own.scheme ?? 'bearer',
    refreshMarginMs: limit('refreshMarginMinutes'),
    window: inputs.window,
    refreshTokenIdleMs: own.refreshTokenIdleDays === undefined ? null : Math.round(own.refreshTokenIdleDays * DAY_MS),
    retryIntervalMs: limit('retryIntervalMinutes'),
    maxRetries: limit('maxRetries'),
    activeRecoveryIntervalMs: limit('activeRecoveryIntervalMinutes'),
    refreshTimeoutMs: limit('refreshTimeoutSeconds'),
    killGraceMs: limit('killGraceSeconds'),
    minRefreshIntervalMs: limit('minRefreshIntervalSeconds'),
    maxAttemptsPerHour: limit('maxAttemptsPerHour'),
    settleMs: limit('settleSeconds'),
    storeCheckMs: limit('storeCheckSeconds'),
    rejectionHoldMs: rejectionHoldMs(inputs),
    jitterPercent: limit('jitterPercent'),
    jitterSeed: jitterSeed(inputs.machineId, name),
    alerts: inputs.alerts.kinds,
    reminderMs: inputs.alerts.reminderMs,
    limits: { ...LIMITS, deliveryTimeoutMs: deliveryTimeoutMs(inputs.hookTimeoutMs, limit('killGraceSeconds')) },
  };
}

/** One limit in ms (counts and percentages as they are). */
export function resolveLimit(
  key: LimitName,
  inputs: { readonly format: StoreFormat; readonly own: LimitValues; readonly defaults: LimitValues },
): number {
  const own = inputs.own[key];
  if (own !== undefined) return limitMs(key, own);
  return ownToolMs(key, inputs.format) ?? limitMs(key, inputs.defaults[key] ?? LIMIT_TABLE[key].default);
}

/** A store that its own tool refreshes has limits of its own, and they win over `defaults`, which cannot know of it. */
function ownToolMs(key: LimitName, format: StoreFormat): number | null {
  const limits = storeDefaults(format).ownTool;
  if (limits === null) return null;
  if (key === 'refreshMarginMinutes') return limits.refreshMarginMs;
  if (key === 'refreshTimeoutSeconds') return limits.refreshTimeoutMs;
  return key === 'killGraceSeconds' ? limits.killGraceMs : null;
}

/** Nothing can replace a static value, so after a confirmed rejection it is tried again at the pace of recovery. */
function rejectionHoldMs(inputs: PolicyInputs): number {
  const isSet = (inputs.own.rejectionHoldSeconds ?? inputs.defaults.rejectionHoldSeconds) !== undefined;
  const useRecovery = inputs.format === 'static' && !isSet;
  return resolveLimit(useRecovery ? 'activeRecoveryIntervalMinutes' : 'rejectionHoldSeconds', inputs);
}

/** A hook that takes its time is not told a second time while it runs. */
function deliveryTimeoutMs(hookTimeoutMs: number | null, killGraceMs: number): number {
  const hookMs = hookTimeoutMs === null ? 0 : hookTimeoutMs + killGraceMs + DELIVERY_SLACK_MS;
  return Math.max(LIMITS.deliveryTimeoutMs, hookMs);
}

function methodOf(refresh: RefreshConfig | null): RefreshMethod {
  if (refresh === null) return 'static';
  return refresh.kind === 'command' ? 'script' : refresh.kind;
}

/**
 * Can the script make a first token out of nothing? A bare token (`gh auth token`) comes from a login that is kept elsewhere;
 * so does a response of a script that is given no stored token. Where only a tool's login begins the store, the first one is not ours to make.
 */
function mintsWithoutGrant(refresh: RefreshConfig | null, format: StoreFormat): boolean {
  if (refresh?.kind !== 'command' || !storeDefaults(format).creatable) return false;
  return refresh.result === 'text' || (refresh.result === 'stdout' && refresh.input === 'none');
}

/** Differs between machines and between credentials, and is the same after each start. */
function jitterSeed(machineId: string, name: string): number {
  return createHash('sha256').update(`${machineId}\0${name}`).digest().readUInt32BE(0);
}

// What the shell allows a hook beyond its own limits: its wait for the files before it, and for a turn among others.
const DELIVERY_SLACK_MS = 90_000;
