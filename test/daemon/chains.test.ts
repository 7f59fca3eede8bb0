import { describe, expect, test } from 'vitest';
import { LIMITS } from '../../src/core/policy.ts';
import type { ManagedChain } from '../../src/daemon/chains.ts';
import type { DaemonOptions } from '../../src/daemon/daemon.ts';
import type { AlertMessage } from '../../src/daemon/ports.ts';
import type { Reloading } from '../../src/daemon/reloading.ts';
import { daemonOnFakes } from './fake-daemon.ts';
import {
  fakeMemory,
  fakePublisher,
  fakeStore,
  keptLog,
  managed,
  manualAlarm,
  manualClock,
  tokens,
  until,
} from './fakes.ts';

const HOUR_MS = 3_600_000;

function chainOf(members: readonly string[], ...publishers: ReturnType<typeof fakePublisher>[]): ManagedChain {
  const targets = publishers.map(({ id }) => ({ id, of: null }));
  const policy = { alerts: ['delivery_failed', 'delivery_restored'], limits: LIMITS } as const;
  const settled = members.map((credential) => ({ credential, settleMs: 10_000 }));
  return { spec: { name: 'any', members: settled, targets, policy }, publishers };
}

/** Two credentials that nothing refreshes here, `a` for an hour and `b` for ever, in a chain with one target. */
function build(options: Partial<DaemonOptions> = {}) {
  const clock = manualClock();
  const alarm = manualAlarm();
  const log = keptLog();
  const stores = { a: fakeStore(), b: fakeStore() };
  const forEver = tokens({ accessToken: 'key-1', refreshToken: null, expiry: { kind: 'never' } });
  stores.b.reading = { kind: 'tokens', tokens: forEver };
  const credentials = (['a', 'b'] as const).map((name) => managed(name, { store: stores[name] }, { method: 'follow' }));
  const target = fakePublisher('envFile:/x/.env');
  const sentinels = new Map<string, unknown>();
  const alerts: AlertMessage[] = [];
  const memory = fakeMemory();
  const daemon = daemonOnFakes({
    clock,
    alarm,
    log,
    memory,
    sentinel: { set: async (name, down) => void sentinels.set(name, down) },
    credentials,
    chains: [chainOf(['a', 'b'], target)],
    settings: {
      sinks: [{ name: 'list', send: async (message) => void alerts.push(message) }],
      alertKinds: [],
      maxConcurrentRefreshes: 4,
    },
    ...options,
  });
  const pass = (ms: number) => {
    clock.pass(ms);
    alarm.ring();
  };
  const inUse = () => daemon.chains.state('any')?.inUse?.credential ?? null;
  return { daemon, clock, alarm, log, stores, credentials, target, sentinels, alerts, memory, pass, inUse };
}

test('C1, C3, D3: at an expiry the chain turns to the fallback, with one warning, and back with one record', async () => {
  const { daemon, log, stores, target, pass, inUse } = build();
  await daemon.start();
  expect([inUse(), target.told]).toEqual(['a', ['access-1']]);
  pass(HOUR_MS);
  expect(inUse()).toBe('b');
  await until(() => target.told.length === 2);
  expect(target.told).toEqual(['access-1', 'key-1']);
  expect(log.of('chain_switched')).toMatchObject([
    { level: 'warn', fields: { chain: 'any', from: 'a', to: 'b', reason: 'expired', remedy: 'freshd refresh a' } },
  ]);

  const { expiry } = tokens();
  if (expiry.kind !== 'known') throw new Error('expected a known expiry');
  const later = { kind: 'known', expiresAt: expiry.expiresAt + 9 * HOUR_MS } as never;
  stores.a.reading = { kind: 'tokens', tokens: tokens({ accessToken: 'access-2', expiry: later }) };
  pass(60_000);
  await until(() => daemon.state('a')?.held?.token.accessToken === 'access-2');
  expect(inUse()).toBe('b');
  pass(10_000);
  expect(inUse()).toBe('a');
  await until(() => target.told.length === 3);
  expect(target.told.at(-1)).toBe('access-2');
  expect(log.of('chain_returned')).toMatchObject([{ level: 'info', fields: { chain: 'any', from: 'b', to: 'a' } }]);
  expect(log.of('chain_switched')).toHaveLength(1);
  expect(JSON.stringify(log.records)).not.toMatch(/access-|key-1/);
});

