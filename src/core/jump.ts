/**
 * A jump of the clocks: what a suspend or a set clock does to deadlines.
 *
 * Rule: a jump forward counts as elapsed for every waiting deadline; a jump backward leaves them alone. An attempt in flight keeps
 * its own deadline: its script was suspended with us, and its answer is worth more than a guess.
 */

import { after } from './schedule.ts';
import type { CredentialState, HeldToken, Phase } from './state.ts';
import type { MonotonicMs, Now } from './token.ts';
import { monotonicMs } from './token.ts';

export function applyJump(state: CredentialState, byMs: number, now: Now): CredentialState {
  const graced = {
    ...state,
    jumpGraceUntil: after(now, state.policy.limits.jumpGraceMs),
    storeCheckDue: now.monotonicMs,
  };
  if (byMs <= 0) return graced;
  const earlier = (moment: MonotonicMs): MonotonicMs => monotonicMs(moment - byMs);
  const earlierOrNull = (moment: MonotonicMs | null): MonotonicMs | null => (moment === null ? null : earlier(moment));
  return {
    ...graced,
    phase: shifted(state.phase, earlier),
    held: aged(state.held, earlier),
    incoming: aged(state.incoming, earlier),
    lastBegan: earlierOrNull(state.lastBegan),
    notBefore: earlierOrNull(state.notBefore),
    doubt: state.doubt === null ? null : { ...state.doubt, settlesAt: earlier(state.doubt.settlesAt) },
    bucket: { ...state.bucket, refilledAt: earlier(state.bucket.refilledAt) },
    rejection:
      state.rejection === null
        ? null
        : { ...state.rejection, firstAt: earlier(state.rejection.firstAt), lastAt: earlier(state.rejection.lastAt) },
    peers: state.peers.map((peer) => ({ ...peer, distrustedUntil: earlierOrNull(peer.distrustedUntil) })),
    deliveries: state.deliveries.map((delivery) => ({ ...delivery, retryDue: earlierOrNull(delivery.retryDue) })),
    sentinel: { ...state.sentinel, retryDue: earlierOrNull(state.sentinel.retryDue) },
    alerts: state.alerts.map((record) => ({ ...record, retryDue: earlierOrNull(record.retryDue) })),
    unpersisted:
      state.unpersisted === null ? null : { ...state.unpersisted, retryDue: earlier(state.unpersisted.retryDue) },
  };
}

/** Slept through is lived through: a clock set back later must not give that life again. */
function aged(held: HeldToken | null, earlier: (moment: MonotonicMs) => MonotonicMs): HeldToken | null {
  if (held === null) return null;
  return { ...held, receivedAt: { ...held.receivedAt, monotonicMs: earlier(held.receivedAt.monotonicMs) } };
}

function shifted(phase: Phase, earlier: (moment: MonotonicMs) => MonotonicMs): Phase {
  switch (phase.kind) {
    case 'backing_off':
    case 'recovering':
      return { ...phase, due: earlier(phase.due) };
    case 'reauthorization_required':
      return { ...phase, probeDue: phase.probeDue === null ? null : earlier(phase.probeDue) };
    default:
      return phase;
  }
}
