import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ALERT_KINDS, LIMITS } from '../../src/core/policy.ts';
import { captureIn, fromEnv, loaded, MAIL, privateFolder } from './arrange.ts';

describe('the policy of a credential', () => {
  test('A2, A5, A15: what nobody sets has the documented default', async () => {
    const config = await loaded({ credentials: { mail: MAIL } });
    expect(config.credentials[0]?.policy).toEqual({
      method: 'script',
      resultInStore: false,
      mintsWithoutGrant: false,
      takesTokens: true,
      rotates: true,
      optional: false,
      scheme: 'bearer',
      refreshMarginMs: 30 * 60_000,
      window: null,
      refreshTokenIdleMs: null,
      retryIntervalMs: 5 * 60_000,
      maxRetries: 5,
      activeRecoveryIntervalMs: 30 * 60_000,
      refreshTimeoutMs: 60_000,
      killGraceMs: 5_000,
      minRefreshIntervalMs: 10_000,
      maxAttemptsPerHour: 30,
      settleMs: 2_000,
      storeCheckMs: 60_000,
      rejectionHoldMs: 60_000,
      jitterPercent: 10,
      jitterSeed: expect.any(Number),
      alerts: ALERT_KINDS,
      reminderMs: null,
      limits: LIMITS,
    });
    expect(config.credentials[0]?.expiresInDefaultMs).toBe(3_600_000);
    expect(config.maxConcurrentRefreshes).toBe(4);
  });

  test('a publication counts as lost only after the longest of its hooks could have ended', async () => {
    const hook = (timeoutSeconds: number) => ({ hook: ['/bin/true'], timeoutSeconds });
    const deliveryTimeoutMs = async (publish: readonly object[]) =>
      (await loaded({ credentials: { mail: { ...MAIL, killGraceSeconds: 5, publish } } })).credentials[0]?.policy.limits
        .deliveryTimeoutMs;
    expect(await deliveryTimeoutMs([])).toBe(60_000);
    expect(await deliveryTimeoutMs([hook(10)])).toBe(105_000);
    expect(await deliveryTimeoutMs([hook(120), hook(10)])).toBe(215_000);
  });

  test('paths to watch for a login count from the folder of the configuration, or from home', async () => {
    const folder = privateFolder();
    const watch = ['hosts.yml', '~/.config/gh/hosts.yml'];
    const { credentials } = await loaded({ credentials: { mail: { ...MAIL, watch } } }, { folder });
    expect(credentials[0]?.watch).toEqual([join(folder, 'hosts.yml'), join(folder, 'home/.config/gh/hosts.yml')]);
  });

  test('an idle time of refresh tokens is stated in days', async () => {
    const { credentials } = await loaded({ credentials: { mail: { ...MAIL, refreshTokenIdleDays: 0.5 } } });
    expect(credentials[0]?.policy.refreshTokenIdleMs).toBe(12 * 3_600_000);
  });

  test('a scheme is bearer, or a header; what belongs to Authorization or to the connection is refused', async () => {
    const schemeOf = async (scheme?: string) =>
      (await loaded({ credentials: { mail: { ...MAIL, ...(scheme === undefined ? {} : { scheme }) } } })).credentials[0]
        ?.policy.scheme;
    expect(await schemeOf()).toBe('bearer');
    expect(await schemeOf('x-api-key')).toBe('x-api-key');
    for (const wrong of ['basic', 'token', 'host', 'content-length', 'X-Api-Key', 'a b', 'x:', 'a\r\nb', '']) {
      await expect(schemeOf(wrong)).rejects.toThrow(
        'credentials.mail.scheme: expected "bearer", or the name of a header in lower case',
      );
    }
  });

  test('the credential wins over its store format, that over defaults, those over the built-in value', async () => {
    const claude = { store: { format: 'claude-code' }, refresh: { command: ['/bin/true'] } };
    const config = await loaded({
      defaults: { refreshMarginMinutes: 20, refreshTimeoutSeconds: 30, maxRetries: 7 },
      credentials: {
        own: { ...claude, refreshTimeoutSeconds: 90 },
        other: { ...MAIL, maxRetries: 2 },
      },
    });
    expect(config.credentials.map(({ policy }) => policy)).toMatchObject([
      { refreshMarginMs: 270_000, refreshTimeoutMs: 90_000, killGraceMs: 15_000, maxRetries: 7, resultInStore: true },
      { refreshMarginMs: 20 * 60_000, refreshTimeoutMs: 30_000, killGraceMs: 5_000, maxRetries: 2 },
    ]);
  });

  test('fractions small enough for a test are taken', async () => {
    const limits = { refreshMarginMinutes: 0.05, retryIntervalMinutes: 0.001, refreshTimeoutSeconds: 0.05 };
    const config = await loaded({ credentials: { mail: { ...MAIL, ...limits, storeCheckSeconds: 0.05 } } });
    expect(config.credentials[0]?.policy).toMatchObject({
      refreshMarginMs: 3_000,
      retryIntervalMs: 60,
      refreshTimeoutMs: 50,
      storeCheckMs: 50,
    });
  });

  test('A8: each kind of alert can be switched off by its own key', async () => {
    const config = await loaded({
      credentials: { mail: MAIL },
      alerts: { alertOnFirstFailure: false, alertOnRecoverySuccess: false, reminderHours: 12 },
    });
    const kinds = ALERT_KINDS.filter((kind) => kind !== 'first_failure' && kind !== 'restored');
    expect(config.alerts).toEqual({ kinds, reminderMs: 12 * 3_600_000, sinks: [{ type: 'log' }] });
    expect(config.credentials[0]?.policy).toMatchObject({ alerts: kinds, reminderMs: 12 * 3_600_000 });
  });

  test('only a script that needs no stored token can mint one, and only into a store that freshd writes', async () => {
    const store = (name: string): object => ({ format: 'text', path: name });
    const config = await loaded({
      credentials: {
        text: { store: store('a'), refresh: { command: ['gh'], result: 'text' } },
        alone: { store: store('b'), refresh: { command: ['mint'] } },
        given: { store: store('c'), refresh: { command: ['mint'], input: 'token' } },
        itself: { store: store('d'), refresh: { command: ['tool'], result: 'store' } },
        follow: { store: store('e'), refresh: { follow: true } },
      },
    });
    expect(config.credentials.map(({ name, policy }) => [name, policy.method, policy.mintsWithoutGrant])).toEqual([
      ['text', 'script', true],
      ['alone', 'script', true],
      ['given', 'script', false],
      ['itself', 'script', false],
      ['follow', 'follow', false],
    ]);
  });

  test('the jitter differs between credentials and machines, and is the same after each start', async () => {
    const config = { credentials: { a: { static: fromEnv('A') }, b: { static: fromEnv('A') } } };
    const seeds = async (): Promise<unknown[]> => {
      const { credentials } = await loaded(config, { env: { A: 'x' } });
      return credentials.map(({ policy }) => policy.jitterSeed);
    };
    const [first, second] = [await seeds(), await seeds()];
    expect(first).toEqual(second);
    expect(new Set(first).size).toBe(2);
  });
});

