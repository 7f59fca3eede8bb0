import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { createDirectoryWatches } from '../../src/adapters/stores/directory-watch.ts';
import { createStore } from '../../src/adapters/stores/registry.ts';
import type { Daemon } from '../../src/daemon/daemon.ts';
import type { RefreshOutcome, StorePort } from '../../src/daemon/ports.ts';
import { privateFolder } from '../config/arrange.ts';
import { daemonOnFakes } from './fake-daemon.ts';
import { deferred, fakeRefresh, fakeStore, keptLog, managed, manualClock, tokens, until } from './fakes.ts';

const OTHER = { kind: 'tokens', tokens: tokens({ accessToken: 'access-9', refreshToken: 'refresh-9' }) } as const;

function daemonOf(store: StorePort, answer: () => Promise<RefreshOutcome> = async () => ({ kind: 'stored' })) {
  const clock = manualClock();
  const log = keptLog();
  const refresh = fakeRefresh(answer);
  const daemon: Daemon = daemonOnFakes({
    clock,
    log,
    credentials: [managed('a', { store, refresh })],
    readConfiguration: async () => ({
      ok: true,
      added: [],
      changed: [],
      removed: ['a'],
      settings: { sinks: [], alertKinds: [], maxConcurrentRefreshes: 4 },
      applied: () => undefined,
    }),
  });
  const held = () => daemon.state('a')?.held?.token.accessToken;
  return { daemon, log, refresh, held };
}

test('E6: a change that the watch tells of is looked at without any time passing', async () => {
  const store = fakeStore();
  const { daemon, held } = daemonOf(store);
  await daemon.start();
  expect(held()).toBe('access-1');
  store.reading = OTHER;
  store.changed();
  await until(() => held() === 'access-9');
});

test('a touch that changes nothing is no news', async () => {
  const store = fakeStore();
  const { daemon, log } = daemonOf(store);
  await daemon.start();
  const before = daemon.state('a');
  const steps: unknown[] = [];
  daemon.onStep((_name, state) => steps.push(state));
  store.changed();
  await until(() => steps.length > 0);
  expect(daemon.state('a')).toEqual(before);
  expect(log.of('internal_error')).toEqual([]);
});

test('a change during an attempt is looked at when that is over', async () => {
  const store = fakeStore();
  const run = deferred<RefreshOutcome>();
  const { daemon, refresh, held } = daemonOf(store, () => run.promise);
  await daemon.start();
  daemon.dispatch('a', { type: 'refresh_requested', cause: 'operator', force: true });
  await until(() => refresh.requests.length === 1);
  expect(store.purposes).toEqual(['script']);
  store.reading = OTHER;
  store.changed();
  expect(held()).toBe('access-1');
  const failure = {
    class: 'transient',
    code: 'script_failed',
    doubt: false,
    unsent: true,
    origin: 'local',
    retryAfterMs: null,
    detail: null,
  } as const;
  run.resolve({ kind: 'failure', failure });
  await until(() => held() === 'access-9');
});

test('a store that changes before it was read for the first time is looked at again', async () => {
  const store = fakeStore();
  const read = deferred();
  const before = store.reading;
  store.read = () => read.promise.then(() => before);
  const { daemon, held } = daemonOf(store);
  const started = daemon.start();
  await until(() => store.watchers === 1);
  store.reading = OTHER;
  store.changed();
  read.resolve();
  await started;
  await until(() => held() === 'access-9');
});

test('nothing is watched after a stop, nor for a credential that was removed', async () => {
  const stores = [fakeStore(), fakeStore()];
  const [stopped, removed] = stores.map((store) => daemonOf(store).daemon);
  for (const daemon of [stopped, removed]) await daemon?.start();
  expect(stores.map(({ watchers }) => watchers)).toEqual([1, 1]);
  await stopped?.stop();
  await removed?.reload();
  expect(stores.map(({ watchers }) => watchers)).toEqual([0, 0]);
});

test('E6, D2: a login into a real file is adopted though the clock stands still', async () => {
  const folder = privateFolder();
  const path = join(folder, 'store.json');
  await writeFile(path, '{');
  const store = createStore({
    format: 'token-response',
    path,
    entry: null,
    lockDirectory: join(folder, 'locks'),
    now: () => manualClock().now().wallMs,
    patience: { settledMs: 1, everyMs: 1, forMs: 20 },
    expires: { kind: 'as_stated' },
    expiresInDefaultMs: 3_600_000,
    watches: createDirectoryWatches(),
  });
  const { daemon, held } = daemonOf(store);
  onTestFinished(() => daemon.stop());
  await daemon.start();
  expect(daemon.state('a')?.phase.kind).toBe('reauthorization_required');
  const adopted = new Promise<void>((resolve) => {
    daemon.onStep(() => {
      if (held() === 'real') resolve();
    });
  });
  await writeFile(path, '{"access_token":"real","refresh_token":"r","expires_in":3600}');
  await adopted;
});
