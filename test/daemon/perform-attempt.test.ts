import { expect, test } from 'vitest';
import { epochMs } from '../../src/core/token.ts';
import { PortError } from '../../src/daemon/ports.ts';
import { answerOf, build, EXPECTED, NEXT, ROTATED, TIMEOUT } from './attempt-arrange.ts';
import { deferred, fingerprint, tokens, until, WALL_START_MS } from './fakes.ts';

test('an attempt locks, re-reads, journals, runs, records, persists and unlocks, in this order', async () => {
  const built = build();
  const { attempts, events, journal, store, refresh } = built;
  const answer = await answerOf(built);
  expect(events[0]).toEqual({ type: 'attempt_recorded', attempt: 1 });
  expect(store.locked).toBe(true);
  expect(refresh.requests).toEqual([
    {
      credential: 'a',
      attempt: 1,
      reason: 'due',
      runId: 'run-1',
      storePath: '/nowhere/store.json',
      tokens: tokens(),
    },
  ]);
  expect(answer.grant).toMatchObject({ fingerprint: fingerprint('refresh-2'), hasRefreshToken: true });
  expect(answer.response).toEqual(NEXT);

  await attempts.record('a', { type: 'record_answer', attempt: 1, answer });
  expect(journal.entries.get('a')).toEqual({
    attempt: 1,
    fingerprint: EXPECTED,
    account: null,
    runId: 'run-1',
    process: { pid: 4711, startTime: '1' },
    bootId: 'boot-1',
    beganAt: WALL_START_MS,
    response: NEXT,
  });
  await attempts.persist('a', { type: 'persist_token', attempt: 1, answer, expected: EXPECTED });
  expect(store.writes).toEqual([NEXT]);
  await attempts.close('a', { type: 'close_attempt', attempt: 1, journal: 'empty' });
  expect(journal.entries.size).toBe(0);
  expect(store.locked).toBe(false);
  expect(attempts.isOpen('a')).toBe(false);
  expect(events.slice(2)).toEqual([
    { type: 'answer_recorded', attempt: 1 },
    { type: 'persist_succeeded', attempt: 1, fingerprint: fingerprint('refresh-2') },
  ]);
});

test('F8: a store that another process changed is reported and adopted instead of refreshed', async () => {
  const { begin, store, journal, events } = build();
  store.reading = { kind: 'tokens', tokens: tokens({ accessToken: 'other', refreshToken: 'refresh-9' }) };
  await begin();
  expect(events).toMatchObject([
    { type: 'store_changed', attempt: 1, grant: { fingerprint: fingerprint('refresh-9') } },
  ]);
  expect(journal.history).toEqual([]);
  expect(store.locked).toBe(false);
});

test.each([
  [
    { kind: 'missing', detail: 'no file' },
    { type: 'token_missing', detail: 'no file', attempt: 1 },
  ],
  [
    { kind: 'blanked', detail: 'empty' },
    { type: 'state_broken', reason: 'store_blanked', detail: 'empty', attempt: 1 },
  ],
  [
    { kind: 'broken', detail: 'no JSON' },
    { type: 'state_broken', reason: 'state_broken', detail: 'no JSON', attempt: 1 },
  ],
] as const)('F70: a store that is $kind ends the attempt before anything is sent', async (reading, expected) => {
  const { begin, store, events, refresh } = build();
  store.reading = reading;
  await begin();
  expect(events).toEqual([expected]);
  expect(refresh.requests).toEqual([]);
  expect(store.locked).toBe(false);
});

test('a script that mints tokens on its own needs nothing stored', async () => {
  const built = build({ policy: { mintsWithoutGrant: true } });
  built.store.reading = { kind: 'missing', detail: 'no file' };
  await built.begin(1, null);
  await built.run();
  expect(built.events.map((event) => event.type)).toEqual(['attempt_recorded', 'refresh_succeeded']);
  expect(built.refresh.requests[0]?.tokens).toBeNull();
});

test('F29: a local obstacle is reported before the store is touched', async () => {
  const { begin, refresh, store, events } = build();
  const failure = {
    class: 'config',
    code: 'script_missing',
    doubt: false,
    unsent: true,
    origin: 'local',
    retryAfterMs: null,
    detail: null,
  } as const;
  refresh.blocker = failure;
  await begin();
  expect(events).toEqual([{ type: 'refresh_failed', attempt: 1, failure }]);
  expect(store.locks).toBe(0);
});

