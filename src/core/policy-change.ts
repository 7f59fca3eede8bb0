/**
 * A changed configuration of a credential: applied at once, or when the attempt in flight has closed.
 */
import { dueNow, planned } from './adoption.ts';
import type { Policy } from './policy.ts';
import { refreshEnded } from './rejection.ts';
import { isExpired, refreshes, retryPhase } from './schedule.ts';
import type { CredentialState, Phase, Step } from './state.ts';
import { newDelivery } from './targets.ts';
import type { Now } from './token.ts';
import { monotonicMs } from './token.ts';

interface Change {
  readonly policy: Policy;
  readonly targets: readonly string[];
}

export function changePolicy(state: CredentialState, { policy, targets }: Change, now: Now): CredentialState {
  if (state.phase.kind === 'refreshing') return { ...state, nextPolicy: { policy, targets } };
  return changed(state, { policy, targets }, now);
}

export function settlePolicy(state: CredentialState, now: Now): Step {
  const isReady = state.nextPolicy !== null && state.phase.kind !== 'refreshing';
  return { state: isReady && state.nextPolicy !== null ? changed(state, state.nextPolicy, now) : state, effects: [] };
}

function changed(before: CredentialState, { policy, targets }: Change, now: Now): CredentialState {
  const deliveries = targets.map(
    (target) => before.deliveries.find((delivery) => delivery.target === target) ?? newDelivery(target),
  );
  const failures = Math.min(before.failures, policy.maxRetries + 1);
  // Nobody hears the end of a story about a place that is gone.
  const alerts = before.alerts.filter(({ alert }) => alert.target === null || targets.includes(alert.target));
  // What a server said of the former configuration.
  const refusal = before.refusal?.reason === 'config' ? null : before.refusal;
  const state: CredentialState = { ...before, policy, deliveries, failures, alerts, refusal, nextPolicy: null };
  const known = refreshes(policy) ? state : refreshEnded(state);
  return { ...known, phase: replanned(known, now) };
}

/** Waits are never made longer by a change: a person who edits the configuration wants to see it act. */
function replanned(state: CredentialState, now: Now): Phase {
  const { phase, held } = state;
  switch (phase.kind) {
    case 'fresh':
      return held !== null && !isExpired(held, now) ? planned(state, now) : phase;
    case 'backing_off':
    case 'recovering': {
      if (!refreshes(state.policy)) return planned(state, now);
      const next = retryPhase(state, now);
      return { ...phase, ...next, due: monotonicMs(Math.min(phase.due, next.due)) };
    }
    case 'absent':
      // It may have been absent only because nobody was allowed to refresh it.
      return state.grant !== null && refreshes(state.policy) ? planned(state, now) : phase;
    case 'reauthorization_required':
      if (phase.reason !== 'config') return phase;
      return refreshes(state.policy) ? dueNow(now) : planned(state, now);
    default:
      return phase;
  }
}
