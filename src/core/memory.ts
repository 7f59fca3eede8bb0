/**
 * What is remembered of a credential over restarts, and the state it starts from. No secrets: fingerprints, moments and counts.
 *
 * Rule: only wall moments survive a process. Stamps from the future are dropped: the clock was set, and a wait that never ends is worse than one repeated.
 */
import type { Policy } from './policy.ts';
import { after, jitter, wallOf } from './schedule.ts';
import { latchIn } from './set-aside.ts';
import type {
  AlertRecord,
  CredentialState,
  Doubt,
  Episode,
  LastFailure,
  Phase,
  ReauthorizationReason,
  Refusal,
} from './state.ts';
import { NEW_SENTINEL, newDelivery, type Published, publishedOf } from './targets.ts';
import type { EpochMs, Fingerprint, Generation, MonotonicMs, Now } from './token.ts';
import { monotonicMs } from './token.ts';

export interface Memory {
  readonly generation: Generation;
  readonly generationOf: Fingerprint | null;
  readonly grant: Fingerprint | null;
  readonly issuedAt: EpochMs | null;
  readonly account: string | null;
  readonly refreshTokenExpiresAt: EpochMs | null;
  readonly superseded: readonly Fingerprint[];
  readonly published: readonly Published[];
  readonly attempt: number;
  readonly lastBeganAt: EpochMs | null;
  readonly lastSucceededAt: EpochMs | null;
  readonly failures: number;
  readonly lastFailure: LastFailure | null;
  readonly retryAfterUntil: EpochMs | null;
  readonly rateLimitDoublings: number;
  readonly bucket: { readonly attempts: number; readonly refilledAt: EpochMs };
  readonly latch: {
    readonly reason: ReauthorizationReason;
    readonly code: string;
    readonly since: EpochMs;
    readonly probeAt: EpochMs | null;
  } | null;
  readonly refusal: Refusal | null;
  readonly doubt: Omit<Doubt, 'settlesAt'> | null;
  readonly clockBlamedFor: Fingerprint | null;
  readonly downSince: EpochMs | null;
  readonly episode: Episode | null;
  readonly alerts: readonly Pick<AlertRecord, 'alert' | 'status'>[];
  readonly refreshTokenWarnings: number;
}

export function remember(state: CredentialState, now: Now): Memory {
  return {
    generation: state.generation,
    generationOf: state.generationOf,
    grant: state.grant,
    issuedAt: state.issuedAt,
    account: state.account,
    refreshTokenExpiresAt: state.refreshTokenExpiresAt,
    superseded: state.superseded,
    published: publishedOf(state.deliveries),
    attempt: state.attempt,
    lastBeganAt: state.lastBeganAt,
    lastSucceededAt: state.lastSucceededAt,
    failures: state.failures,
    lastFailure: state.lastFailure,
    retryAfterUntil: state.notBefore === null ? null : wallOf(state.notBefore, now),
    rateLimitDoublings: state.rateLimitDoublings,
    bucket: { attempts: state.bucket.attempts, refilledAt: wallOf(state.bucket.refilledAt, now) },
    latch: latchOf(state.phase, now),
    refusal: state.refusal,
    doubt: doubtOf(state),
    clockBlamedFor: state.clockBlamedFor,
    downSince: state.downSince,
    episode: state.episode,
    alerts: state.alerts.map(({ alert, status }) => ({ alert, status })),
    refreshTokenWarnings: state.refreshTokenWarnings,
  };
}

function doubtOf({ doubt }: CredentialState): Memory['doubt'] {
  if (doubt === null) return null;
  const { fingerprint, since, sends } = doubt;
  return { fingerprint, since, sends };
}

function latchOf(phase: Phase, now: Now): Memory['latch'] {
  const latched = latchIn(phase);
  if (latched === null) return null;
  const { reason, code, since, probeDue } = latched;
  return {
    reason,
    code,
    since,
    probeAt: probeDue === null ? null : wallOf(probeDue, now),
  };
}

export interface Beginning {
  readonly name: string;
  readonly policy: Policy;
  /** Ids of the publication targets. */
  readonly targets: readonly string[];
  /** As it was read; anything that is not a memory counts as none. */
  readonly memory: unknown;
}

