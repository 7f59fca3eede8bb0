import { expect, test } from 'vitest';
import type { Event } from '../../src/core/event.ts';
import { epochMs } from '../../src/core/token.ts';
import { createStoreChecks } from '../../src/daemon/perform-store.ts';
import { type CredentialParts, PortError } from '../../src/daemon/ports.ts';
import {
  deferred,
  fakeRefresh,
  fakeStore,
  fingerprint,
  keptLog,
  managed,
  manualClock,
  stateOf,
  tokens,
  until,
} from './fakes.ts';

interface Options {
  readonly local?: boolean;
  readonly attempting?: boolean;
  readonly code?: string;
  readonly loginChangedAt?: CredentialParts['loginChangedAt'];
}

function build(options: Options = {}) {
  const clock = manualClock();
  const store = fakeStore();
  const refresh = fakeRefresh(() => ({ kind: 'stored' }));
  const log = keptLog();
  const events: Event[] = [];
  const state = stateOf('a', clock);
  const required = {
    kind: 'reauthorization_required',
    reason: 'config',
    code: options.code ?? 'script_missing',
    since: clock.now().wallMs,
    probeDue: null,
    local: true,
  } as const;
  const check = createStoreChecks({
    credential: () => managed('a', { store, refresh, loginChangedAt: options.loginChangedAt }),
    state: () => (options.local === true ? { ...state, phase: required } : state),
    isAttempting: () => options.attempting === true,
    report: (_name, event) => events.push(event),
    log,
    fingerprint,
    limitMs: 20,
  });
  return { check: (name = 'a') => check(name), store, refresh, log, events };
}

test('E6: a store that changed is reported with what it holds, and not again while it stays so', async () => {
  const { check, store, events } = build();
  store.reading = { kind: 'tokens', tokens: tokens({ refreshToken: 'refresh-9' }) };
  await check();
  await check();
  expect(events).toMatchObject([
    { type: 'store_changed', attempt: null, grant: { fingerprint: fingerprint('refresh-9') } },
    { type: 'store_unchanged', obstacle: null },
  ]);
});

test.each([
  ['lock_place_unusable', { class: 'config', code: 'lock_place_unusable' }],
  ['io_error', { class: 'transient', code: 'io_error' }],
  ['store_busy', null],
])('a place of locks that cannot be used is looked at again until it can: %s', async (code, obstacle) => {
  const { check, store, events } = build({ local: true, code: 'lock_place_unusable' });
  const { lock } = store;
  await check();
  store.lock = async () => {
    throw new PortError('not now', { code, remedy: '' });
  };
  await check();
  store.lock = lock;
  await check();
  const found = obstacle === null ? null : expect.objectContaining(obstacle);
  expect(events.slice(1)).toEqual([
    { type: 'store_unchanged', obstacle: found },
    { type: 'store_unchanged', obstacle: null },
  ]);
  expect(store.locked).toBe(false);
});

test('a file system that hangs says nothing about the store, and gets no second look until it answers', async () => {
  const { check, store, events, log } = build();
  const hang = deferred();
  store.hang = hang.promise;
  await check();
  await check();
  expect(events.map((event) => event.type)).toEqual(['store_unchanged', 'store_unchanged']);
  expect(log.of('store_check_hung')).toHaveLength(1);
  hang.resolve();
  store.hang = null;
  store.reading = { kind: 'tokens', tokens: tokens({ refreshToken: 'refresh-9' }) };
  await until(() => events.length === 3);
  expect(events.at(-1)).toMatchObject({ type: 'store_changed', grant: { fingerprint: fingerprint('refresh-9') } });
  await check();
  expect(events.at(-1)).toEqual({ type: 'store_unchanged', obstacle: null });
});

