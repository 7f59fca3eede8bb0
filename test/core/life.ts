/**
 * The builder of the examples: one credential, driven through the real core on two clocks of its own.
 *
 * Rule: it answers what is not in question (journal, store writes, deliveries, sinks) at once, and asks `server` for the rest.
 * Time passes only from one of the core's own deadlines to the next, as in the daemon.
 */
import type { Effect } from '../../src/core/effect.ts';
import type { Event, JournalFinding } from '../../src/core/event.ts';
import type { Failure } from '../../src/core/failure.ts';
import { assertInvariants } from '../../src/core/invariants.ts';
import { nextDeadline, step } from '../../src/core/lifecycle.ts';
import { initialState, remember } from '../../src/core/memory.ts';
import { ALERT_KINDS, LIMITS, type Policy } from '../../src/core/policy.ts';
import type { CredentialState } from '../../src/core/state.ts';
import {
  type EpochMs,
  type Expiry,
  epochMs,
  type Fingerprint,
  type Grant,
  monotonicMs,
  type Now,
  type Token,
} from '../../src/core/token.ts';

export const SECOND = 1000;
export const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

/** 2026-11-22 02:00:00 UTC. */
export const START: EpochMs = epochMs(1_795_312_800_000);

/** The built-in limits, without jitter. */
export const POLICY: Policy = {
  method: 'script',
  resultInStore: false,
  mintsWithoutGrant: false,
  takesTokens: true,
  rotates: true,
  optional: false,
  scheme: 'bearer',
  refreshMarginMs: 30 * MINUTE,
  window: null,
  refreshTokenIdleMs: null,
  retryIntervalMs: 5 * MINUTE,
  maxRetries: 5,
  activeRecoveryIntervalMs: 30 * MINUTE,
  refreshTimeoutMs: MINUTE,
  killGraceMs: 5 * SECOND,
  minRefreshIntervalMs: 10 * SECOND,
  maxAttemptsPerHour: 30,
  settleMs: 2 * SECOND,
  storeCheckMs: MINUTE,
  rejectionHoldMs: MINUTE,
  jitterPercent: 0,
  jitterSeed: 7,
  alerts: ALERT_KINDS,
  reminderMs: null,
  limits: LIMITS,
};

/** What one attempt comes to: the event that answers `run_refresh`; `hang`: none ever comes. */
export type Server = (attempt: number, now: Now) => Event | 'hang';

export interface LifeOptions {
  readonly policy?: Partial<Policy>;
  readonly targets?: readonly string[];
  readonly memory?: unknown;
  readonly at?: Now;
  /** The first event; a grant with 8 h of life by default. */
  readonly first?: Event;
  readonly server?: Server;
  /** Answers an effect in place of the builder; null: no answer. Undefined: as usual. */
  readonly answer?: ((effect: Effect, now: Now) => Event | null | undefined) | undefined;
}

export interface Life {
  state: CredentialState;
  now: Now;
  server: Server;
  answer: LifeOptions['answer'];
  /** Every effect since the last look at this list. */
  effects: Effect[];
  /** Monotonic moments at which attempts were recorded, in ms since the start. */
  readonly attempts: number[];
  /** Kinds of alerts that a sink was given, in order. */
  readonly alerts: string[];
  dispatch(event: Event): void;
  /** Lives through `ms`, waking only at the core's deadlines. */
  pass(ms: number): void;
  /** Sleeps through `ms` without a wake-up; the clocks may disagree about it. */
  sleep(by: { readonly wall: number; readonly monotonic: number }): void;
  /** SIGKILL and start: only what is remembered, through JSON, and the first event. */
  restart(
    first: Event,
    options?: { readonly downMs?: number; readonly clean?: boolean; readonly forgets?: boolean },
  ): void;
  /** Alerts given to a sink since the last call. */
  newAlerts(): string[];
}

export function createLife(options: LifeOptions = {}): Life {
  const policy = { ...POLICY, ...options.policy };
  const targets = options.targets ?? ['env'];
  const first = options.at ?? { wallMs: START, monotonicMs: monotonicMs(1000 * HOUR) };
  const initial = initialState({ name: 'mail', policy, targets, memory: options.memory ?? null }, first);
  let seenAlerts = 0;
  const life: Life = {
    state: initial,
    now: first,
    server: options.server ?? (() => 'hang'),
    answer: options.answer,
    effects: [],
    attempts: [],
    alerts: [],
    dispatch(event) {
      const queue = [event];
      for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
        const taken = step(life.state, next, life.now);
        life.state = taken.state;
        assertInvariants(life.state, { deadlineMs: nextDeadline(life.state, life.now) }, life.now);
        for (const effect of taken.effects) {
          life.effects.push(effect);
          const answer = answerTo(life, effect, first);
          if (answer !== null) queue.push(answer);
        }
        if (queue.length > QUEUE_MAX) throw new Error('events without end');
      }
    },
    pass(ms) {
      const end = life.now.monotonicMs + ms;
      for (;;) {
        const delayMs = nextDeadline(life.state, life.now) ?? Number.POSITIVE_INFINITY;
        if (life.now.monotonicMs + delayMs > end) break;
        advance(life, { wall: delayMs, monotonic: delayMs });
        life.dispatch({ type: 'tick' });
      }
      advance(life, { wall: end - life.now.monotonicMs, monotonic: end - life.now.monotonicMs });
    },
    sleep(by) {
      advance(life, by);
      const byMs = by.wall - by.monotonic;
      life.dispatch(Math.abs(byMs) > 2000 ? { type: 'clock_jumped', byMs } : { type: 'tick' });
    },
    restart(event, { downMs = SECOND, clean = false, forgets = false } = {}) {
      if (clean) life.dispatch({ type: 'stopping' });
      const memory: unknown = forgets ? null : JSON.parse(JSON.stringify(remember(life.state, life.now)));
      // Another process: its monotonic clock starts anywhere.
      life.now = { wallMs: epochMs(life.now.wallMs + downMs), monotonicMs: monotonicMs(HOUR) };
      const { policy: present, deliveries } = life.state;
      const ids = deliveries.map(({ target }) => target);
      life.state = initialState({ name: 'mail', policy: present, targets: ids, memory }, life.now);
      life.effects = [];
      life.dispatch(event);
    },
    newAlerts() {
      const news = life.alerts.slice(seenAlerts);
      seenAlerts = life.alerts.length;
      return news;
    },
  };
  life.dispatch(options.first ?? { type: 'token_loaded', grant: grant(1) });
  return life;
}

