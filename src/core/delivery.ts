/**
 * Delivery: what each publication target and the sentinel are told, and what their answers mean.
 *
 * Rule: a target is told when what it should hold differs from what it was last told; each fails and is retried alone.
 */
import type { Down, Effect } from './effect.ts';
import { isWithheld } from './rejection.ts';
import { after, isExpired } from './schedule.ts';
import type { CredentialState, Delivery, SentinelDelivery, Step } from './state.ts';
import type { Generation, MonotonicMs, Now } from './token.ts';

/** Name under which the sentinel's answers come back. */
export const SENTINEL_TARGET = 'sentinel';

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

/** May consumers have the held token at `now`? Derived, never stored. */
export function isUsable(state: CredentialState, now: Now): boolean {
  return state.held !== null && !isExpired(state.held, now) && !isWithheld(state, now);
}

/**
 * The generation that belongs into files; null: none.
 * `keep`: nothing is held yet after a start, but what was published before is still good, so nobody takes it away.
 */
function wantedGeneration(state: CredentialState, now: Now): Generation | null | 'keep' {
  if (isUsable(state, now) && state.held !== null) return state.held.generation;
  const isUntouched = state.held === null && state.publishedUntil !== null && state.publishedUntil > now.wallMs;
  return isUntouched ? 'keep' : null;
}

export function settleDeliveries(state: CredentialState, now: Now): Step {
  const wanted = wantedGeneration(state, now);
  if (wanted === 'keep') return { state, effects: [] };
  const effects: Effect[] = [];
  const deliveries = state.deliveries.map((delivery) => {
    const isOverdue = delivery.retryDue !== null && delivery.retryDue <= now.monotonicMs;
    if (delivery.told === wanted && !isOverdue) return delivery;
    const told = tell(state, delivery, wanted, now);
    effects.push(commandFor(state, told));
    return told;
  });
  return effects.length === 0 ? { state, effects } : { state: { ...state, deliveries }, effects };
}

function tell(state: CredentialState, delivery: Delivery, wanted: Generation | null, now: Now): Delivery {
  const isNews = delivery.told !== wanted;
  return {
    ...delivery,
    revision: delivery.revision + 1,
    told: wanted,
    status: 'pending',
    failures: isNews && delivery.status !== 'failed' ? 0 : delivery.failures,
    retryDue: after(now, 2 * state.policy.limits.effectTimeoutMs),
  };
}

function commandFor(state: CredentialState, { target, revision, told }: Delivery): Effect {
  return told === null || state.held === null
    ? { type: 'withdraw_token', target, revision }
    : {
        type: 'publish_token',
        target,
        revision,
        publication: { token: state.held.token, generation: state.held.generation },
      };
}

export function delivered(state: CredentialState, event: { target: string; revision: number }): CredentialState {
  if (event.target === SENTINEL_TARGET) return sentinelAnswered(state, event.revision, null);
  return withDelivery(state, event, (delivery) => ({
    ...delivery,
    status: 'done',
    holds: delivery.told,
    failures: 0,
    code: null,
    remedy: null,
    retryDue: null,
  }));
}

export function undelivered(
  state: CredentialState,
  event: { target: string; revision: number; code: string; remedy: string },
  now: Now,
): CredentialState {
  if (event.target === SENTINEL_TARGET) {
    return sentinelAnswered(state, event.revision, after(now, state.policy.limits.deliveryRetryMaxMs));
  }
  return withDelivery(state, event, (delivery) => ({
    ...delivery,
    status: 'failed',
    failures: Math.min(delivery.failures + 1, FAILURES_MAX),
    code: event.code,
    remedy: event.remedy,
    retryDue: after(now, retryDelayMs(state, delivery.failures)),
  }));
}

/** Where doubling reaches its cap for any sensible limits; the count need not grow further. */
export const FAILURES_MAX = 6;

/** 2 s, doubling up to a minute. */
export function retryDelayMs(state: CredentialState, failures: number): number {
  const { deliveryRetryMs, deliveryRetryMaxMs } = state.policy.limits;
  return Math.min(deliveryRetryMaxMs, deliveryRetryMs * 2 ** failures);
}

function withDelivery(
  state: CredentialState,
  event: { target: string; revision: number },
  change: (delivery: Delivery) => Delivery,
): CredentialState {
  const deliveries = state.deliveries.map((delivery) =>
    delivery.target === event.target && delivery.revision === event.revision && delivery.status === 'pending'
      ? change(delivery)
      : delivery,
  );
  return { ...state, deliveries };
}

export function settleSentinel(state: CredentialState, now: Now): Step {
  const isDown = !isUsable(state, now);
  const downSince = isDown ? (state.downSince ?? now.wallMs) : null;
  const known = downSince === state.downSince ? state : { ...state, downSince };
  const down = downSince === null ? null : { since: downSince, ...whyDown(known) };
  const { sentinel } = known;
  const isOverdue = sentinel.retryDue !== null && sentinel.retryDue <= now.monotonicMs;
  if (isSame(sentinel.told, down) && !isOverdue) return { state: known, effects: [] };
  const told: SentinelDelivery = {
    revision: sentinel.revision + 1,
    told: down,
    status: 'pending',
    retryDue: after(now, 2 * state.policy.limits.effectTimeoutMs),
  };
  return { state: { ...known, sentinel: told }, effects: [{ type: 'set_sentinel', revision: told.revision, down }] };
}

/** Says why there is no token; steady while attempts come and go, so that the file is not rewritten by each. */
export function whyDown(state: CredentialState): { reason: string; code: string } {
  const { phase } = state;
  if (phase.kind === 'reauthorization_required') return { reason: phase.reason, code: phase.code };
  const reason = state.held === null ? 'none' : state.rejection?.confirmed === true ? 'rejected' : 'expired';
  return { reason, code: state.lastFailure?.code ?? (phase.kind === 'absent' ? 'token_missing' : reason) };
}

function isSame(a: SentinelDelivery['told'], b: Down | null): boolean {
  if (a === 'unknown') return false;
  if (a === null || b === null) return a === b;
  return a.since === b.since && a.reason === b.reason && a.code === b.code;
}

function sentinelAnswered(state: CredentialState, revision: number, retryDue: MonotonicMs | null): CredentialState {
  const { sentinel } = state;
  if (sentinel.revision !== revision || sentinel.status !== 'pending') return state;
  return { ...state, sentinel: { ...sentinel, status: retryDue === null ? 'done' : 'failed', retryDue } };
}
