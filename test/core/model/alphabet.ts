/**
 * What can happen next in the world of the walk, given what the core is waiting for.
 */
import type { Event } from '../../../src/core/event.ts';
import type { Failure } from '../../../src/core/failure.ts';
import type { CredentialState } from '../../../src/core/state.ts';
import { type Answer, epochMs, type Fingerprint, type Grant } from '../../../src/core/token.ts';
import { advanced, grantWith, newGrant, POLICY, UNIT, type World } from './world.ts';

/** One thing that happens: the event, and the world in which it is seen. */
export interface Happening {
  readonly name: string;
  readonly event: Event;
  readonly world: World;
  /** The state that meets the event, where another process has taken over. */
  readonly from?: CredentialState;
  /** Answers an effect that is no longer waited for: must equal a tick. */
  readonly stale?: boolean;
}

export type Slice = (state: CredentialState, world: World) => readonly Happening[];

const failure = (about: Partial<Failure> & Pick<Failure, 'class' | 'code'>): Failure => ({
  doubt: false,
  unsent: false,
  origin: 'server',
  retryAfterMs: null,
  detail: null,
  ...about,
});

const tick: Event = { type: 'tick' };

export function timePasses(_state: CredentialState, world: World): Happening[] {
  return [
    { name: 'tick', event: tick, world },
    { name: 'one unit passes', event: tick, world: advanced(world, { wall: 1, monotonic: 1 }) },
  ];
}

export function clocksJump(_state: CredentialState, world: World): Happening[] {
  return [3, -2].map((units) => ({
    name: `the wall clock jumps by ${units}`,
    event: { type: 'clock_jumped', byMs: units * UNIT } as const,
    world: jumped(advanced(world, { wall: units, monotonic: 0 }), units),
  }));
}

/** A jump forward counts as elapsed. */
function jumped(world: World, units: number): World {
  const elapsedMs = Math.max(0, units) * UNIT;
  const { lastBegan, retryAfterUntil } = world;
  const tokens = new Map(
    [...world.tokens].map(([print, token]) => [print, { ...token, seenAt: token.seenAt - elapsedMs }]),
  );
  return {
    ...world,
    tokens,
    lastBegan: lastBegan === null ? null : lastBegan - elapsedMs,
    retryAfterUntil: retryAfterUntil === null ? null : retryAfterUntil - elapsedMs,
  };
}

/** The answers that `begin_attempt` and `run_refresh` can get. */
function attemptEnds(state: CredentialState, world: World): Happening[] {
  const { phase, attempt } = state;
  if (phase.kind !== 'refreshing') return [];
  switch (phase.stage) {
    case 'recording':
      return [
        { name: 'recorded', event: { type: 'attempt_recorded', attempt }, world },
        {
          name: 'store busy',
          event: {
            type: 'refresh_failed',
            attempt,
            failure: failure({ class: 'transient', code: 'store_busy', unsent: true }),
          },
          world,
        },
        rotatedElsewhere(state, world),
      ];
    case 'running':
      return [...answers(state, world), ...failures(state, world)];
    case 'recording_answer':
      return [
        {
          name: 'answer recorded',
          event: { type: 'answer_recorded', attempt },
          world: phase.impasse === undefined && state.grant !== null ? withSuccessor(world, state.grant) : world,
        },
        { name: 'journal refuses', event: { type: 'answer_record_failed', attempt, code: 'journal_failed' }, world },
      ];
    case 'persisting':
      return persistEnds(state, phase.answer?.grant ?? null, attempt, world);
  }
}

function rotatedElsewhere(state: CredentialState, world: World): Happening {
  const next = newGrant(world, { life: 6 });
  return {
    name: 'another process rotated',
    event: { type: 'store_changed', grant: next.grant, attempt: state.attempt },
    world: next.world,
  };
}

function answer(name: string, world: World, attempt: number, grant: Grant, written = true): Happening {
  const response = written ? { access_token: 'secret' } : null;
  const untried = written && grant.token !== null ? grant.token.fingerprint : null;
  return {
    name,
    event: { type: 'refresh_succeeded', attempt, answer: { grant, response } },
    world: { ...world, untried },
  };
}

function answers(state: CredentialState, world: World): Happening[] {
  const { attempt, held } = state;
  const fresh = newGrant(world, { life: 6 });
  const assumed = newGrant(world, { life: 6, kind: 'assumed' });
  const late = newGrant(world, { life: 0 });
  const future = newGrant(world, { life: 6, startsIn: 2 });
  const happenings = [
    answer('new token', fresh.world, attempt, fresh.grant),
    answer('new token in the store already', fresh.world, attempt, fresh.grant, false),
    answer('new token of assumed life', assumed.world, attempt, assumed.grant),
    answer('new token, expired on arrival', late.world, attempt, late.grant),
    answer('new token, not yet valid', future.world, attempt, future.grant),
    answer('new refresh token only', { ...world, serial: world.serial + 1 }, attempt, grantWith(null, world.serial)),
  ];
  if (held !== null) {
    const same = { ...fresh.grant, token: held.token };
    const happening = answer('same access token, new refresh token', fresh.world, attempt, same);
    happenings.push({ ...happening, world: { ...happening.world, untried: null } });
  }
  return happenings;
}

