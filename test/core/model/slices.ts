/**
 * The slices of the walk: each lets some things happen in full and answers the rest at once, so that every slice closes in seconds.
 */
import { nextDeadline, step } from '../../../src/core/lifecycle.ts';
import { initialState } from '../../../src/core/memory.ts';
import type { Policy } from '../../../src/core/policy.ts';
import type { CredentialState } from '../../../src/core/state.ts';
import {
  alertsEnd,
  attemptEndsBy,
  clocksJump,
  consumersReport,
  deliveriesEnd,
  operatorInsists,
  operatorStops,
  policyChanges,
  readersAsk,
  type Slice,
  staleMessages,
  storeEmpties,
  storeMoves,
  timePasses,
} from './alphabet.ts';
import type { Subject } from './checks.ts';
import { restarts, restartsOverNothing } from './restarts.ts';
import type { WalkOptions } from './walk.ts';
import { firstWorld, newGrant, POLICY, UNIT, type World } from './world.ts';

export const core: Subject = { step, nextDeadline };

const together =
  (...parts: readonly Slice[]): Slice =>
  (state, world) =>
    parts.flatMap((part) => part(state, world));

interface SliceSetting {
  readonly slice: Slice;
  readonly policy: Policy;
  /** Which answers come at once. */
  readonly instant: 'deliveries' | 'nothing';
}

/** From begin to close without trouble. */
const SMOOTH = ['recorded', 'new token', 'answer recorded', 'stored'] as const;

/** A budget that the floor alone keeps, for slices that look elsewhere. */
const AMPLE: Policy = { ...POLICY, maxAttemptsPerHour: 60 };

const setting = (
  slice: Slice,
  policy: Policy = AMPLE,
  instant: SliceSetting['instant'] = 'deliveries',
): SliceSetting => ({
  slice,
  policy,
  instant,
});