test('a busy lock and a full journal are failures that sent nothing, and leave nothing held', async () => {
  const { begin, store, journal, events } = build();
  journal.trouble = new PortError('full', { code: 'journal_failed', remedy: 'free space' });
  await begin(1);
  store.lock = async () => {
    throw new PortError('busy', { code: 'store_busy', remedy: 'wait' });
  };
  await begin(2);
  expect(events).toMatchObject([
    { type: 'refresh_failed', attempt: 1, failure: { class: 'transient', code: 'journal_failed', unsent: true } },
    { type: 'refresh_failed', attempt: 2, failure: { class: 'transient', code: 'store_busy', unsent: true } },
  ]);
  expect(store.locked).toBe(false);
});

test('an orphaned lock of the tool is told with the record: whoever held it may have sent the same', async () => {
  const { begin, store, events } = build();
  store.wasOrphaned = () => true;
  await begin();
  expect(events).toEqual([{ type: 'attempt_recorded', attempt: 1, afterOrphan: true }]);
});

test('a place where the lock of the tool would exclude nobody is a matter of configuration', async () => {
  const { begin, store, events } = build();
  store.lock = async () => {
    throw new PortError('mounted by itself', { code: 'lock_place_unusable', remedy: '' });
  };
  await begin();
  expect(events).toMatchObject([
    {
      type: 'refresh_failed',
      failure: { class: 'config', origin: 'local', unsent: true, code: 'lock_place_unusable' },
    },
  ]);
});

test('F53: whoever waits for a lock adopts what its holder has stored meanwhile, without the lock', async () => {
  const { begin, store, events, refresh } = build();
  store.lock = async () => {
    store.reading = ROTATED;
    throw new PortError('held', { code: 'store_busy', remedy: '' });
  };
  await begin();
  expect(events).toMatchObject([
    { type: 'store_changed', attempt: 1, grant: { fingerprint: fingerprint('refresh-2') } },
  ]);
  expect(refresh.requests).toEqual([]);
});

test('a lock that never answers ends as store_busy, and is given back when it comes after all', async () => {
  const { begin, store, events } = build();
  const late = deferred();
  let released = 0;
  store.lock = async () => {
    await late.promise;
    return async () => {
      released += 1;
    };
  };
  await begin();
  expect(events).toMatchObject([{ type: 'refresh_failed', failure: { code: 'store_busy', unsent: true } }]);
  late.resolve();
  await until(() => released === 1);
  expect(events).toHaveLength(1);
});

test('an attempt that is closed while it waits in line sends nothing and gives its turn away', async () => {
  const { attempts, begin, events, store } = build({ slots: 0 });
  const begun = begin();
  await until(() => attempts.isOpen('a'));
  await attempts.close('a', { type: 'close_attempt', attempt: 1, journal: 'empty' });
  await begun;
  expect(events).toMatchObject([{ type: 'refresh_failed', attempt: 1, failure: { unsent: true } }]);
  expect(store.locks).toBe(0);
});

test.each([
  ['that an earlier process stored', null],
  ['that a tool stored', { resultInStore: true }],
])('I3: an answer %s is on the disk before the journal forgets it', async (_, policy) => {
  const built = build(policy === null ? {} : { policy });
  const order: string[] = [];
  built.store.sync = async () => void order.push('synced');
  const empty = built.journal.empty;
  built.journal.empty = (name) => {
    order.push('emptied');
    return empty(name);
  };
  if (policy !== null) await built.begin();
  await built.attempts.close('a', { type: 'close_attempt', attempt: 1, journal: 'empty' });
  expect(order).toEqual(['synced', 'emptied']);
});

test('I3: while the disk does not take what lies in the store, the journal keeps the answer', async () => {
  const { attempts, store, journal, log } = build();
  const [emptied, empty] = [[] as string[], journal.empty];
  journal.empty = (name) => {
    emptied.push(name);
    return empty(name);
  };
  store.sync = () => Promise.reject(new PortError('no disk', { code: 'io_error', remedy: 'look at it' }));
  await attempts.close('a', { type: 'close_attempt', attempt: 1, journal: 'empty' });
  expect(emptied).toEqual([]);
  expect(log.records).toContainEqual(
    expect.objectContaining({ event: 'journal_not_emptied', fields: expect.objectContaining({ code: 'io_error' }) }),
  );
});

test('the next attempt takes over what a former one left open', async () => {
  const { begin, store, events } = build();
  await begin(1);
  await begin(2);
  expect(events).toEqual([
    { type: 'attempt_recorded', attempt: 1 },
    { type: 'attempt_recorded', attempt: 2 },
  ]);
  expect(store.locks).toBe(2);
});

