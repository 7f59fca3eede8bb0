/**
 * Targets: what each of a list of publication targets is told, and what its answers mean. For credentials and for chains.
 *
 * Rule: a target is told when what it should hold differs from what it was last told; each fails and is retried alone.
 */
import type { Down } from './effect.ts';
import type { Limits } from './policy.ts';
import { after } from './schedule.ts';
import type { Delivery, HeldToken, SentinelDelivery } from './state.ts';
import type { EpochMs, Now, Token } from './token.ts';
import { epochMs } from './token.ts';

/** Name under which the sentinel's answers come back. */
export const SENTINEL_TARGET = 'sentinel';

export type TargetLimits = Pick<Limits, 'deliveryTimeoutMs' | 'deliveryRetryMs' | 'deliveryRetryMaxMs'>;

/** @param remembered what an earlier process knew of the targets */
export const newDelivery = (target: string, remembered: readonly Published[] = []): Delivery => ({
  target,
  revision: 0,
  told: 'unknown',
  status: 'done',
  holds: 'unknown',
  toldUntil: null,
  goodUntil: remembered.find((published) => published.target === target)?.goodUntil ?? null,
  failures: 0,
  code: null,
  remedy: null,
  retryDue: null,
});

/** A target that may hold something, and until when that is good. No secrets: it is remembered over restarts. */
export interface Published {
  readonly target: string;
  readonly goodUntil: EpochMs;
}

export const publishedOf = (deliveries: readonly Delivery[]): readonly Published[] =>
  deliveries.flatMap(({ target, goodUntil }) => (goodUntil === null ? [] : [{ target, goodUntil }]));

/** Nothing was said to it since the start, and what an earlier process left there is still good. */
export const isStillGood = ({ told, goodUntil }: Delivery, now: Now): boolean =>
  told === 'unknown' && goodUntil !== null && goodUntil > now.wallMs;

/** How long until the first of what is kept so ends; empty: nothing is. */
export const keptForMs = (deliveries: readonly Delivery[], now: Now): readonly number[] =>
  deliveries.flatMap((delivery) =>
    delivery.goodUntil !== null && isStillGood(delivery, now) ? [delivery.goodUntil - now.wallMs] : [],
  );

export const NEW_SENTINEL: SentinelDelivery = { revision: 0, told: 'unknown', status: 'done', retryDue: null };

/**
 * Tells every target that does not know yet, or is to be told again.
 * @param wantedOf what it should hold; null: nothing; `as_it_is`: whatever it holds now
 * @returns `told`: those to which a command goes now, in order
 */
export function tellTargets(
  before: readonly Delivery[],
  wantedOf: (delivery: Delivery) => Wanted | null | 'as_it_is',
  limits: TargetLimits,
  now: Now,
): { readonly deliveries: readonly Delivery[]; readonly told: readonly Delivery[] } {
  const told: Delivery[] = [];
  const deliveries = before.map((delivery) => {
    const wanted = wantedOf(delivery);
    if (wanted === 'as_it_is') return delivery;
    const generation = wanted === null ? null : wanted.generation;
    const isOverdue = delivery.retryDue !== null && delivery.retryDue <= now.monotonicMs;
    const isNews = delivery.told !== generation;
    if (!isNews && !isOverdue) return delivery;
    const toldUntil = wanted === null ? null : endOf(wanted.token);
    const command: Delivery = {
      ...delivery,
      revision: delivery.revision + 1,
      told: generation,
      status: 'pending',
      toldUntil,
      // From here on it may hold the one or the other; a withdrawal that does not come through leaves what is there.
      goodUntil: toldUntil === null ? delivery.goodUntil : earlierOf(delivery.goodUntil, toldUntil),
      failures: isNews && delivery.status !== 'failed' ? 0 : delivery.failures,
      retryDue: after(now, limits.deliveryTimeoutMs),
    };
    told.push(command);
    return command;
  });
  return { deliveries: told.length === 0 ? before : deliveries, told };
}

type Wanted = Pick<HeldToken, 'token' | 'generation'>;

