import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { adviceOn, fromFile, LOG_ALERTS, load, MAIL, privateFolder } from './arrange.ts';

const only = (mail: object, alerts: object = LOG_ALERTS): object => ({
  credentials: { mail: { ...MAIL, ...mail } },
  alerts,
});

describe('what is legal but unwise', () => {
  test('a sound configuration gets no advice', async () => {
    expect(await adviceOn(only({}))).toEqual([]);
  });

  test('retries that cannot fit before the expiry are told the margin they need', async () => {
    const result = await load(only({ refreshMarginMinutes: 10 }));
    expect(result).toMatchObject({
      advice: [
        {
          code: 'retries_do_not_fit',
          message:
            'credentials.mail.refreshMarginMinutes: expected at least 25, got 10, while 5 retries take 25 minutes; they are moved closer together to fit: set 25, or fewer or faster retries',
        },
      ],
    });
    const claude = { store: { format: 'claude-code' }, refresh: { command: ['/bin/true'] } };
    expect(await adviceOn({ credentials: { claude }, alerts: LOG_ALERTS })).toEqual([]);
  });

  test('files that others may read: store, secret, .env', async () => {
    const folder = privateFolder();
    for (const name of ['mail.json', 'key', '.env']) {
      writeFileSync(join(folder, name), 'x');
      chmodSync(join(folder, name), 0o644);
    }
    const config = only({ publish: [{ envFile: '.env', variable: 'A' }] });
    const key = { static: fromFile('key') };
    const credentials = { ...(config as { credentials: object }).credentials, key };
    expect(await adviceOn({ ...config, credentials }, { folder })).toEqual([
      'secret_readable_by_others',
      'store_readable_by_others',
      'env_file_readable_by_all',
    ]);
  });

  test('F42: a .env that is mounted by itself cannot be replaced', async (ctx) => {
    if (process.platform !== 'linux') return ctx.skip('only Linux has a table of mounts to look into');
    // Every Linux has /proc mounted; as a target it stands for a file that a container got by a bind mount.
    const publish = (write: string): object => only({ publish: [{ envFile: '/proc', variable: 'A', write }] });
    expect(await adviceOn(publish('atomic'))).toContain('env_file_is_a_mount');
    expect(await adviceOn(publish('in-place'))).not.toContain('env_file_is_a_mount');
  });

  test('F29: a script that is missing, cannot be run, or that others may write', async () => {
    const folder = privateFolder();
    const script = join(folder, 'refresh.sh');
    const config = only({ refresh: { command: ['./refresh.sh'] } });
    expect(await adviceOn(config, { folder })).toEqual(['program_missing']);
    writeFileSync(script, '#!/bin/sh\n', { mode: 0o600 });
    expect(await adviceOn(config, { folder })).toEqual(['program_not_executable']);
    chmodSync(script, 0o702);
    expect(await adviceOn(config, { folder })).toEqual([
      process.geteuid === undefined ? 'nothing' : 'program_writable_by_others',
    ]);
    chmodSync(script, 0o700);
    expect(await adviceOn(config, { folder })).toEqual([]);
  });

  test('F76: a program that is not on the PATH, or only on the PATH of a login', async () => {
    const folder = privateFolder();
    const bin = join(folder, 'bin');
    mkdirSync(bin);
    writeFileSync(join(bin, 'refresh-it'), '#!/bin/sh\n', { mode: 0o700 });
    const config = only({ refresh: { command: ['refresh-it'] }, publish: [{ hook: ['sh', '-c', 'true'] }] });
    const PATH = `/usr/bin:/bin:${bin}`;
    expect(await adviceOn(config, { folder, env: { PATH: '/usr/bin:/bin' } })).toEqual(['program_not_found']);
    expect(await adviceOn(config, { folder, env: { PATH } })).toEqual(['program_only_on_login_path']);
    expect(await adviceOn(config, { folder, env: { PATH, INVOCATION_ID: 'a-service' } })).toEqual([]);
    const result = await load(config, { folder, env: { PATH } });
    expect(result).toMatchObject({ advice: [{ message: expect.stringContaining(`write "${bin}/refresh-it"`) }] });
  });

  test('alerts that can reach nobody', async () => {
    const desktop = { sinks: [{ type: 'desktop' }] };
    expect(await adviceOn({ credentials: { mail: MAIL } })).toEqual(['nothing_can_reach_you']);
    expect(await adviceOn(only({}, { sinks: [] }))).toEqual(['nothing_can_reach_you']);
    expect(await adviceOn(only({}, desktop))).toEqual(['nothing_can_reach_you']);
    expect(await adviceOn(only({}, desktop), { env: { DISPLAY: ':0' } })).toEqual([]);
  });

  test.each([
    { type: 'slack', url: 'https://hooks.example/services/very-secret' },
    { type: 'discord', url: 'https://hooks.example/webhooks/very-secret' },
    { type: 'telegram', botToken: '1:very-secret', chatId: '7' },
    { type: 'ntfy', topic: 'very-secret' },
    { type: 'sentry', dsn: 'https://very-secret@errors.example/7' },
  ])('a secret of the sink $type that stands in the file itself', async (sink) => {
    const result = await load(only({}, { sinks: [sink] }));
    expect(result).toMatchObject({ advice: [{ code: 'secret_in_configuration' }] });
    expect(JSON.stringify(result.ok && result.advice)).not.toContain('very-secret');
  });

  test('a configuration without credentials', async () => {
    expect(await adviceOn({ credentials: {}, alerts: LOG_ALERTS })).toEqual(['no_credentials']);
  });
});
