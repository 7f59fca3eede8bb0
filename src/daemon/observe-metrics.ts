/**
 * What is counted and measured of each transition of a credential, of deliveries of chains, and of the alarm.
 *
 * Rule: as for the log: everything is derived from two states and the event between them, and nothing is decided here.
 */
import { isExpired, lifeLeftMs } from '../core/schedule.ts';
import type { CredentialState, Delivery } from '../core/state.ts';
import { rejectionOutcome } from '../core/view.ts';
import type { Transition } from './engine.ts';
import type { AlarmPort, ClockPort } from './ports.ts';
import type { ChainsPort } from './ports-chains.ts';
import type { MetricsPort } from './ports-metrics.ts';

export function observeMetrics(transition: Transition, metrics: MetricsPort): void {
  const { credential, event, before, after, now } = transition;
  if (event.type === 'rejection_reported') {
    metrics.count('rejections_total', { credential, outcome: rejectionOutcome(before, after, event, now).outcome });
  }
  if (before === after) return;
  observeAttempt(transition, metrics);
  if (after.generation > before.generation) observeChange(transition, metrics);
  const wasOpen = before.episode !== null && before.episode.endedAt === null;
  const isOpen = after.episode !== null && after.episode.endedAt === null;
  if (wasOpen && !isOpen) {
    const lastedMs = now.wallMs - before.episode.startedAt;
    metrics.observe('recovery_duration_seconds', { credential }, seconds(lastedMs));
  }
  countFailedDeliveries(credential, before.deliveries, after.deliveries, metrics);
}

function observeAttempt({ credential, before, after, now }: Transition, metrics: MetricsPort): void {
  const { phase, policy, lastFailure } = after;
  const isAnother = after.attempt !== before.attempt;
  if (phase.kind === 'refreshing' && isAnother) {
    metrics.count('refresh_attempts_total', { credential, reason: phase.reason });
  }
  if (lastFailure !== null && lastFailure !== before.lastFailure) {
    metrics.count('refresh_failures_total', { credential, class: lastFailure.class, code: lastFailure.code });
  }
  if (after.failures > policy.maxRetries && before.failures <= policy.maxRetries) {
    metrics.count('active_recoveries_total', { credential });
  }
  const isOver = before.phase.kind === 'refreshing' && (phase.kind !== 'refreshing' || isAnother);
  if (!isOver || before.lastBegan === null) return;
  const outcome = outcomeOf(before, after);
  metrics.observe('refresh_duration_seconds', { credential, outcome }, seconds(now.monotonicMs - before.lastBegan));
}

/** `none`: the store brought another login, or nothing was sent. */
function outcomeOf(before: CredentialState, after: CredentialState): 'success' | 'failure' | 'none' {
  if (after.lastSucceededAt !== before.lastSucceededAt) return 'success';
  return after.lastFailure === null || after.lastFailure === before.lastFailure ? 'none' : 'failure';
}

/** A new token took the place of an old one. */
function observeChange({ credential, before, now }: Transition, metrics: MetricsPort): void {
  const { held } = before;
  const leftMs = held === null ? null : lifeLeftMs(held, now);
  if (held === null || leftMs === null || held.token.expiry.kind !== 'known') return;
  const { expiresAt } = held.token.expiry;
  if (isExpired(held, now)) {
    metrics.observe('expiry_to_refresh_seconds', { credential }, seconds(now.wallMs - expiresAt));
  } else metrics.observe('token_headroom_seconds', { credential }, seconds(leftMs));
}

function countFailedDeliveries(
  credential: string,
  before: readonly Delivery[],
  after: readonly Delivery[],
  metrics: MetricsPort,
): void {
  if (before === after) return;
  const former = new Map(before.map((delivery) => [delivery.target, delivery]));
  for (const delivery of after) {
    const { target, status } = delivery;
    const isNews = status === 'failed' && former.get(target) !== delivery && former.get(target)?.status === 'pending';
    if (isNews) metrics.count('publish_failures_total', { credential, target });
  }
}

/** Counts what the targets of chains do not take. */
export function observeChains(chains: Pick<ChainsPort, 'onStep'>, metrics: MetricsPort): void {
  const known = new Map<string, readonly Delivery[]>();
  chains.onStep((chain, state) => {
    if (state === null) {
      known.delete(chain);
      return;
    }
    countFailedDeliveries(chain, known.get(chain) ?? NONE, state.deliveries, metrics);
    known.set(chain, state.deliveries);
  });
}

/** The alarm, with a look at how late it rings. */
export function measuredAlarm(alarm: AlarmPort, clock: ClockPort, metrics: MetricsPort): AlarmPort {
  return {
    set(delayMs, ring) {
      const dueAt = clock.now().monotonicMs + delayMs;
      alarm.set(delayMs, () => {
        metrics.observe('alarm_lag_seconds', {}, seconds(clock.now().monotonicMs - dueAt));
        ring();
      });
    },
    clear: () => alarm.clear(),
  };
}

/** A clock that was set meanwhile makes no negative durations. */
const seconds = (durationMs: number): number => Math.max(0, durationMs) / 1000;

const NONE: readonly Delivery[] = [];