const withSuccessor = (world: World, grant: Fingerprint): World => ({
  ...world,
  succeeded: new Set([...world.succeeded, grant]),
});

function failures({ attempt, phase, grant, setAside }: CredentialState, before: World): Happening[] {
  const aside = phase.kind === 'refreshing' && phase.impasse !== undefined ? setAside?.answer.grant.fingerprint : null;
  // Surely not spent: it may be sent again.
  const unspent = new Set([...before.sentAside].filter((each) => each !== aside));
  const lost = aside === null && grant !== null ? new Set([...before.unanswered, grant]) : before.unanswered;
  const worldAfter = ({ doubt, unsent, class: kind }: Pick<Failure, 'doubt' | 'unsent' | 'class'>): World => ({
    ...before,
    unanswered: doubt ? lost : before.unanswered,
    sentAside: unsent || kind === 'rate_limited' || kind === 'config' ? unspent : before.sentAside,
  });
  const failed = (name: string, about: Failure): Happening => ({
    name,
    event: { type: 'refresh_failed', attempt, failure: about },
    world:
      about.retryAfterMs === null
        ? worldAfter(about)
        : {
            ...worldAfter(about),
            retryAfterUntil: before.now.monotonicMs + Math.min(about.retryAfterMs, POLICY.limits.retryAfterMaxMs),
          },
  });
  return [
    failed('refused connection', failure({ class: 'transient', code: 'unreachable', unsent: true })),
    failed('timeout', failure({ class: 'transient', code: 'timeout', doubt: true })),
    failed('429 with Retry-After', failure({ class: 'rate_limited', code: 'slow_down', retryAfterMs: 3 * UNIT })),
    failed('429', failure({ class: 'rate_limited', code: 'slow_down' })),
    failed('invalid_grant', failure({ class: 'terminal', code: 'invalid_grant' })),
    failed(
      'invalid_grant by another clock',
      failure({ class: 'terminal', code: 'invalid_grant', clockSkewMs: 600_000 }),
    ),
    {
      name: 'invalid_grant, and the store broken',
      event: { type: 'state_broken', reason: 'state_broken', detail: '', attempt },
      world: before,
    },
    failed('invalid_client', failure({ class: 'config', code: 'invalid_client' })),
    failed('script missing', failure({ class: 'config', code: 'script_missing', origin: 'local', unsent: true })),
    {
      name: 'no result',
      event: { type: 'refresh_outcome_unknown', attempt },
      world: worldAfter({ doubt: true, unsent: false, class: 'transient' }),
    },
  ];
}

/** Only these ways for an attempt to go. */
export const attemptEndsBy =
  (...names: readonly string[]): Slice =>
  (state, world) =>
    attemptEnds(state, world).filter(({ name }) => names.includes(name));

function persistEnds(state: CredentialState, grant: Grant | null, attempt: number, world: World): Happening[] {
  if (grant === null) return [];
  const winner = newGrant(world, { life: 6 });
  const tried = { ...world, untried: null };
  return [
    {
      name: 'stored',
      event: { type: 'persist_succeeded', attempt, fingerprint: grant.fingerprint },
      world: { ...(state.grant === null ? tried : withSuccessor(tried, state.grant)), slot: null },
    },
    { name: 'disk full', event: { type: 'persist_failed', attempt, code: 'disk_full', winner: null }, world: tried },
    {
      name: 'another writer won',
      event: { type: 'persist_failed', attempt, code: 'changed_meanwhile', winner: winner.grant },
      world: { ...winner.world, untried: null, slot: asideFrom(state) },
    },
  ];
}

const asideFrom = ({ phase }: CredentialState): Answer | null => (phase.kind === 'refreshing' ? phase.answer : null);

/** The store is blanked or removed behind the daemon's back. */
export function storeEmpties({ phase, held }: CredentialState, world: World): Happening[] {
  if (phase.kind === 'refreshing' || held === null) return [];
  return [
    {
      name: 'its tool blanks the store',
      event: { type: 'state_broken', reason: 'store_blanked', detail: '', attempt: null },
      world,
    },
    { name: 'somebody removes the store', event: { type: 'token_missing', detail: '', attempt: null }, world },
  ];
}

/** An operator who passes over Retry-After. */
export const operatorInsists: Slice = (state, world) =>
  readersAsk(state, world).filter(({ name }) => name === 'an operator insists');