test('F83: while eight stores hang no other is looked at, so that the journal keeps its threads', async () => {
  const { check, store, events } = build();
  const hang = deferred();
  const { readIfChanged } = store;
  let looks = 0;
  store.readIfChanged = async () => {
    looks += 1;
    await hang.promise;
    return readIfChanged();
  };
  await Promise.all(Array.from({ length: 8 }, (_, nth) => check(`a${nth}`)));
  await check('a8');
  expect([looks, events.length]).toEqual([8, 9]);
  hang.resolve();
  await until(() => {
    void check('a8');
    return looks > 8;
  });
});

test('a store that nobody may read is broken, with the reason; a full table of descriptors, or a lost mount, is not', async () => {
  const { check, store, events } = build();
  store.trouble = new PortError('not permitted', { code: 'permission_denied', remedy: 'chmod' });
  await check();
  store.trouble = new PortError('too many', { code: 'too_many_files', remedy: 'raise' });
  await check();
  store.trouble = new PortError('a stale handle', { code: 'mount_lost', remedy: 'mount it' });
  await check();
  expect(events).toMatchObject([
    { type: 'state_broken', reason: 'state_broken', detail: 'not permitted' },
    { type: 'store_unchanged' },
    { type: 'store_unchanged' },
  ]);
});

test('D1: a parser that throws breaks its own credential, and its message is not repeated', async () => {
  const { check, store, events, log } = build();
  store.trouble = new SyntaxError('unexpected sk-secret-1234567');
  await check();
  expect(events).toMatchObject([{ type: 'state_broken', reason: 'state_broken' }]);
  expect(JSON.stringify([events, log.records])).not.toContain('sk-secret');
});

test('F29: a local obstacle is looked at only where the credential waits for it to go', async () => {
  const waiting = build({ local: true });
  const idle = build();
  for (const { store, refresh } of [waiting, idle]) {
    await store.read();
    refresh.blocker = {
      class: 'config',
      code: 'script_missing',
      doubt: false,
      unsent: true,
      origin: 'local',
      retryAfterMs: null,
      detail: null,
    };
  }
  await waiting.check();
  await idle.check();
  expect(waiting.events).toMatchObject([{ type: 'store_unchanged', obstacle: { code: 'script_missing' } }]);
  expect(idle.events).toEqual([{ type: 'store_unchanged', obstacle: null }]);
});

test('E6: a path that tells of a login is looked at while one is waited for, whatever became of the store', async () => {
  const at = epochMs(1);
  const loginChangedAt = async () => at;
  const waiting = build({ local: true, loginChangedAt });
  const idle = build({ loginChangedAt });
  await waiting.store.read();
  for (const { check } of [waiting, idle]) await check();
  waiting.store.reading = { kind: 'missing', detail: 'gone' };
  await waiting.check();
  const told = { type: 'watched_path_changed', at };
  expect(waiting.events).toMatchObject([told, { type: 'store_unchanged' }, told, { type: 'token_missing' }]);
  expect(idle.events.filter(({ type }) => type === 'watched_path_changed')).toEqual([]);
});

test('during an attempt the store is left to the attempt, so that no change is swallowed', async () => {
  const { check, store, events } = build({ attempting: true });
  await check();
  expect(events).toMatchObject([{ type: 'store_unchanged' }]);
  expect((await store.readIfChanged()).kind).toBe('tokens');
});

test('many looks at once are one, and one more behind it: an older one is never reported behind a newer one', async () => {
  const { check, store, events } = build();
  const hang = deferred();
  store.hang = hang.promise;
  store.reading = { kind: 'tokens', tokens: tokens({ refreshToken: 'refresh-8' }) };
  const first = check();
  const others = [check(), check(), check()];
  store.reading = { kind: 'tokens', tokens: tokens({ refreshToken: 'refresh-9' }) };
  store.hang = null;
  hang.resolve();
  await Promise.all([first, ...others]);
  expect(events.map((event) => event.type)).toEqual([
    'store_unchanged',
    'store_unchanged',
    'store_changed',
    'store_unchanged',
  ]);
  expect(events[2]).toMatchObject({ grant: { fingerprint: fingerprint('refresh-9') } });
});