/** The state before the store was read. */
export function initialState({ name, policy, targets, memory }: Beginning, now: Now): CredentialState {
  const before = isMemory(memory) ? memory : null;
  const past = (moment: EpochMs | null | undefined): EpochMs | null =>
    moment === null || moment === undefined || moment > now.wallMs ? null : moment;
  const monotonic = (moment: EpochMs): MonotonicMs => monotonicMs(now.monotonicMs + (moment - now.wallMs));
  const lastBeganAt = past(before?.lastBeganAt);
  const retryAfterUntil = before?.retryAfterUntil ?? null;
  const isWithinReason = retryAfterUntil !== null && retryAfterUntil - now.wallMs <= policy.limits.retryAfterMaxMs;
  const refilledAt = past(before?.bucket.refilledAt);
  return {
    name,
    policy,
    nextPolicy: null,
    phase: firstPhase(before, { policy, now }),
    stopping: false,
    held: null,
    incoming: null,
    grant: before?.grant ?? null,
    account: before?.account ?? null,
    refreshTokenExpiresAt: before?.refreshTokenExpiresAt ?? null,
    superseded: before?.superseded ?? [],
    // The epoch second: should this memory be lost, the next generation is still greater than all before.
    generation: Math.max(before?.generation ?? 0, before === null ? Math.floor(now.wallMs / 1000) : 0),
    generationOf: before?.generationOf ?? null,
    issuedAt: past(before?.issuedAt),
    attempt: before?.attempt ?? 0,
    lastBegan: lastBeganAt === null ? null : monotonic(lastBeganAt),
    lastBeganAt,
    lastReason: null,
    lastSucceededAt: past(before?.lastSucceededAt),
    failures: Math.min(before?.failures ?? 0, policy.maxRetries + 1),
    lastFailure: before?.lastFailure ?? null,
    notBefore: isWithinReason ? monotonic(retryAfterUntil) : null,
    rateLimitDoublings: before?.rateLimitDoublings ?? 0,
    bucket: {
      attempts: Math.min(before?.bucket.attempts ?? policy.limits.attemptBurst, policy.limits.attemptBurst),
      refilledAt: refilledAt === null ? now.monotonicMs : monotonic(refilledAt),
    },
    jumpGraceUntil: null,
    // What was sent last may have been sent a moment before the end.
    doubt: before?.doubt ? { ...before.doubt, settlesAt: monotonicMs(now.monotonicMs + policy.settleMs) } : null,
    refusal: resumedRefusal(before),
    clockBlamedFor: before?.clockBlamedFor ?? null,
    unpersisted: null,
    setAside: null,
    rejection: null,
    refreshedFor: null,
    quickRejections: 0,
    peers: [],
    wanted: null,
    demandedFor: null,
    downSince: past(before?.downSince),
    deliveries: targets.map((target) => newDelivery(target, before?.published)),
    sentinel: NEW_SENTINEL,
    episode: before?.episode ?? null,
    alerts: (before?.alerts ?? []).map(({ alert, status }) => resumedAlert(alert, status, now)),
    refreshTokenWarnings: before?.refreshTokenWarnings ?? 0,
    // Spread over the interval, so that a thousand stores are not looked at in the same moment.
    storeCheckDue: after(now, Math.ceil(policy.storeCheckMs * (0.5 + jitter(policy.jitterSeed, 0) / 2))),
    storeCheckInFlight: false,
  };
}

/** What was not answered before the process ended is sent again: at least once, under the same id. */
function resumedAlert(alert: AlertRecord['alert'], status: AlertRecord['status'], now: Now): AlertRecord {
  return status === 'sent'
    ? { alert, status, tries: 0, retryDue: null }
    : { alert, status: 'failed', tries: 0, retryDue: now.monotonicMs };
}

function firstPhase(before: Memory | null, { policy, now }: { readonly policy: Policy; readonly now: Now }): Phase {
  const latch = before?.latch ?? null;
  if (latch === null) return { kind: 'absent', detail: 'the store was not read yet' };
  // A probe planned while the clock ran ahead must not be waited for until then.
  const probeInMs = latch.probeAt === null ? null : Math.min(latch.probeAt - now.wallMs, policy.limits.probeIntervalMs);
  return {
    kind: 'reauthorization_required',
    reason: latch.reason,
    code: latch.code,
    since: latch.since,
    probeDue: probeInMs === null ? null : monotonicMs(now.monotonicMs + probeInMs),
    // Whoever starts a daemon anew has often mended its configuration first: it is looked at again, once a start.
    local: latch.reason === 'config',
  };
}

/** What was said of a configuration is asked anew at each start. */
function resumedRefusal(before: Memory | null): Refusal | null {
  const refusal = before?.refusal === undefined ? refusalOfLatch(before?.latch ?? null) : before.refusal;
  return refusal?.reason === 'config' ? null : refusal;
}

/** An earlier version kept it with the latch. */
interface EarlierLatch {
  readonly fingerprint?: Fingerprint | null;
  /** Of a store that was spoiled since. */
  readonly refusal?: Pick<Refusal, 'code'> & { readonly reason: 'terminal' | 'lost_response' };
}

function refusalOfLatch(latch: (NonNullable<Memory['latch']> & EarlierLatch) | null): Refusal | null {
  const fingerprint = latch?.fingerprint ?? null;
  if (latch === null || fingerprint === null) return null;
  const { reason, code, refusal } = latch;
  return reason === 'terminal' || reason === 'lost_response'
    ? { fingerprint, reason, code }
    : refusal === undefined
      ? null
      : { fingerprint, ...refusal };
}

/** Our own format under our own version: the file was checked when it was read, so a few landmarks tell. */
function isMemory(value: unknown): value is Memory {
  if (typeof value !== 'object' || value === null) return false;
  const memory = value as Partial<Record<keyof Memory, unknown>>;
  const isCounts = [memory.generation, memory.attempt, memory.failures].every(Number.isSafeInteger);
  // An earlier version did not remember what was published.
  const isLists = [memory.superseded, memory.alerts, memory.published ?? []].every(Array.isArray);
  return isCounts && isLists && typeof memory.bucket === 'object' && memory.bucket !== null;
}