/** Messages about an attempt that is over: each must be as good as a tick. */
export function staleMessages(state: CredentialState, world: World): Happening[] {
  const attempt = state.attempt - 1;
  const { grant, world: after } = newGrant(world, { life: 6 });
  const events: Event[] = [
    { type: 'attempt_recorded', attempt },
    { type: 'refresh_succeeded', attempt, answer: { grant, response: null } },
    { type: 'refresh_failed', attempt, failure: failure({ class: 'terminal', code: 'invalid_grant' }) },
    { type: 'refresh_outcome_unknown', attempt },
    { type: 'persist_succeeded', attempt, fingerprint: grant.fingerprint },
    { type: 'store_changed', grant, attempt },
    { type: 'rejection_reported', generation: state.generation - 1, peer: 'p' },
    { type: 'publish_failed', target: 't', revision: -1, code: 'disk_full', remedy: '' },
  ];
  return events.map((event) => ({ name: `stale ${event.type}`, event, world: after, stale: true }));
}

export function storeMoves(state: CredentialState, world: World): Happening[] {
  if (!state.storeCheckInFlight || state.phase.kind === 'refreshing') return [];
  const next = newGrant(world, { life: 6 });
  const dead = newGrant(world, { life: -1 });
  const happenings: Happening[] = [
    { name: 'store unchanged', event: { type: 'store_unchanged', obstacle: null }, world },
    { name: 'a login elsewhere', event: { type: 'watched_path_changed', at: world.now.wallMs }, world },
    { name: 'an old login elsewhere', event: { type: 'watched_path_changed', at: epochMs(1) }, world },
    { name: 'another login', event: { type: 'store_changed', grant: next.grant, attempt: null }, world: next.world },
    { name: 'an expired token', event: { type: 'store_changed', grant: dead.grant, attempt: null }, world: dead.world },
    { name: 'store gone', event: { type: 'token_missing', detail: '', attempt: null }, world },
    {
      name: 'store blanked',
      event: { type: 'state_broken', reason: 'store_blanked', detail: '', attempt: null },
      world,
    },
  ];
  if (state.grant !== null && state.held !== null) {
    const same = { ...grantWith(state.held.token, 0), fingerprint: state.grant };
    happenings.push({ name: 'store as before', event: { type: 'store_changed', grant: same, attempt: null }, world });
  }
  return happenings;
}

export const consumersReport =
  (...peers: readonly string[]): Slice =>
  (state, world) =>
    reportsBy(peers, state, world);

function reportsBy(peers: readonly string[], state: CredentialState, world: World): Happening[] {
  if (state.held === null) return [];
  const { generation } = state.held;
  const at = world.now.monotonicMs;
  const known = world.reports?.generation === generation ? world.reports : { generation, first: at, last: at };
  return peers.map((peer) => ({
    name: `${peer} reports a 401`,
    event: { type: 'rejection_reported', generation, peer } as const,
    world: { ...world, reports: { ...known, last: at } },
  }));
}

export function readersAsk(_state: CredentialState, world: World): Happening[] {
  return [
    { name: 'a reader waits', event: { type: 'refresh_requested', cause: 'wait', force: false }, world },
    { name: 'a reader wants more life', event: { type: 'refresh_requested', cause: 'min_valid', force: false }, world },
    { name: 'an operator asks', event: { type: 'refresh_requested', cause: 'operator', force: false }, world },
    {
      name: 'an operator insists',
      event: { type: 'refresh_requested', cause: 'operator', force: true },
      world: { ...world, forced: true },
    },
  ];
}

export function deliveriesEnd(state: CredentialState, world: World): Happening[] {
  return state.deliveries.flatMap(({ target, revision, status }) =>
    status !== 'pending'
      ? []
      : [
          { name: `${target} delivered`, event: { type: 'publish_succeeded', target, revision }, world } as const,
          {
            name: `${target} refused`,
            event: { type: 'publish_failed', target, revision, code: 'disk_full', remedy: '' },
            world,
          } as const,
        ],
  );
}

export function alertsEnd(state: CredentialState, world: World): Happening[] {
  return state.alerts.flatMap(({ alert: { kind, id }, status }) =>
    status !== 'sending'
      ? []
      : [
          { name: `${kind} delivered`, event: { type: 'alert_delivered', kind, id }, world } as const,
          { name: `${kind} not accepted`, event: { type: 'alert_failed', kind, id }, world } as const,
        ],
  );
}

export function operatorStops(_state: CredentialState, world: World): Happening[] {
  return [{ name: 'stopping', event: { type: 'stopping' }, world }];
}

export function policyChanges(state: CredentialState, world: World): Happening[] {
  const isOriginal = state.policy.retryIntervalMs === POLICY.retryIntervalMs;
  const policy = { ...state.policy, retryIntervalMs: isOriginal ? 2 * UNIT : POLICY.retryIntervalMs };
  const targets = state.deliveries.map(({ target }) => target);
  return [{ name: 'another policy', event: { type: 'policy_changed', policy, targets }, world }];
}