test('paths count from the folder of the configuration or from home, and argv[0] only where it has a slash', async () => {
  const folder = privateFolder();
  const { home } = captureIn(folder);
  const config = await loaded(
    {
      stateDirectory: 'state',
      socket: { path: '~/s.sock' },
      log: { level: 'debug', file: 'log/freshd.log' },
      credentials: {
        claude: { store: { format: 'claude-code' }, refresh: { command: ['./refresh.sh', './x'] } },
        json: {
          store: { format: 'json', path: '~/auth.json', pointers: { accessToken: '/tokens/access_token' } },
          refresh: { command: ['tool', '~'], result: 'store' },
          publish: [
            { envFile: '/srv/.env', variable: 'A', metadata: false, followSymlink: true, write: 'in-place' },
            { hook: ['~/bin/hook'], timeoutSeconds: 0.5 },
          ],
          tokenFile: false,
          expires: 600,
        },
        member: { ...MAIL, entry: 'mail', expires: 'unknown' },
      },
      alerts: {
        sinks: [
          { type: 'command', command: ['./alert'] },
          { type: 'slack', url: fromEnv('URL'), timeoutSeconds: 1 },
          { type: 'webhook', url: fromEnv('URL'), secret: fromEnv('SIGNATURE') },
          { type: 'discord', url: fromEnv('URL') },
          { type: 'telegram', botToken: fromEnv('SIGNATURE'), chatId: '@ops' },
          { type: 'ntfy', topic: fromEnv('SIGNATURE'), url: fromEnv('URL') },
          { type: 'sentry', dsn: fromEnv('URL') },
        ],
      },
    },
    { folder, env: { URL: 'https://hooks.example/x', SIGNATURE: 'shared' } },
  );
  expect(config).toMatchObject({
    path: join(folder, 'config.json'),
    directory: folder,
    stateDirectory: join(folder, 'state'),
    runtimeDirectory: join(folder, 'state/run'),
    socketPath: join(home, 's.sock'),
    log: { level: 'debug', file: join(folder, 'log/freshd.log') },
    alerts: {
      sinks: [
        { type: 'command', argv: [join(folder, 'alert')], cwd: folder, timeoutMs: 10_000 },
        { type: 'slack', url: 'https://hooks.example/x', timeoutMs: 1_000 },
        { type: 'webhook', url: 'https://hooks.example/x', secret: 'shared', timeoutMs: 10_000 },
        { type: 'discord', url: 'https://hooks.example/x', timeoutMs: 10_000 },
        {
          type: 'telegram',
          url: 'https://api.telegram.org',
          botToken: 'shared',
          chatId: '@ops',
          timeoutMs: 10_000,
        },
        { type: 'ntfy', url: 'https://hooks.example/x', topic: 'shared', token: null, timeoutMs: 10_000 },
        { type: 'sentry', dsn: 'https://hooks.example/x', timeoutMs: 10_000 },
      ],
    },
  });
  const [claude, json, member] = config.credentials;
  expect(claude).toMatchObject({
    store: { format: 'claude-code', path: join(home, '.claude/.credentials.json') },
    refresh: {
      kind: 'command',
      argv: [join(folder, 'refresh.sh'), './x'],
      cwd: folder,
      result: 'store',
      input: 'none',
    },
    tokenFile: true,
    expires: { kind: 'as_stated' },
  });
  expect(json).toMatchObject({
    store: {
      format: 'json',
      path: join(home, 'auth.json'),
      pointers: { accessToken: '/tokens/access_token', account: null },
    },
    refresh: { argv: ['tool', '~'] },
    publish: [
      { type: 'envFile', path: '/srv/.env', variable: 'A', metadata: false, followSymlink: true, write: 'in-place' },
      { type: 'hook', argv: [join(home, 'bin/hook')], cwd: folder, timeoutMs: 500 },
    ],
    tokenFile: false,
    expires: { kind: 'life', ms: 600_000 },
  });
  expect(member).toMatchObject({ store: { entry: 'mail' }, expires: { kind: 'unknown' } });
});