const QUEUE_MAX = 100;

function advance(life: Life, by: { readonly wall: number; readonly monotonic: number }): void {
  const { wallMs, monotonicMs: monotonic } = life.now;
  life.now = { wallMs: epochMs(wallMs + by.wall), monotonicMs: monotonicMs(monotonic + by.monotonic) };
}

function answerTo(life: Life, effect: Effect, start: Now): Event | null {
  const chosen = life.answer?.(effect, life.now);
  if (effect.type === 'send_alert' && chosen === undefined) life.alerts.push(effect.alert.kind);
  if (effect.type === 'run_refresh') life.attempts.push(life.now.monotonicMs - start.monotonicMs);
  if (chosen !== undefined) return chosen;
  switch (effect.type) {
    case 'begin_attempt':
      return { type: 'attempt_recorded', attempt: effect.attempt };
    case 'run_refresh': {
      const answer = life.server(effect.attempt, life.now);
      return answer === 'hang' ? null : answer;
    }
    case 'record_answer':
      return { type: 'answer_recorded', attempt: effect.attempt };
    case 'persist_token':
      return {
        type: 'persist_succeeded',
        attempt: effect.attempt,
        fingerprint: effect.answer.grant.fingerprint,
      };
    case 'reread_store':
      return { type: 'store_unchanged', obstacle: null };
    case 'publish_token':
    case 'withdraw_token':
      return { type: 'publish_succeeded', target: effect.target, revision: effect.revision };
    case 'set_sentinel':
      return { type: 'publish_succeeded', target: 'sentinel', revision: effect.revision };
    case 'send_alert':
      return { type: 'alert_delivered', kind: effect.alert.kind, id: effect.alert.id };
    default:
      return null;
  }
}

interface GrantOptions {
  /** When the token was issued; null: not known. */
  readonly issuedAt?: number | null;
  readonly lifeMs?: number;
  readonly expiry?: Expiry;
  readonly notBefore?: EpochMs | null;
  readonly account?: string | null;
  readonly refreshTokenExpiresAt?: EpochMs | null;
  /** Of the refresh token, when it is not that of the access token's serial. */
  readonly refreshSerial?: number;
  readonly token?: null;
}

/** The n-th grant of the credential: access token `a<n>`, refresh token `r<n>`, 8 h of life from its issue. */
export function grant(serial: number, options: GrantOptions = {}): Grant {
  return {
    token: options.token === null ? null : tokenOf(serial, options),
    fingerprint: `r${options.refreshSerial ?? serial}` as Fingerprint,
    hasRefreshToken: true,
    refreshTokenExpiresAt: options.refreshTokenExpiresAt ?? null,
    account: options.account ?? null,
  };
}

function tokenOf(serial: number, { issuedAt = START, lifeMs = 8 * HOUR, expiry, notBefore }: GrantOptions): Token {
  return {
    accessToken: `secret-${serial}`,
    tokenType: 'Bearer',
    fingerprint: `a${serial}` as Fingerprint,
    obtainedAt: issuedAt === null ? null : epochMs(issuedAt),
    notBefore: notBefore ?? null,
    expiry: expiry ?? { kind: 'known', expiresAt: epochMs((issuedAt ?? START) + lifeMs) },
  };
}

export const failure = (about: Partial<Failure> & Pick<Failure, 'code'>): Failure => ({
  class: 'transient',
  doubt: false,
  unsent: false,
  origin: 'server',
  retryAfterMs: null,
  detail: null,
  ...about,
});

/** A server that fails every attempt in the same way. */
export const failing =
  (about: Partial<Failure> & Pick<Failure, 'code'>): Server =>
  (attempt) => ({ type: 'refresh_failed', attempt, failure: failure(about) });

/** A server that answers each attempt with a token of its own, issued now. */
export const serving =
  (options: GrantOptions = {}): Server =>
  (attempt, now) => ({
    type: 'refresh_succeeded',
    attempt,
    answer: {
      grant: grant(1000 + attempt, { issuedAt: now.wallMs, ...options }),
      response: { access_token: 'secret' },
    },
  });

/** A server that answers with one and the same grant. */
export const answering =
  (given: Grant): Server =>
  (attempt) => ({
    type: 'refresh_succeeded',
    attempt,
    answer: { grant: given, response: { access_token: 'secret' } },
  });

export const loaded = (given: Grant, journal: JournalFinding | null = null): Event => ({
  type: 'token_loaded',
  grant: given,
  journal,
});
export const moved = (given: Grant): Event => ({ type: 'store_changed', grant: given, attempt: null });
export const missing: Event = { type: 'token_missing', detail: 'no such file', attempt: null };
export const broken: Event = { type: 'state_broken', reason: 'state_broken', detail: 'no JSON', attempt: null };
export const blanked: Event = {
  type: 'state_broken',
  reason: 'store_blanked',
  detail: 'its tool emptied it',
  attempt: null,
};
