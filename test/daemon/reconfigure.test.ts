import { expect, test } from 'vitest';
import type { Config, CredentialConfig } from '../../src/config/config.ts';
import type { LoadResult, Secrets } from '../../src/config/load.ts';
import { LIMITS } from '../../src/core/policy.ts';
import type { ManagedCredential } from '../../src/daemon/credential.ts';
import { PortError } from '../../src/daemon/ports.ts';
import { createReconfigure } from '../../src/daemon/reconfigure.ts';
import { managed, policy } from './fakes.ts';

const credential = (name: string, changes: Partial<CredentialConfig> = {}): CredentialConfig => ({
  name,
  policy: policy(),
  store: { format: 'text', path: `/nowhere/${name}` },
  refresh: null,
  publish: [],
  follows: null,
  tokenFile: true,
  allow: null,
  expires: { kind: 'as_stated' },
  expiresInDefaultMs: 3_600_000,
  watch: [],
  reuseGraceMs: null,
  ...changes,
});

const config = (credentials: readonly CredentialConfig[], changes: Partial<Config> = {}): Config => ({
  path: '/nowhere/config.json',
  directory: '/nowhere',
  stateDirectory: '/nowhere/state',
  runtimeDirectory: '/nowhere/run',
  lockPlaces: [],
  socketGroup: null,
  socketPath: '/nowhere/freshd.sock',
  log: { level: 'info', file: null },
  reloadOnChange: false,
  maxConcurrentRefreshes: 4,
  alerts: { kinds: [], reminderMs: null, sinks: [] },
  credentials,
  chains: [],
  ...changes,
});

const secrets: Secrets = {
  haveChanged: async () => false,
  reload: async () => ({ ok: false, kind: 'configuration', problems: ['not used'] }),
};

function build(start: Config) {
  const built: string[] = [];
  const applied: Config[] = [];
  const running: ManagedCredential[] = start.credentials.map(({ name }) => managed(name, {}));
  const reconfigure = createReconfigure({
    config: start,
    credentials: running,
    siteOf: (present) => present,
    buildCredential: ({ name, policy: limits }) => {
      if (name === 'unbuildable') throw new PortError('no such pointer', { code: 'invalid_pointer', remedy: 'x' });
      built.push(name);
      return { ...managed(name, {}), policy: limits };
    },
    buildChain: ({ name, members }) => ({
      spec: { name, members, targets: [], policy: { alerts: [], limits: LIMITS } },
      publishers: [],
    }),
    settingsOf: ({ maxConcurrentRefreshes }) => ({ sinks: [], alertKinds: [], maxConcurrentRefreshes }),
    sharedBy: ({ credentials }) => credentials.flatMap(({ publish }) => publish),
    onApplied: (taken) => applied.push(taken.config),
  });
  const reload = (taken: LoadResult | Config) => {
    const next: LoadResult = 'ok' in taken ? taken : { ok: true, config: taken, advice: [], secrets };
    return reconfigure(async () => next);
  };
  return { reload, built, applied, running };
}

test('what is new is built, what is gone is named, what is the same is left alone', async () => {
  const { reload, built } = build(config([credential('same'), credential('gone'), credential('moved')]));
  const moved = credential('moved', { store: { format: 'text', path: '/elsewhere' } });
  const result = await reload(config([credential('same'), moved, credential('new')], { maxConcurrentRefreshes: 2 }));
  expect(result).toMatchObject({
    ok: true,
    added: [{ name: 'new' }],
    changed: [{ name: 'moved' }],
    removed: ['gone'],
    settings: { maxConcurrentRefreshes: 2 },
  });
  expect(built.sort()).toEqual(['moved', 'new']);
});

test('a credential of which only waits changed keeps its parts; a new time limit of its runs builds it anew', async () => {
  const { reload, built, running } = build(config([credential('a')]));
  const longer = policy({ retryIntervalMs: 1_000 });
  const first = await reload(config([credential('a', { policy: longer })]));
  expect(first).toMatchObject({ ok: true, changed: [{ policy: longer }] });
  expect(first.ok && first.changed[0]?.parts).toBe(running[0]?.parts);
  expect(built).toEqual([]);
  await reload(config([credential('a', { policy: policy({ refreshTimeoutMs: 1_000 }) })]));
  expect(built).toEqual(['a']);
});

test('when the variables that are published change, every environment is built anew', async () => {
  const { reload, built } = build(config([credential('a'), credential('b')]));
  const publish = [
    { type: 'envFile', path: '/x', variable: 'T', metadata: false, followSymlink: false, write: 'atomic' },
  ] as const;
  const result = await reload(config([credential('a', { publish }), credential('b')]));
  expect(result).toMatchObject({ ok: true, changed: [{ name: 'a' }, { name: 'b' }] });
  expect(built).toEqual(['a', 'b']);
});

test('what was read counts as the present configuration only once it is in force', async () => {
  const { reload, built, applied } = build(config([credential('a')]));
  const next = config([credential('a'), credential('b')]);
  await reload(next);
  const again = await reload(next);
  expect(again).toMatchObject({ ok: true, added: [{ name: 'b' }] });
  if (again.ok) again.applied();
  expect(applied).toEqual([next]);
  expect(await reload(next)).toMatchObject({ ok: true, added: [], changed: [], removed: [] });
  expect(built).toEqual(['b', 'b']);
});

test.each([
  [
    'problems of the file',
    { ok: false, kind: 'configuration', problems: ['x: expected y'] } as LoadResult,
    /expected y/,
  ],
  ['a moved state directory', config([], { stateDirectory: '/other' }), /stateDirectory.*restart/],
  ['a moved log', config([], { log: { level: 'info', file: '/other.log' } }), /log\.file.*restart/],
  ['parts that cannot be built', config([credential('unbuildable')]), /no such pointer/],
])('%s refuse the reload as a whole', async (_name, next, message) => {
  const { reload, applied } = build(config([]));
  const result = await reload(next);
  expect(result.ok).toBe(false);
  if (!result.ok) expect(result.problems.join()).toMatch(message);
  expect(applied).toEqual([]);
});