test('D3: who has lost its login is told who takes its place, in the log and in the alert', async () => {
  const { daemon, log, stores, alerts, pass } = build();
  await daemon.start();
  stores.a.reading = { kind: 'broken', detail: 'expected JSON' };
  pass(60_000);
  await until(() => alerts.length > 0);
  expect(log.of('reauthorization_required')).toMatchObject([
    { level: 'warn', fields: { credential: 'a', reason: 'state_broken', remedy: 'freshd refresh a' } },
  ]);
  expect(log.of('reauthorization_required')[0]?.fields.instead).toBe(
    'the present token until its expiry, then b in any',
  );
  expect(alerts[0]?.text).toContain('Instead: b takes its place in any when that ends.');
});

test('D2, C4: with nothing usable the sentinel stands under the name of the chain, and one line says so', async () => {
  const { daemon, log, stores, sentinels, pass, inUse } = build();
  stores.b.reading = { kind: 'missing', detail: 'no file' };
  await daemon.start();
  pass(HOUR_MS);
  expect(inUse()).toBeNull();
  await until(() => sentinels.get('any') !== null && sentinels.has('any'));
  expect(sentinels.get('any')).toMatchObject({ reason: 'no_usable_member', remedy: expect.stringContaining('b: ') });
  expect(log.of('chain_down')).toMatchObject([{ level: 'warn', fields: { from: 'a', to: null, instead: 'nothing' } }]);
  stores.b.reading = { kind: 'tokens', tokens: tokens({ accessToken: 'key-2', expiry: { kind: 'never' } }) };
  pass(60_000);
  await until(() => sentinels.get('any') === null);
  expect(log.of('chain_restored')).toMatchObject([{ level: 'info', fields: { to: 'b' } }]);
});

test('of members that come due together each has had its step when the chain looks at them, and it looks once', async () => {
  const { daemon, pass } = build();
  await daemon.start();
  const seen: unknown[] = [];
  daemon.chains.onStep((chain, state) => seen.push([chain, state?.inUse?.credential, daemon.state('a')?.phase.kind]));
  pass(HOUR_MS);
  expect(seen).toEqual([['any', 'b', 'absent']]);
});

test('C3: who asks between an expiry and the alarm gets the fallback', async () => {
  const { daemon, clock } = build();
  await daemon.start();
  clock.pass(HOUR_MS);
  expect(daemon.chains.state('any')?.inUse?.credential).toBe('b');
});

test('the first choice waits for a store that is read late, and publishes nothing before', async () => {
  const { daemon, stores, target, inUse } = build();
  let release: () => void = () => undefined;
  stores.a.hang = new Promise((resolve) => {
    release = resolve;
  });
  const starting = daemon.start();
  await until(() => daemon.state('b') !== undefined);
  expect([inUse(), target.told]).toEqual([null, []]);
  release();
  await starting;
  expect([inUse(), target.told]).toEqual(['a', ['access-1']]);
});

test('F40: a target of a chain that fails is told to a person, and called off', async () => {
  const { daemon, target, alerts, log, pass } = build();
  target.act = () => Promise.reject(new Error('no such thing'));
  await daemon.start();
  pass(2_000);
  await until(() => alerts.length === 1);
  expect(alerts[0]).toMatchObject({ credential: 'any', alert: { kind: 'delivery_failed', target: 'envFile:/x/.env' } });
  expect(log.of('publish_failed')[0]?.fields).toMatchObject({ chain: 'any' });
  target.act = async () => undefined;
  pass(60_000);
  await until(() => alerts.length === 2);
  expect(alerts[1]).toMatchObject({ alert: { kind: 'delivery_restored' } });
});