export const SLICES: Readonly<Record<string, SliceSetting>> = {
  attempts: setting(
    together(
      timePasses,
      attemptEndsBy(...SMOOTH, 'store busy', 'another process rotated', 'refused connection', 'journal refuses'),
      staleMessages,
      operatorStops,
    ),
  ),
  answers: setting(
    together(
      timePasses,
      attemptEndsBy(
        'recorded',
        'new token in the store already',
        'new token of assumed life',
        'new token, expired on arrival',
        'new refresh token only',
        'same access token, new refresh token',
        'answer recorded',
        'stored',
      ),
    ),
  ),
  waiting: setting(
    together(
      timePasses,
      attemptEndsBy(
        'recorded',
        'new token in the store already',
        'new token, not yet valid',
        'answer recorded',
        'stored',
      ),
    ),
  ),
  limits: setting(
    together(
      timePasses,
      attemptEndsBy('recorded', 'new token in the store already', 'refused connection', '429 with Retry-After', '429'),
      operatorInsists,
    ),
  ),
  readers: setting(
    together(timePasses, attemptEndsBy('recorded', 'new token in the store already', 'refused connection'), readersAsk),
  ),
  budget: setting(
    together(
      timePasses,
      attemptEndsBy(
        'recorded',
        'new token in the store already',
        'same access token, new refresh token',
        'refused connection',
        'stored',
      ),
    ),
    POLICY,
  ),
  doubt: setting(
    together(
      timePasses,
      attemptEndsBy('recorded', 'new token in the store already', 'timeout', 'no result', 'invalid_grant'),
      staleMessages,
    ),
  ),
  clocks: setting(
    together(
      timePasses,
      clocksJump,
      attemptEndsBy(
        'recorded',
        'new token in the store already',
        'refused connection',
        'invalid_grant by another clock',
      ),
    ),
  ),
  reports: setting(
    together(
      timePasses,
      attemptEndsBy('recorded', 'new token in the store already', 'refused connection'),
      consumersReport('p'),
      staleMessages,
    ),
  ),
  peers: setting(
    together(timePasses, attemptEndsBy('recorded', 'new token in the store already'), consumersReport('p', 'q')),
    { ...AMPLE, limits: { ...POLICY.limits, peersMax: 1, distrustMaxMs: POLICY.limits.distrustMs } },
  ),
  policies: setting(
    together(
      timePasses,
      attemptEndsBy('recorded', 'new token in the store already', 'refused connection', 'invalid_client'),
      policyChanges,
    ),
  ),
  store: setting(
    together(
      timePasses,
      attemptEndsBy('recorded', 'new token in the store already', 'invalid_grant', 'invalid_client', 'script missing'),
      storeMoves,
      operatorInsists,
    ),
    { ...AMPLE, storeCheckMs: 2 * UNIT },
  ),
  writes: setting(
    together(timePasses, attemptEndsBy(...SMOOTH, 'disk full', 'another writer won', 'refused connection')),
  ),
  restarts: setting(together(timePasses, attemptEndsBy(...SMOOTH, 'timeout', 'invalid_grant', 'disk full'), restarts)),
  aside: setting(
    together(
      timePasses,
      attemptEndsBy(
        ...SMOOTH,
        'no result',
        'invalid_grant',
        'invalid_grant, and the store broken',
        'refused connection',
        'another writer won',
      ),
      storeEmpties,
    ),
    { ...AMPLE, maxRetries: 0, limits: { ...POLICY.limits, supersededMax: 2 } },
  ),
  'aside over restarts': setting(
    together(timePasses, attemptEndsBy(...SMOOTH, 'invalid_grant', 'another writer won'), restarts),
    { ...AMPLE, maxRetries: 0, limits: { ...POLICY.limits, supersededMax: 2 } },
  ),
  deliveries: setting(
    together(
      timePasses,
      attemptEndsBy('recorded', 'new token in the store already', 'refused connection'),
      deliveriesEnd,
      restartsOverNothing,
    ),
    AMPLE,
    'nothing',
  ),
  alerts: setting(
    together(
      timePasses,
      attemptEndsBy('recorded', 'new token in the store already', 'refused connection', 'invalid_grant'),
      alertsEnd,
    ),
    { ...AMPLE, alerts: ['first_failure', 'recovering', 'reauthorization_required', 'restored'] },
  ),
};

/** A credential that has just loaded a token of six units. */
export function walkOptions(name: string, subject: Subject = core): Omit<WalkOptions, 'maxStates'> {
  const chosen = SLICES[name];
  if (chosen === undefined) throw new Error(`no slice ${name}`);
  const tame = chosen.instant === 'nothing' ? subject : answeringAtOnce(subject);
  const empty = initialState({ name: 'c', policy: chosen.policy, targets: ['t'], memory: null }, firstWorld.now);
  const first = newGrant(firstWorld, { life: 6 });
  const loaded = tame.step(empty, { type: 'token_loaded', grant: first.grant }, first.world.now);
  const world: World = { ...first.world, publishedGeneration: loaded.state.generation };
  return { subject: tame, slice: chosen.slice, start: { state: loaded.state, world } };
}

/** Deliveries succeed as soon as they are commanded. */
function answeringAtOnce(subject: Subject): Subject {
  return {
    nextDeadline: subject.nextDeadline,
    step(state, event, now) {
      const taken = subject.step(state, event, now);
      return { state: delivered(taken.state), effects: taken.effects };
    },
  };
}

function delivered(state: CredentialState): CredentialState {
  const isQuiet =
    state.sentinel.status === 'done' &&
    state.deliveries.every((delivery) => delivery.status === 'done' && delivery.retryDue === null);
  if (isQuiet) return state;
  return {
    ...state,
    deliveries: state.deliveries.map((delivery) =>
      delivery.told === 'unknown'
        ? delivery
        : { ...delivery, status: 'done', holds: delivery.told, goodUntil: delivery.toldUntil, retryDue: null },
    ),
    sentinel: { ...state.sentinel, status: 'done', retryDue: null },
  };
}
