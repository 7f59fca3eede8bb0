/**
 * Mutants: cores that break one rule each. A walk that lets one pass is worthless.
 */
import { nextDeadline, step } from '../../../src/core/lifecycle.ts';
import type { CredentialState, Step } from '../../../src/core/state.ts';
import type { Now } from '../../../src/core/token.ts';
import { epochMs, monotonicMs } from '../../../src/core/token.ts';
import type { Subject } from './checks.ts';
import { core } from './slices.ts';
import { UNIT } from './world.ts';

type StepOf = Subject['step'];
type Event = Parameters<StepOf>[1];

/** A mutant, and the slice whose walk must reject it. */
export interface Mutant {
  readonly slice: string;
  readonly subject: Subject;
}

const stepping = (slice: string, mutate: StepOf): Mutant => ({ slice, subject: { ...core, step: mutate } });

/** Changes what the core made of some events. */
const afterwards = (
  slice: string,
  change: (taken: Step, before: CredentialState, event: Event, now: Now) => Step,
): Mutant => stepping(slice, (state, event, now) => change(step(state, event, now), state, event, now));

/** Changes the event that the core is told. */
const beforehand = (slice: string, change: (event: Event, state: CredentialState) => Event): Mutant =>
  stepping(slice, (state, event, now) => step(state, change(event, state), now));

const withPhase = (taken: Step, phase: CredentialState['phase']): Step => ({
  ...taken,
  state: { ...taken.state, phase },
});

const withdrawing = (taken: Step): Step => ({
  ...taken,
  effects: [...taken.effects, { type: 'withdraw_token', target: 't', revision: 99 }],
});