test('an answer is written over a store that was blanked or is gone meanwhile, unless it needs what stood there', async () => {
  for (const reading of [
    { kind: 'blanked', detail: 'emptied' },
    { kind: 'missing', detail: 'gone' },
  ] as const) {
    const built = build();
    const answer = await answerOf(built);
    built.store.reading = reading;
    await built.attempts.persist('a', { type: 'persist_token', attempt: 1, answer, expected: EXPECTED });
    expect(built.events.at(-1)).toMatchObject({ type: 'persist_succeeded' });
    built.store.reading = reading;
    const partial = { ...answer, response: { access_token: 'access-2' } };
    await built.attempts.persist('a', { type: 'persist_token', attempt: 1, answer: partial, expected: EXPECTED });
    expect(built.events.at(-1)).toMatchObject({ type: 'persist_failed', winner: null });
  }
});

test('F15: an answer without a refresh token keeps the old one', async () => {
  const answer = await answerOf(build({ outcome: { kind: 'response', response: { access_token: 'access-2' } } }));
  expect(answer.grant.fingerprint).toBe(EXPECTED);
});

test('F14: an answer with only a new refresh token is one to persist, and offers no access token', async () => {
  const answer = await answerOf(build({ outcome: { kind: 'response', response: { refresh_token: 'refresh-2' } } }));
  expect(answer.grant).toMatchObject({ token: null, fingerprint: fingerprint('refresh-2') });
});

test.each([
  [true, true],
  [false, false],
])('F30: garbage for an answer is in doubt where refresh tokens rotate (%s)', async (rotates, doubt) => {
  const { begin, run, events } = build({
    outcome: { kind: 'response', response: { nonsense: true } },
    policy: { rotates },
  });
  await begin();
  await run();
  expect(events.at(-1)).toMatchObject({ type: 'refresh_failed', failure: { class: 'transient', doubt } });
});

test('a tool that writes its store after its command returned is waited for', async () => {
  const built = build({ outcome: { kind: 'stored' }, policy: { resultInStore: true } });
  await built.begin();
  const { read } = built.store;
  let reads = 0;
  built.store.read = async () => {
    reads += 1;
    if (reads === 3) {
      built.store.reading = { kind: 'tokens', tokens: tokens({ accessToken: 'access-2', refreshToken: 'refresh-2' }) };
    }
    return read();
  };
  await built.run();
  expect(reads).toBe(3);
  expect(built.events.at(-1)).toMatchObject({
    type: 'refresh_succeeded',
    answer: { grant: { fingerprint: fingerprint('refresh-2') }, response: null },
  });
});

test('F66: a store that did not move is reported as it is, for the core to judge', async () => {
  const built = build({ outcome: { kind: 'stored' }, policy: { resultInStore: true } });
  await built.begin();
  await built.run();
  expect(built.events.at(-1)).toMatchObject({
    type: 'refresh_succeeded',
    answer: { grant: { fingerprint: EXPECTED, token: { fingerprint: fingerprint('access-1') } }, response: null },
  });
});

test('F77: a tool that was ended after it wrote its store has refreshed', async () => {
  const { begin, run, store, events } = build({ outcome: TIMEOUT, policy: { resultInStore: true } });
  await begin();
  store.reading = ROTATED;
  await run();
  expect(events.at(-1)).toMatchObject({
    type: 'refresh_succeeded',
    answer: { grant: { fingerprint: fingerprint('refresh-2') }, response: null },
  });
});

test('F24: a tool that was ended and wrote nothing has failed', async () => {
  const { begin, run, events } = build({ outcome: TIMEOUT, policy: { resultInStore: true } });
  await begin();
  await run();
  expect(events.at(-1)).toMatchObject({ type: 'refresh_failed', failure: { code: 'timeout' } });
});

test('F41: a store that cannot be read after its tool ran is said by its own code', async () => {
  const { begin, run, store, events } = build({ outcome: { kind: 'stored' }, policy: { resultInStore: true } });
  await begin();
  store.trouble = new PortError('input/output error', { code: 'io_error', remedy: 'look at the disk' });
  await run();
  expect(events.at(-1)).toMatchObject({ type: 'refresh_failed', failure: { class: 'transient', code: 'io_error' } });
});

test('an attempt that may send what was sent before is said in the log', async () => {
  const { attempts, begin, log } = build();
  await begin();
  expect(log.of('guarded_attempt')).toEqual([]);
  await attempts.begin('a', {
    type: 'begin_attempt',
    attempt: 2,
    reason: 'retry',
    expected: EXPECTED,
    guarded: true,
    setAside: null,
  });
  expect(log.of('guarded_attempt')).toEqual([
    { level: 'info', event: 'guarded_attempt', fields: { credential: 'a', attempt: 2 } },
  ]);
});

