import { expect, onTestFinished, test, vi } from 'vitest';
import type { ManagedCredential } from '../../src/daemon/credential.ts';
import type { Daemon, DaemonOptions } from '../../src/daemon/daemon.ts';
import type { AlertMessage, RefreshOutcome } from '../../src/daemon/ports.ts';
import type { Reloading } from '../../src/daemon/reloading.ts';
import { daemonOnFakes } from './fake-daemon.ts';
import {
  deferred,
  type FakePublisher,
  type FakeRefresh,
  type FakeStore,
  fakeJournal,
  fakeLeftRuns,
  fakeMemory,
  fakePublisher,
  fakeRefresh,
  fakeStore,
  fingerprint,
  keptLog,
  managed,
  manualAlarm,
  manualClock,
  tokens,
  until,
  WALL_START_MS,
} from './fakes.ts';

interface Fake {
  readonly credential: ManagedCredential;
  readonly store: FakeStore;
  readonly refresh: FakeRefresh;
  readonly publisher: FakePublisher;
}

/** A credential whose refresh brings `access-2`, `access-3`, … for an hour each. */
function fake(name: string, now: () => number, policy: Parameters<typeof managed>[2] = {}): Fake {
  const store = fakeStore();
  const publisher = fakePublisher(`file-${name}`);
  let brought = 1;
  const refresh = fakeRefresh(() => {
    brought += 1;
    const response = {
      access_token: `access-${brought}`,
      refresh_token: `refresh-${brought}`,
      expires_in: 3_600,
      obtained_at_ms: now(),
    };
    return { kind: 'response', response };
  });
  return { credential: managed(name, { store, refresh, publishers: [publisher] }, policy), store, refresh, publisher };
}

function build(names: readonly string[], options: Partial<DaemonOptions> = {}) {
  const clock = manualClock();
  const alarm = manualAlarm();
  const log = keptLog();
  const memory = fakeMemory();
  const journal = fakeJournal();
  const leftRuns = fakeLeftRuns();
  const alerts: AlertMessage[] = [];
  const sentinels = new Map<string, unknown>();
  const fakes = new Map(names.map((name) => [name, fake(name, () => clock.now().wallMs)]));
  const daemon: Daemon = daemonOnFakes({
    clock,
    alarm,
    log,
    journal,
    memory,
    leftRuns,
    sentinel: { set: async (name, down) => void sentinels.set(name, down) },
    credentials: [...fakes.values()].map(({ credential }) => credential),
    settings: {
      sinks: [{ name: 'list', send: async (message) => void alerts.push(message) }],
      alertKinds: [],
      maxConcurrentRefreshes: 4,
    },
    ...options,
  });
  const of = (name: string): Fake => {
    const found = fakes.get(name);
    if (found === undefined) throw new Error(`no fake ${name}`);
    return found;
  };
  const phase = (name: string) => daemon.state(name)?.phase.kind;
  const pass = (ms: number) => {
    clock.pass(ms);
    alarm.ring();
  };
  return { daemon, clock, alarm, log, memory, journal, leftRuns, alerts, sentinels, of, phase, pass };
}

const HOUR_MS = 3_600_000;

test('after start every store was read and the first tokens are published', async () => {
  const { daemon, of, phase } = build(['a', 'b']);
  await daemon.start();
  expect(daemon.names()).toEqual(['a', 'b']);
  expect([phase('a'), phase('b')]).toEqual(['fresh', 'fresh']);
  expect(of('a').publisher.told).toEqual(['access-1']);
});

test('A1, A2: a token is refreshed ahead of expiry, stored, and published', async () => {
  const { daemon, of, phase, pass, journal, memory } = build(['a']);
  await daemon.start();
  const generation = daemon.state('a')?.generation ?? 0;
  pass(HOUR_MS - 600_000);
  await until(() => phase('a') === 'fresh' && of('a').publisher.told.length === 2);
  expect(of('a').publisher.told).toEqual(['access-1', 'access-2']);
  expect(of('a').store.reading).toMatchObject({ tokens: { refreshToken: 'refresh-2' } });
  expect(daemon.state('a')?.generation).toBe(generation + 1);
  expect(journal.history).toEqual(['began 1', 'began 1', 'answered 1', 'emptied']);
  await until(() => (memory.kept.get('a') as { generation: number }).generation === generation + 1);
});