export const MUTANTS: Readonly<Record<string, Mutant>> = {
  'dropped back-off': afterwards('attempts', (taken, _before, _event, now) =>
    taken.state.phase.kind === 'backing_off' ? withPhase(taken, { kind: 'backing_off', due: now.monotonicMs }) : taken,
  ),
  'late attempt accepted': beforehand('attempts', (event, state) =>
    'attempt' in event && event.attempt !== null ? ({ ...event, attempt: state.attempt } as Event) : event,
  ),
  'stale 401 honoured': beforehand('reports', (event, state) =>
    event.type === 'rejection_reported' ? { ...event, generation: state.generation } : event,
  ),
  'publish before persist': afterwards('attempts', (taken, _before, event) => {
    if (event.type !== 'refresh_succeeded' || event.answer.grant.token === null) return taken;
    const { token } = event.answer.grant;
    const publication = { credential: taken.state.name, token, generation: taken.state.generation + 1 };
    return { ...taken, effects: [...taken.effects, { type: 'publish_token', target: 't', revision: 1, publication }] };
  }),
  'second attempt in flight': afterwards('reports', (taken, before, event) =>
    event.type === 'rejection_reported' && before.phase.kind === 'refreshing'
      ? {
          ...taken,
          effects: [
            ...taken.effects,
            { type: 'begin_attempt', attempt: 99, reason: 'rejection', expected: null, guarded: false, setAside: null },
          ],
        }
      : taken,
  ),
  'no expiry deadline': {
    slice: 'store',
    subject: { step, nextDeadline: (state, now) => nextDeadline(withoutExpiry(state), now) },
  },
  'valid token withdrawn on failure': afterwards('attempts', (taken, _before, event) =>
    event.type === 'refresh_failed' ? withdrawing(taken) : taken,
  ),
  'recovery never wakes': afterwards('attempts', (taken, _before, _event, now) =>
    taken.state.phase.kind === 'recovering'
      ? withPhase(taken, { kind: 'recovering', due: monotonicMs(now.monotonicMs + 1000 * UNIT) })
      : taken,
  ),
  // What a token of no life does to a core that plans from its expiry and knows no floor.
  'expires_in 0 hot loop': stepping('attempts', (state, event, now) => {
    const taken = step({ ...state, policy: { ...state.policy, minRefreshIntervalMs: 0 } }, event, now);
    const isAnswered = event.type === 'persist_succeeded' && state.phase.kind === 'refreshing';
    const phase = isAnswered ? ({ kind: 'backing_off', due: now.monotonicMs } as const) : taken.state.phase;
    return { ...taken, state: { ...taken.state, phase, policy: state.policy, lastBegan: null } };
  }),
  'stopped keeps a deadline': {
    slice: 'attempts',
    subject: { step, nextDeadline: (state, now) => nextDeadline(state, now) ?? UNIT },
  },
  'latch that opens by itself': stepping('store', (state, event, now) => {
    const isTick = event.type === 'tick' && state.phase.kind === 'reauthorization_required';
    return step(isTick ? { ...state, phase: { kind: 'backing_off', due: now.monotonicMs } } : state, event, now);
  }),
  'a report that latches': afterwards('reports', (taken, _before, event, now) =>
    event.type === 'rejection_reported' && taken.state.phase.kind === 'fresh'
      ? withPhase(taken, {
          kind: 'reauthorization_required',
          reason: 'terminal',
          code: 'rejected',
          since: now.wallMs,
          probeDue: null,
          local: false,
        })
      : taken,
  ),
  'no-progress counted as failure': afterwards('answers', (taken, before, event) =>
    event.type === 'persist_succeeded' &&
    before.phase.kind === 'refreshing' &&
    taken.state.generation === before.generation
      ? {
          ...taken,
          state: { ...taken.state, failures: Math.min(taken.state.policy.maxRetries + 1, before.failures + 1) },
        }
      : taken,
  ),
  'an assumed expiry that withdraws': beforehand('answers', (event) => {
    if (event.type !== 'refresh_succeeded') return event;
    const { token } = event.answer.grant;
    if (token === null || token.expiry.kind !== 'assumed') return event;
    const grant = { ...event.answer.grant, token: { ...token, expiry: { ...token.expiry, kind: 'known' as const } } };
    return { ...event, answer: { ...event.answer, grant } };
  }),
  'clocks swapped': stepping('clocks', (state, event, now) => step(state, event, swapped(now, state))),
  'superseded refresh token sent again': afterwards('attempts', (taken, before, event) =>
    event.type === 'persist_succeeded' && before.phase.kind === 'refreshing'
      ? { ...taken, state: { ...taken.state, grant: before.grant } }
      : taken,
  ),
  'answer forgotten when the disk is full': afterwards('writes', (taken, _before, event) =>
    event.type === 'persist_failed' ? { ...taken, state: { ...taken.state, unpersisted: null } } : taken,
  ),
  'generation used twice': afterwards('attempts', (taken, before) => {
    const { held } = taken.state;
    if (held === null || before.held === null || taken.state.generation === before.generation) return taken;
    const generation = before.generation;
    return { ...taken, state: { ...taken.state, generation, held: { ...held, generation } } };
  }),
  'Retry-After ignored': afterwards('limits', (taken, _before, event, now) => {
    if (event.type !== 'refresh_failed' || event.failure.class !== 'rate_limited') return taken;
    const phase = { kind: 'backing_off', due: monotonicMs(now.monotonicMs + UNIT) } as const;
    return { ...taken, state: { ...taken.state, phase, notBefore: null } };
  }),
  'wall clock alone decides expiry': stepping('clocks', (state, event, now) => step(byWallAlone(state), event, now)),
  'alert repeated in its episode': afterwards('alerts', (taken, before, event) => {
    const sent = before.alerts.find((record) => record.status === 'sent');
    return event.type === 'tick' && sent !== undefined
      ? { ...taken, effects: [...taken.effects, { type: 'send_alert', alert: sent.alert }] }
      : taken;
  }),
  'failed delivery never repeated': afterwards('deliveries', (taken, _before, event) =>
    event.type === 'publish_failed'
      ? {
          ...taken,
          state: {
            ...taken.state,
            deliveries: taken.state.deliveries.map((delivery) => ({ ...delivery, retryDue: null })),
          },
        }
      : taken,
  ),
  'lost response without an answer': afterwards('doubt', (taken, before, event, now) =>
    event.type === 'refresh_failed' && event.failure.doubt && before.doubt !== null
      ? withPhase(taken, {
          kind: 'reauthorization_required',
          reason: 'lost_response',
          code: 'lost_response',
          since: now.wallMs,
          probeDue: null,
          local: false,
        })
      : taken,
  ),
  'blind replay of what may have been spent': afterwards('doubt', (taken) => {
    const { phase } = taken.state;
    return phase.kind === 'refreshing' ? withPhase(taken, { ...phase, guard: 'none' }) : taken;
  }),
  'guarded send below the floor': stepping('doubt', (state, event, now) =>
    step(state.doubt === null ? state : { ...state, lastBegan: null }, event, now),
  ),
  'answer in the journal replayed instead of persisted': beforehand('restarts', (event) =>
    'journal' in event && event.journal ? { ...event, journal: { ...event.journal, answer: null } } : event,
  ),
  'doubt forgotten over a restart': stepping('restarts', (state, event, now) =>
    event.type === 'token_loaded'
      ? step({ ...state, doubt: null }, { ...event, journal: null }, now)
      : step(state, event, now),
  ),
  'latch forgotten while what was set aside is tried': stepping('aside over restarts', (state, event, now) => {
    const isNew = event.type === 'token_loaded' && state.phase.kind === 'reauthorization_required';
    return step(isNew ? { ...state, phase: { kind: 'absent', detail: '' }, refusal: null } : state, event, now);
  }),
  'set-aside answer tried twice': afterwards('aside', (taken, before) => {
    if (before.setAside === null || taken.state.setAside !== null) return taken;
    const { fingerprint } = before.setAside.answer.grant;
    const superseded = taken.state.superseded.filter((each) => each !== fingerprint);
    return { ...taken, state: { ...taken.state, superseded, setAside: before.setAside } };
  }),
  'confirmed rejection left in files': stepping('reports', (state, event, now) => {
    const limits = { ...state.policy.limits, confirmAfterMs: 1000 * UNIT };
    const taken = step({ ...state, policy: { ...state.policy, limits } }, event, now);
    return { ...taken, state: { ...taken.state, policy: state.policy } };
  }),
  'what is held remembered as what is in files': afterwards('deliveries', (taken) => {
    const expiry = taken.state.held?.token.expiry;
    if (expiry?.kind !== 'known') return taken;
    const deliveries = taken.state.deliveries.map((delivery) => ({ ...delivery, goodUntil: expiry.expiresAt }));
    return { ...taken, state: { ...taken.state, deliveries } };
  }),
  'good token taken away after a restart': afterwards('deliveries', (taken) => {
    const deliveries = taken.state.deliveries.map((delivery) => ({ ...delivery, goodUntil: null }));
    return { ...taken, state: { ...taken.state, deliveries } };
  }),
  'expired token left in files': stepping('attempts', (state, event, now) => {
    const taken = step(state, event, now);
    const told = taken.state.deliveries.map((delivery) => ({ ...delivery, told: state.generation }));
    return { effects: taken.effects, state: { ...taken.state, deliveries: told } };
  }),
};

function withoutExpiry(state: CredentialState): CredentialState {
  const { held } = state;
  if (held === null || held.token.expiry.kind !== 'known') return state;
  const expiry = { ...held.token.expiry, kind: 'assumed' as const };
  return { ...state, held: { ...held, token: { ...held.token, expiry } } };
}

/** Life counted by the wall clock only: what a monotonic count would say is ignored. */
function byWallAlone(state: CredentialState): CredentialState {
  const { held } = state;
  return held === null
    ? state
    : { ...state, held: { ...held, lifeAtReceiptMs: held.lifeAtReceiptMs === null ? null : 1e12 } };
}

function swapped(now: Now, state: CredentialState): Now {
  const origin = state.held?.receivedAt;
  if (origin === undefined) return now;
  const wallPassed = now.wallMs - origin.wallMs;
  const monotonicPassed = now.monotonicMs - origin.monotonicMs;
  return {
    wallMs: epochMs(origin.wallMs + monotonicPassed),
    monotonicMs: monotonicMs(origin.monotonicMs + wallPassed),
  };
}