/** A token that nobody says ends is good for longer than anybody plans. */
const endOf = ({ expiry }: Token): EpochMs => (expiry.kind === 'known' ? expiry.expiresAt : NO_END);

const NO_END = epochMs(Number.MAX_SAFE_INTEGER);

/** Of something and of what nothing is known about, nothing is known. */
const earlierOf = (a: EpochMs | null, b: EpochMs): EpochMs | null => (a === null || a < b ? a : b);

interface TargetEvent {
  readonly target: string;
  readonly revision: number;
}

/** The target has what it was told; with a remark it has, and something beside it wants a person's eye. */
export function targetDelivered(
  deliveries: readonly Delivery[],
  event: TargetEvent & { readonly remark?: { readonly code: string; readonly remedy: string } },
  limits: TargetLimits,
  now: Now,
): readonly Delivery[] {
  return answered(deliveries, event, (delivery) => ({
    ...delivery,
    status: 'done',
    holds: delivery.told,
    goodUntil: delivery.toldUntil,
    failures: 0,
    code: event.remark?.code ?? null,
    remedy: event.remark?.remedy ?? null,
    // Looked at again, so that a remark goes away when its cause does.
    retryDue: event.remark === undefined ? null : after(now, limits.deliveryRetryMaxMs),
  }));
}

export function targetFailed(
  deliveries: readonly Delivery[],
  event: TargetEvent & { readonly code: string; readonly remedy: string },
  limits: TargetLimits,
  now: Now,
): readonly Delivery[] {
  return answered(deliveries, event, (delivery) => ({
    ...delivery,
    status: 'failed',
    failures: Math.min(delivery.failures + 1, FAILURES_MAX),
    code: event.code,
    remedy: event.remedy,
    retryDue: after(now, retryDelayMs(limits, delivery.failures)),
  }));
}

function answered(
  deliveries: readonly Delivery[],
  { target, revision }: TargetEvent,
  change: (delivery: Delivery) => Delivery,
): readonly Delivery[] {
  return deliveries.map((delivery) => {
    const isMeant = delivery.target === target && delivery.revision === revision && delivery.status === 'pending';
    return isMeant ? change(delivery) : delivery;
  });
}

/** Where doubling reaches its cap for any sensible limits; the count need not grow further. */
export const FAILURES_MAX = 6;

/** 2 s, doubling up to a minute. */
export function retryDelayMs({ deliveryRetryMs, deliveryRetryMaxMs }: TargetLimits, failures: number): number {
  return Math.min(deliveryRetryMaxMs, deliveryRetryMs * 2 ** failures);
}

/** @returns the sentinel as it is told now; null: it says already what it should */
export function tellSentinel(
  sentinel: SentinelDelivery,
  down: Down | null,
  limits: TargetLimits,
  now: Now,
): SentinelDelivery | null {
  const isOverdue = sentinel.retryDue !== null && sentinel.retryDue <= now.monotonicMs;
  if (isSame(sentinel.told, down) && !isOverdue) return null;
  return {
    revision: sentinel.revision + 1,
    told: down,
    status: 'pending',
    retryDue: after(now, limits.deliveryTimeoutMs),
  };
}

function isSame(a: SentinelDelivery['told'], b: Down | null): boolean {
  if (a === 'unknown') return false;
  if (a === null || b === null) return a === b;
  return a.since === b.since && a.reason === b.reason && a.code === b.code;
}

/** @param outcome `failed`: it is told again after the longest wait of all */
export function sentinelAnswered(
  sentinel: SentinelDelivery,
  answer: { readonly revision: number; readonly outcome: 'done' | 'failed' },
  limits: TargetLimits,
  now: Now,
): SentinelDelivery {
  if (sentinel.revision !== answer.revision || sentinel.status !== 'pending') return sentinel;
  const { outcome } = answer;
  return {
    ...sentinel,
    status: outcome,
    retryDue: outcome === 'done' ? null : after(now, limits.deliveryRetryMaxMs),
  };
}