test('D5: the destroyed state of one credential harms no other, and it comes back by itself when it is repaired', async () => {
  const { daemon, of, phase, pass, sentinels, alerts, log } = build(['a', 'b', 'c']);
  await daemon.start();
  of('b').store.reading = { kind: 'broken', detail: 'expected JSON' };
  pass(61_000);
  await until(() => phase('b') === 'reauthorization_required');
  expect(log.of('reauthorization_required')).toMatchObject([{ fields: { credential: 'b', reason: 'state_broken' } }]);
  await until(() => alerts.length === 1);
  expect(alerts).toMatchObject([{ credential: 'b', alert: { kind: 'reauthorization_required' } }]);

  pass(HOUR_MS - 661_000);
  await until(() => of('a').publisher.told.length === 2 && of('c').publisher.told.length === 2);
  expect(of('b').refresh.requests).toEqual([]);
  pass(600_000);
  await until(() => sentinels.get('b') !== undefined && sentinels.get('b') !== null);
  expect(of('b').publisher.told).toEqual(['access-1', null]);

  of('b').store.reading = {
    kind: 'tokens',
    tokens: tokens({
      accessToken: 'access-9',
      refreshToken: 'refresh-9',
      expiry: { kind: 'known', expiresAt: (WALL_START_MS + 3 * HOUR_MS) as never },
    }),
  };
  pass(61_000);
  await until(() => of('b').publisher.told.includes('access-9'));
  await until(() => sentinels.get('b') === null);
  expect(alerts.map(({ credential, alert }) => [credential, alert.kind])).toEqual([
    ['b', 'reauthorization_required'],
    ['b', 'restored'],
  ]);
});

test('D1: stores that throw, hang or vanish at start cost only their own credentials', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  onTestFinished(() => void vi.useRealTimers());
  const { daemon, of, phase, log } = build(['bug', 'gone', 'hung', 'good']);
  of('bug').store.trouble = new TypeError('sk-secret-1234567');
  of('gone').store.reading = { kind: 'missing', detail: 'no such file' };
  const answer = deferred();
  of('hung').store.hang = answer.promise;
  const started = daemon.start();
  await vi.advanceTimersByTimeAsync(60_000);
  await started;
  expect([phase('bug'), phase('gone'), phase('good')]).toEqual(['reauthorization_required', 'absent', 'fresh']);
  expect([phase('hung'), log.of('store_check_hung').map(({ fields }) => fields.credential)]).toEqual([
    'absent',
    ['hung'],
  ]);
  vi.useRealTimers();
  answer.resolve();
  await until(() => phase('hung') === 'fresh');
  expect(JSON.stringify(log.records)).not.toContain('sk-secret');
});

test('F74: of 20 that are due at once at most 4 run', async () => {
  const names = Array.from({ length: 20 }, (_, index) => `c${index}`);
  const { daemon, of, pass } = build(names);
  let running = 0;
  let runningMax = 0;
  for (const name of names) {
    const answer = of(name).refresh.answer;
    of(name).refresh.answer = async (request) => {
      running += 1;
      runningMax = Math.max(runningMax, running);
      await new Promise((resolve) => setImmediate(resolve));
      running -= 1;
      return answer(request);
    };
  }
  await daemon.start();
  pass(HOUR_MS - 600_000);
  await until(() => names.every((name) => of(name).publisher.told.length === 2));
  expect(runningMax).toBe(4);
});

test('F63: a stop lets the refresh under way finish and be stored; a second one is for the impatient', async () => {
  const { daemon, of, phase, pass } = build(['a', 'b']);
  const answer = deferred<RefreshOutcome>();
  of('a').refresh.answer = () => answer.promise;
  await daemon.start();
  pass(HOUR_MS - 600_000);
  await until(() => of('a').refresh.requests.length === 1 && of('b').publisher.told.length === 2);

  let stopped = false;
  const stopping = daemon.stop().then(() => {
    stopped = true;
  });
  await until(() => phase('b') === 'stopped');
  expect([phase('a'), stopped]).toEqual(['refreshing', false]);
  daemon.cancelRuns();
  expect(of('a').refresh.cancelled).toEqual([1]);

  answer.resolve({ kind: 'response', response: { access_token: 'x', refresh_token: 'late', expires_in: 3_600 } });
  await stopping;
  expect(of('a').store.reading).toMatchObject({ tokens: { refreshToken: 'late' } });
  expect(of('a').store.locked).toBe(false);
});

