/**
 * Targets: what each of a list of publication targets is told, and what its answers mean. For credentials and for chains.
 *
 * Rule: a target is told when what it should hold differs from what it was last told; each fails and is retried alone.
 */
import type { Down } from './effect.ts';
import type { Limits } from './policy.ts';
import { after } from './schedule.ts';
import type { Delivery, SentinelDelivery } from './state.ts';
import type { Generation, Now } from './token.ts';

/** Name under which the sentinel's answers come back. */
export const SENTINEL_TARGET = 'sentinel';

export type TargetLimits = Pick<Limits, 'deliveryTimeoutMs' | 'deliveryRetryMs' | 'deliveryRetryMaxMs'>;

export const newDelivery = (target: string): Delivery => ({
  target,
  revision: 0,
  told: 'unknown',
  status: 'done',
  holds: 'unknown',
  failures: 0,
  code: null,
  remedy: null,
  retryDue: null,
});

export const NEW_SENTINEL: SentinelDelivery = { revision: 0, told: 'unknown', status: 'done', retryDue: null };

/**
 * Tells every target that does not know yet, or is to be told again.
 * @param wantedOf what it should hold; null: nothing
 * @returns `told`: those to which a command goes now, in order
 */
export function tellTargets(
  before: readonly Delivery[],
  wantedOf: (delivery: Delivery) => Generation | null,
  limits: TargetLimits,
  now: Now,
): { readonly deliveries: readonly Delivery[]; readonly told: readonly Delivery[] } {
  const told: Delivery[] = [];
  const deliveries = before.map((delivery) => {
    const wanted = wantedOf(delivery);
    const isOverdue = delivery.retryDue !== null && delivery.retryDue <= now.monotonicMs;
    if (delivery.told === wanted && !isOverdue) return delivery;
    const isNews = delivery.told !== wanted;
    const command: Delivery = {
      ...delivery,
      revision: delivery.revision + 1,
      told: wanted,
      status: 'pending',
      failures: isNews && delivery.status !== 'failed' ? 0 : delivery.failures,
      retryDue: after(now, limits.deliveryTimeoutMs),
    };
    told.push(command);
    return command;
  });
  return { deliveries: told.length === 0 ? before : deliveries, told };
}

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