test('a restart goes on with the generation of the chain, also where the fallback was in use', async () => {
  const first = build();
  await first.daemon.start();
  first.pass(HOUR_MS);
  const generation = first.daemon.chains.state('any')?.generation;
  await first.daemon.stop();
  expect(first.memory.kept.get('any')).toMatchObject({
    generation,
    bindings: [{ credential: 'a' }, { credential: 'b' }],
  });

  const second = build({ memory: first.memory });
  second.stores.a.reading = { kind: 'missing', detail: 'no file' };
  await second.daemon.start();
  expect(second.daemon.chains.state('any')).toMatchObject({ generation, inUse: { credential: 'b' } });
  expect(second.log.of('chain_switched')).toHaveLength(1);
});

describe('a reload', () => {
  const settings = { sinks: [], alertKinds: [], maxConcurrentRefreshes: 4 };
  const names = { added: [], changed: [], removed: [] };

  function reloadable(reloading: (built: ReturnType<typeof build>) => Partial<Extract<Reloading, { ok: true }>>) {
    const built: ReturnType<typeof build> = build({
      readConfiguration: async () => ({ ok: true, ...names, settings, applied: () => undefined, ...reloading(built) }),
    });
    return built;
  }

  test('turns to another member when the one in use is taken out', async () => {
    const built = reloadable(({ target }) => ({
      removed: ['a'],
      chains: { ...names, changed: ['any'], all: [chainOf(['b'], target)] },
    }));
    await built.daemon.start();
    expect(await built.daemon.reload()).toEqual({ ok: true, added: [], changed: ['any'], removed: ['a'] });
    await until(() => built.target.told.length === 2);
    expect([built.inUse(), built.target.told]).toEqual(['b', ['access-1', 'key-1']]);
    expect(built.daemon.names()).toEqual(['b']);
    expect(built.log.records.filter(({ level }) => level === 'warn' || level === 'error')).toEqual([]);
  });

  test('takes a chain out, with its sentinel, and leaves what it published', async () => {
    const built = reloadable(() => ({ chains: { ...names, removed: ['any'], all: [] } }));
    built.stores.b.reading = { kind: 'missing', detail: 'no file' };
    built.stores.a.reading = { kind: 'missing', detail: 'no file' };
    await built.daemon.start();
    await until(() => built.sentinels.get('any') !== undefined);
    await built.daemon.reload();
    await until(() => built.sentinels.get('any') === null);
    expect([built.daemon.chains.names(), built.daemon.chains.of('a')]).toEqual([[], []]);
    built.pass(HOUR_MS);
    expect(built.log.records.filter(({ level }) => level === 'error')).toEqual([]);
  });

  test('brings a new member in, which waits its time before it is preferred', async () => {
    const added = managed('new', { store: fakeStore() }, { method: 'follow' });
    const built = reloadable(({ target }) => ({
      added: [added],
      chains: { ...names, changed: ['any'], all: [chainOf(['new', 'a', 'b'], target)] },
    }));
    await built.daemon.start();
    await built.daemon.reload();
    expect(built.inUse()).toBe('a');
    built.pass(10_000);
    expect(built.inUse()).toBe('new');
  });

  test('refuses a chain with the name of a credential that is still there', async () => {
    const built = reloadable(({ target }) => {
      const chain = chainOf(['b'], target);
      const renamed = { ...chain, spec: { ...chain.spec, name: 'a' } };
      return { removed: ['a'], chains: { ...names, added: ['a'], all: [renamed] } };
    });
    await built.daemon.start();
    expect(await built.daemon.reload()).toEqual({
      ok: false,
      problems: ['chains.a: expected a free name, got that of a credential; reload once without either'],
    });
    expect(built.inUse()).toBe('a');
  });
});