test('F63: a stop waits for a publication under way, so that no consumer is left with an old token', async () => {
  const { daemon, of, phase, pass } = build(['a']);
  await daemon.start();
  const disk = deferred();
  of('a').publisher.act = () => disk.promise;
  pass(HOUR_MS - 600_000);
  await until(() => of('a').publisher.told.length === 2);

  let stopped = false;
  const stopping = daemon.stop().then(() => {
    stopped = true;
  });
  await until(() => phase('a') === 'stopped');
  await new Promise((resolve) => setImmediate(resolve));
  expect(stopped).toBe(false);
  disk.resolve();
  await stopping;
  expect(of('a').publisher.told).toHaveLength(2);
});

test('at stop nothing is withdrawn, and what is remembered is saved', async () => {
  const { daemon, of, alarm, memory } = build(['a']);
  const { save } = memory;
  const disk = deferred();
  memory.save = async (credential, remembered) => {
    await disk.promise;
    await save(credential, remembered);
  };
  await daemon.start();
  const stopping = daemon.stop();
  await until(() => daemon.state('a')?.phase.kind === 'stopped');
  setImmediate(disk.resolve);
  await stopping;
  expect(of('a').publisher.told).toEqual(['access-1']);
  expect(memory.kept.get('a')).toMatchObject({ generation: daemon.state('a')?.generation });
  expect(alarm.delayMs).toBeNull();
});

function reloadable(reloading: () => Reloading) {
  return build(['a', 'b'], { readConfiguration: async () => reloading() });
}

const REFUSED_CLIENT: Extract<RefreshOutcome, { kind: 'failure' }> = {
  kind: 'failure',
  failure: {
    class: 'config',
    code: 'invalid_client',
    doubt: false,
    unsent: false,
    origin: 'server',
    retryAfterMs: null,
    detail: 'not accepted',
  },
};

const REFUSED_GRANT: RefreshOutcome = {
  kind: 'failure',
  failure: { ...REFUSED_CLIENT.failure, class: 'terminal', code: 'invalid_grant' },
};

const SETTINGS = { sinks: [], alertKinds: [], maxConcurrentRefreshes: 4 };

test('a reload adds, changes and removes', async () => {
  const added = fake('new', () => WALL_START_MS);
  let applied = 0;
  const built = reloadable(() => ({
    ok: true,
    added: [added.credential],
    changed: [{ ...built.of('a').credential, policy: { ...built.of('a').credential.policy, retryIntervalMs: 1_000 } }],
    removed: ['b'],
    settings: SETTINGS,
    applied: () => {
      applied += 1;
    },
  }));
  const { daemon } = built;
  await daemon.start();
  expect(await daemon.reload()).toEqual({ ok: true, added: ['new'], changed: ['a'], removed: ['b'] });
  expect(applied).toBe(1);
  expect(daemon.names()).toEqual(['a', 'new']);
  expect(daemon.state('a')?.policy.retryIntervalMs).toBe(1_000);
  await until(() => added.publisher.told.length === 1);
  expect(built.of('b').publisher.told).toEqual(['access-1']);
});

test('a reload in the middle of a start waits for it, so that what it removes does not come back', async () => {
  const built = reloadable(() => ({
    ok: true,
    added: [],
    changed: [],
    removed: ['b'],
    settings: SETTINGS,
    applied: () => undefined,
  }));
  const { daemon, of } = built;
  const slow = deferred();
  const read = of('b').store.read;
  of('b').store.read = () => slow.promise.then(read);
  const starting = daemon.start();
  await until(() => daemon.names().includes('a'));
  const reloading = daemon.reload();
  slow.resolve();
  await starting;
  expect(await reloading).toMatchObject({ ok: true, removed: ['b'] });
  await until(() => daemon.names().length === 1);
  expect(daemon.names()).toEqual(['a']);
});

test('a stop in the middle of a start begins nothing for a store that answers only after it', async () => {
  const { daemon, of } = build(['a', 'b']);
  const slow = deferred();
  of('b').store.read = async () => {
    await slow.promise;
    const expired = tokens({ expiry: { kind: 'known', expiresAt: (WALL_START_MS - 1_000) as never } });
    return { kind: 'tokens', tokens: expired };
  };
  const starting = daemon.start();
  await until(() => daemon.names().includes('a'));
  await daemon.stop();
  slow.resolve();
  await starting;
  expect(daemon.names()).toEqual(['a']);
  expect(of('b').refresh.requests).toEqual([]);
});

test('D3: a start says again which credentials still wait for a person, and how they come back', async () => {
  const first = build(['a']);
  await first.daemon.start();
  first.of('a').refresh.answer = () => REFUSED_GRANT;
  first.pass(HOUR_MS - 600_000);
  await until(() => first.phase('a') === 'reauthorization_required');
  await first.daemon.stop();

  const second = build(['a'], { memory: first.memory });
  await second.daemon.start();
  expect(second.log.of('reauthorization_required')).toMatchObject([
    { level: 'warn', fields: { credential: 'a', cause: 'start', reason: 'terminal', code: 'invalid_grant' } },
  ]);
  expect(second.of('a').refresh.requests).toEqual([]);
});