test('a refresher that throws leaves the outcome of its attempt unknown, and is logged without what it said', async () => {
  const { begin, run, refresh, events, log } = build();
  refresh.answer = () => {
    throw new Error('boom with sk-secret-1234567');
  };
  await begin();
  await run();
  expect(events.at(-1)).toEqual({ type: 'refresh_outcome_unknown', attempt: 1 });
  expect(log.of('internal_error')).toHaveLength(1);
  expect(JSON.stringify([log.records, events])).not.toContain('sk-secret');
});

test('F16: a store that refuses the write is reported by its code, and nothing is lost from the journal', async () => {
  const built = build();
  const answer = await answerOf(built);
  await built.attempts.record('a', { type: 'record_answer', attempt: 1, answer });
  built.store.trouble = new PortError('no space', { code: 'disk_full', remedy: 'free space' });
  await built.attempts.persist('a', { type: 'persist_token', attempt: 1, answer, expected: EXPECTED });
  await built.attempts.close('a', { type: 'close_attempt', attempt: 1, journal: 'keep' });
  expect(built.events.at(-1)).toEqual({ type: 'persist_failed', attempt: 1, code: 'disk_full', winner: null });
  expect(built.journal.entries.get('a')?.response).toEqual(NEXT);

  built.store.trouble = null;
  await built.attempts.persist('a', { type: 'persist_token', attempt: 1, answer, expected: EXPECTED });
  expect(built.events.at(-1)).toMatchObject({ type: 'persist_succeeded' });
  expect(built.store.locks).toBe(2);
  expect(built.store.locked).toBe(false);
});

test('F55: a commit onto a store that another writer changed is refused, and the winner is named', async () => {
  const built = build();
  const answer = await answerOf(built);
  built.store.reading = { kind: 'tokens', tokens: tokens({ refreshToken: 'refresh-9' }) };
  await built.attempts.persist('a', { type: 'persist_token', attempt: 1, answer, expected: EXPECTED });
  expect(built.events.at(-1)).toMatchObject({
    type: 'persist_failed',
    code: 'store_changed',
    winner: { fingerprint: fingerprint('refresh-9') },
  });
  expect(built.store.writes).toEqual([]);
});

test('a write that went through although it was given up is no foreign winner', async () => {
  const built = build();
  const answer = await answerOf(built);
  built.store.reading = {
    kind: 'tokens',
    tokens: tokens({ accessToken: 'access-2', refreshToken: 'refresh-2', obtainedAt: epochMs(WALL_START_MS) }),
  };
  await built.attempts.persist('a', { type: 'persist_token', attempt: 1, answer, expected: EXPECTED });
  expect(built.events.at(-1)).toMatchObject({ type: 'persist_succeeded' });
});

test('F83: a store that hangs is asked by one attempt, and by the next when that has ended', async () => {
  const built = build();
  const { read } = built.store;
  const silent = deferred();
  let asked = 0;
  built.store.read = async () => {
    asked += 1;
    await silent.promise;
    return read();
  };
  await built.begin(1);
  await built.begin(2);
  expect(asked).toBe(1);
  for (const event of built.events) {
    expect(event).toMatchObject({ type: 'refresh_failed', failure: { code: 'store_busy', unsent: true } });
  }
  silent.resolve();
  await until(() => {
    void built.begin(3);
    return built.events.some(({ type }) => type === 'attempt_recorded');
  });
});

test('F83: while eight stores hang no other is asked, so that the journal keeps its threads', async () => {
  const built = build({ slots: 20 });
  const silent = deferred();
  const asked: number[] = [];
  built.store.lock = async () => {
    asked.push(asked.length);
    await silent.promise;
    throw new PortError('gone', { code: 'io_error', remedy: '' });
  };
  await Promise.all(Array.from({ length: 8 }, (_, nth) => built.begin(1, EXPECTED, `a${nth}`)));
  await built.begin(1, EXPECTED, 'a8');
  expect(asked).toHaveLength(8);
  expect(built.events.at(-1)).toMatchObject({ type: 'refresh_failed', failure: { code: 'store_busy', unsent: true } });
  silent.resolve();
  await until(() => {
    void built.begin(2, EXPECTED, 'a8');
    return asked.length > 8;
  });
});

test('a store write that hangs is answered as timed_out', async () => {
  const built = build();
  const answer = await answerOf(built);
  let writes = 0;
  built.store.write = () => {
    writes += 1;
    return new Promise(() => undefined);
  };
  for (const _again of [1, 2]) {
    await built.attempts.persist('a', { type: 'persist_token', attempt: 1, answer, expected: EXPECTED });
    expect(built.events.at(-1)).toEqual({ type: 'persist_failed', attempt: 1, code: 'timed_out', winner: null });
  }
  expect(writes).toBe(1);
});
