import { expect, test } from 'vitest';
import type { Event } from '../../src/core/event.ts';
import { step } from '../../src/core/lifecycle.ts';
import { initialState } from '../../src/core/memory.ts';
import type { CredentialState } from '../../src/core/state.ts';
import { epochMs } from '../../src/core/token.ts';
import { grantOf } from '../../src/core/token-response.ts';
import { createObserver } from '../../src/daemon/observe.ts';
import { fingerprint, keptLog, manualClock, policy, tokens } from './fakes.ts';

/** Feeds events to the real core and gives back what was logged. */
function observed(changes: Parameters<typeof policy>[0] = {}) {
  const clock = manualClock();
  const log = keptLog();
  const observe = createObserver({ log, remedy: () => 'freshd login a', standIns: () => [] });
  const targets = ['envFile:/x#T'];
  let state: CredentialState = initialState({ name: 'a', policy: policy(changes), targets, memory: null }, clock.now());
  const feed = (...events: Event[]) => {
    for (const event of events) {
      const now = clock.now();
      const before = state;
      state = step(before, event, now).state;
      observe({ credential: 'a', event, before, after: state, now });
    }
  };
  return { clock, log, feed, state: () => state };
}

const grant = grantOf(tokens(), fingerprint);
if (grant === null) throw new Error('expected a grant');
const LOADED: Event = { type: 'token_loaded', grant };

const failure = (code: string, failureClass: 'transient' | 'terminal') =>
  ({
    class: failureClass,
    code,
    doubt: false,
    unsent: false,
    origin: 'server',
    retryAfterMs: null,
    detail: 'what was seen',
  }) as const;

test('A10, E4: one record per transition, and a stable name where retries stop', () => {
  const { clock, log, feed, state } = observed();
  feed(LOADED);
  clock.pass(3_000_000);
  feed({ type: 'tick' });
  const { attempt } = state();
  feed(
    { type: 'attempt_recorded', attempt },
    { type: 'refresh_failed', attempt, failure: failure('http_503', 'transient') },
  );
  clock.pass(300_000);
  feed({ type: 'tick' });
  const second = state().attempt;
  feed(
    { type: 'attempt_recorded', attempt: second },
    { type: 'refresh_failed', attempt: second, failure: failure('invalid_grant', 'terminal') },
  );
  const transitions = log.records.filter(({ fields }) => 'from' in fields);
  expect(
    transitions.map(({ level, event, fields }) => [level, event, fields.from, fields.to, fields.attempt, fields.code]),
  ).toEqual([
    ['info', 'credential_fresh', 'absent', 'fresh', 0, null],
    ['info', 'refresh_started', 'fresh', 'refreshing', 1, null],
    ['warn', 'refresh_failed', 'refreshing', 'backing_off', 1, 'http_503'],
    ['info', 'refresh_started', 'backing_off', 'refreshing', 2, 'http_503'],
    ['warn', 'reauthorization_required', 'refreshing', 'reauthorization_required', 2, 'invalid_grant'],
  ]);
  expect(new Set(transitions.map(({ fields }) => fields.credential))).toEqual(new Set(['a']));
});

test('F71: what puts each attempt off for hours is said once, and the attempt that gets under way after it', () => {
  const { clock, log, feed, state } = observed();
  const next = (...answers: ((attempt: number) => Event)[]) => {
    clock.pass(600_000);
    feed({ type: 'tick' });
    for (const answer of answers) feed(answer(state().attempt));
  };
  const putOff =
    (code: string) =>
    (attempt: number): Event => ({
      type: 'refresh_failed',
      attempt,
      failure: { ...failure(code, 'transient'), unsent: true, origin: 'local' },
    });
  const begun = (attempt: number): Event => ({ type: 'attempt_recorded', attempt });
  const failed = (attempt: number): Event => ({
    type: 'refresh_failed',
    attempt,
    failure: failure('http_503', 'transient'),
  });
  feed(LOADED);
  clock.pass(3_000_000);
  for (let hour = 0; hour < 6; hour += 1) for (let again = 0; again < 6; again += 1) next(putOff('left_run_alive'));
  for (let again = 0; again < 6; again += 1) next(putOff('store_busy'));
  next(begun, failed);
  next(begun, failed);
  next(putOff('store_busy'));
  const records = log.records.filter(({ fields }) => 'from' in fields);
  expect(records.map(({ event, fields }) => [event, fields.to, fields.attempt, fields.code])).toEqual([
    ['credential_fresh', 'fresh', 0, null],
    ['refresh_started', 'refreshing', 1, null],
    ['refresh_failed', 'backing_off', 1, 'left_run_alive'],
    ['refresh_failed', 'backing_off', 37, 'store_busy'],
    ['refresh_started', 'refreshing', 43, 'store_busy'],
    ['refresh_failed', 'backing_off', 43, 'http_503'],
    ['refresh_started', 'refreshing', 44, 'http_503'],
    ['refresh_failed', 'backing_off', 44, 'http_503'],
    ['refresh_started', 'refreshing', 45, 'http_503'],
    ['refresh_failed', 'backing_off', 45, 'store_busy'],
  ]);
});