test('F9: another secret in a file is taken over at the next check of the store, and opens what waited for it', async () => {
  let hasChanged = false;
  const sources: string[] = [];
  const withSecret: Fake = fake('a', () => WALL_START_MS);
  const { daemon, of, pass, phase } = build(['a', 'b'], {
    haveSecretsChanged: async (name) => name === 'a' && hasChanged,
    readConfiguration: async (source) => {
      sources.push(source);
      hasChanged = false;
      const changed = [withSecret.credential];
      return { ok: true, added: [], changed, removed: [], settings: SETTINGS, applied: () => undefined };
    },
  });
  await daemon.start();
  of('a').refresh.answer = () => REFUSED_CLIENT;
  pass(HOUR_MS - 600_000);
  await until(() => phase('a') === 'reauthorization_required');
  const { storeCheckMs } = of('a').credential.policy;
  pass(storeCheckMs);
  await until(() => daemon.state('a')?.storeCheckInFlight === false);
  expect([sources, phase('a')]).toEqual([[], 'reauthorization_required']);
  hasChanged = true;
  pass(storeCheckMs);
  await until(() => phase('a') === 'fresh');
  expect(sources).toEqual(['secrets']);
  expect(withSecret.refresh.requests).toHaveLength(1);
});

test('a refused reload changes nothing and says why', async () => {
  const { daemon, log } = reloadable(() => ({ ok: false, problems: ['credentials.x: expected an object'] }));
  await daemon.start();
  const before = daemon.state('a');
  expect(await daemon.reload()).toEqual({ ok: false, problems: ['credentials.x: expected an object'] });
  expect(daemon.state('a')).toBe(before);
  expect(log.of('reload_refused')).toHaveLength(1);
});

test('a credential that is removed during its refresh finishes it first, and its name is free again after that', async () => {
  let readding = false;
  const built = reloadable(() => ({
    ok: true,
    added: readding ? [built.of('b').credential] : [],
    changed: [],
    removed: readding ? [] : ['b'],
    settings: SETTINGS,
    applied: () => undefined,
  }));
  const { daemon, of, pass } = built;
  const answer = deferred<RefreshOutcome>();
  of('b').refresh.answer = () => answer.promise;
  await daemon.start();
  pass(HOUR_MS - 600_000);
  await until(() => of('b').refresh.requests.length === 1);
  await daemon.reload();
  expect(daemon.names()).toEqual(['a', 'b']);

  readding = true;
  expect(await daemon.reload()).toMatchObject({ ok: false });
  answer.resolve({ kind: 'response', response: { access_token: 'x', refresh_token: 'late', expires_in: 3_600 } });
  await until(() => daemon.names().length === 1);
  expect(of('b').store.reading).toMatchObject({ tokens: { refreshToken: 'late' } });
  await until(() => !of('b').store.locked);
  expect(await daemon.reload()).toMatchObject({ ok: true, added: ['b'] });
});

test('F71: while a script of an earlier process runs its credential is served, and nothing is sent', async () => {
  const { daemon, of, phase, journal, leftRuns, log, pass } = build(['a']);
  const end = deferred<{ isOver: boolean; response: null }>();
  leftRuns.answer = () => end.promise;
  journal.entries.set('a', {
    attempt: 4,
    fingerprint: fingerprint('refresh-1'),
    account: null,
    runId: 'run-0',
    process: { pid: 4711, startTime: '1' },
    bootId: null,
    beganAt: WALL_START_MS,
    response: null,
  });
  await daemon.start();
  expect(phase('a')).toBe('fresh');
  expect(of('a').publisher.told).toEqual(['access-1']);
  pass(HOUR_MS - 600_000);
  await until(() => phase('a') === 'backing_off');
  expect(daemon.state('a')).toMatchObject({ lastFailure: { code: 'left_run_alive' }, failures: 0, episode: null });
  expect(log.of('left_run_alive')).toHaveLength(1);
  expect(of('a').refresh.requests).toEqual([]);
  end.resolve({ isOver: true, response: null });
  await until(() => daemon.state('a')?.doubt !== null);
  pass(10_000);
  await until(() => phase('a') === 'fresh' && of('a').publisher.told.length === 2);
  expect(of('a').refresh.requests).toHaveLength(1);
});
