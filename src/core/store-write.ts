/**
 * The store between attempts: looking whether it moved, and writing again what it did not take.
 *
 * Rule: both are repeated until they are answered, so an answer that is lost costs a wait and nothing else.
 */
import { adopt, supersede } from './adoption.ts';
import type { Effect } from './effect.ts';
import type { Event } from './event.ts';
import { after } from './schedule.ts';
import { outlived, setAside } from './set-aside.ts';
import type { CredentialState, Step } from './state.ts';
import { FAILURES_MAX, retryDelayMs } from './targets.ts';
import type { Now } from './token.ts';

export function settleStore(state: CredentialState, now: Now): Step {
  if (state.phase.kind === 'refreshing' || state.stopping) return { state, effects: [] };
  const effects: Effect[] = [];
  let next = state;
  const { unpersisted } = state;
  if (unpersisted !== null && unpersisted.retryDue <= now.monotonicMs) {
    const { attempt, answer, expected } = unpersisted;
    effects.push({ type: 'persist_token', attempt, answer, expected });
    // Should no answer come, the write is simply tried again.
    const retryDue = after(now, 2 * state.policy.limits.effectTimeoutMs);
    next = { ...next, unpersisted: { ...unpersisted, inFlight: true, retryDue } };
  }
  if (next.storeCheckDue <= now.monotonicMs) {
    effects.push({ type: 'reread_store' });
    // An answer that does not come in time is lost: a store must not go unwatched for ever.
    const lostAfterMs = Math.max(next.policy.storeCheckMs, 2 * next.policy.limits.effectTimeoutMs);
    next = { ...next, storeCheckInFlight: true, storeCheckDue: after(now, lostAfterMs) };
  }
  return { state: next, effects };
}

/** Stuck in what the store was found to hold, or not to hold. */
function isSpoiled({ phase }: CredentialState): boolean {
  const isLatched = phase.kind === 'reauthorization_required';
  return (
    phase.kind === 'absent' || (isLatched && (phase.reason === 'state_broken' || phase.reason === 'store_blanked'))
  );
}

/** The answer to a repeated write of what an earlier attempt brought. */
export function unpersistedAnswered(
  state: CredentialState,
  event: Extract<Event, { type: 'persist_succeeded' | 'persist_failed' }>,
  now: Now,
): Step {
  const { unpersisted } = state;
  if (unpersisted === null) return { state, effects: [] };
  if (event.type === 'persist_succeeded') {
    const written: CredentialState = { ...outlived(supersede(state, event.fingerprint)), unpersisted: null };
    const grant = { ...unpersisted.answer.grant, fingerprint: event.fingerprint };
    return {
      // Nothing else will say that it can be used again: what is written here is no change to whoever looks at the store.
      state: isSpoiled(written) ? adopt(written, grant, now) : written,
      effects: [{ type: 'close_attempt', attempt: event.attempt, journal: 'empty' }],
    };
  }
  if (event.winner !== null) {
    const cleared = { ...state, unpersisted: null };
    const kept = setAside(cleared, unpersisted.answer, event.winner);
    const journal = kept === cleared ? 'empty' : 'set_aside';
    return {
      state: adopt(kept, event.winner, now),
      effects: [{ type: 'close_attempt', attempt: event.attempt, journal }],
    };
  }
  const failures = Math.min(FAILURES_MAX, unpersisted.failures + 1);
  const retryDue = after(now, retryDelayMs(state.policy.limits, unpersisted.failures));
  return {
    state: { ...state, unpersisted: { ...unpersisted, failures, code: event.code, inFlight: false, retryDue } },
    effects: [],
  };
}