test('an answer from before the start is said to be stored, not to be asked for', () => {
  const { clock, log, feed } = observed();
  const next = grantOf(tokens({ accessToken: 'access-2', refreshToken: 'refresh-2' }), fingerprint);
  if (next === null) throw new Error('expected a grant');
  const answer = { grant: next, response: { access_token: 'access-2', refresh_token: 'refresh-2' } };
  const journal = { attempt: 7, fingerprint: grant.fingerprint, beganAt: clock.now().wallMs, answer };
  feed({ ...LOADED, journal }, { type: 'persist_succeeded', attempt: 7, fingerprint: next.fingerprint });
  expect(log.records.map(({ event, fields }) => [event, fields.attempt, fields.reason])).toEqual([
    ['answer_resumed', 7, 'resumed'],
    ['refresh_succeeded', 7, null],
  ]);
});

test('an attempt that brought a new token, the same one, or met somebody else has a name of its own', () => {
  const { clock, log, feed, state } = observed();
  const answered = (accessToken: string, via: 'refresh' | 'store') => {
    const next = grantOf(tokens({ accessToken }), fingerprint);
    if (next === null) throw new Error('expected a grant');
    feed({ type: 'refresh_requested', cause: 'operator', force: true });
    const { attempt } = state();
    if (via === 'store') feed({ type: 'store_changed', grant: next, attempt });
    else {
      feed({ type: 'attempt_recorded', attempt });
      feed({ type: 'refresh_succeeded', attempt, answer: { grant: next, response: null } });
    }
    clock.pass(60_000);
  };
  feed(LOADED);
  answered('second', 'refresh');
  answered('second', 'refresh');
  answered('third', 'store');
  const ends = log.records.filter(({ fields }) => fields.from === 'refreshing').map(({ event }) => event);
  expect(ends).toEqual(['refresh_succeeded', 'refresh_without_progress', 'token_adopted']);
});

test('D3: one WARN line says which credential, why, what takes its place, and what brings it back', () => {
  const { log, feed } = observed();
  feed({ type: 'state_broken', reason: 'state_broken', detail: 'expected JSON', attempt: null });
  expect(log.records.filter(({ level }) => level === 'warn')).toMatchObject([
    {
      event: 'reauthorization_required',
      fields: {
        credential: 'a',
        reason: 'state_broken',
        code: 'state_broken',
        instead: 'nothing',
        remedy: 'freshd login a',
      },
    },
  ]);
});

test('a publication that fails is logged once while it fails alike, and when it is good again', () => {
  const { clock, log, feed, state } = observed();
  feed(LOADED);
  const target = 'envFile:/x#T';
  const answer = (type: 'publish_failed' | 'publish_succeeded') => {
    const revision = state().deliveries[0]?.revision ?? 0;
    feed(
      type === 'publish_failed'
        ? { type, target, revision, code: 'disk_full', remedy: 'free space' }
        : { type, target, revision },
    );
    clock.pass(70_000);
    feed({ type: 'tick' });
  };
  answer('publish_failed');
  answer('publish_failed');
  answer('publish_succeeded');
  const names = log.records.map(({ event }) => event).filter((event) => event.startsWith('publish'));
  expect(names).toEqual(['publish_failed', 'publish_restored']);
});

test('a thousand reports of one rejection make one record, and its confirmation another', () => {
  const { clock, log, feed, state } = observed();
  feed(LOADED);
  const generation = state().generation;
  for (let peer = 0; peer < 1_000; peer += 1) feed({ type: 'rejection_reported', generation, peer: `p${peer}` });
  clock.pass(6_000);
  feed({ type: 'rejection_reported', generation, peer: 'p1' });
  expect(log.of('token_rejected').map(({ fields }) => fields.confirmed)).toEqual([false, true]);
});

test('F21: a life that leaves no time for a second try is said once, an ordinary one never', () => {
  const living = (serial: number, lifeMs: number): Event => {
    const { obtainedAt } = tokens();
    const expiry = { kind: 'known', expiresAt: epochMs((obtainedAt ?? 0) + lifeMs) } as const;
    const found = grantOf(
      tokens({ accessToken: `access-${serial}`, refreshToken: `refresh-${serial}`, expiry }),
      fingerprint,
    );
    if (found === null) throw new Error('expected a grant');
    return { type: 'store_changed', grant: found, attempt: null };
  };
  const { log, feed } = observed({ minRefreshIntervalMs: 10_000 });
  feed(LOADED, living(2, 31_000));
  expect(log.of('token_short_lived')).toEqual([]);
  feed(living(3, 30_000), living(4, 30_000));
  const fields = { credential: 'a', life_ms: 30_000, floor_ms: 10_000 };
  expect(log.of('token_short_lived')).toEqual([{ level: 'warn', event: 'token_short_lived', fields }]);
});

test('A10: no record holds a token', () => {
  const { clock, log, feed } = observed();
  feed(LOADED);
  clock.pass(3_700_000);
  feed({ type: 'tick' });
  const text = JSON.stringify(log.records);
  expect(text).not.toMatch(/access-1|refresh-1/);
});
