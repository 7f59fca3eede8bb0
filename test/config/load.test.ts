import { chmodSync, chownSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { captureEnvironment, loadConfig } from '../../src/config/load.ts';
import { captureIn, fromEnv, fromFile, load, loaded, MAIL, privateFolder, problemsOf } from './arrange.ts';

const isRoot = process.geteuid?.() === 0;

describe('finding the configuration', () => {
  test('the error lists every place that was looked at', async () => {
    const folder = privateFolder();
    const capture = captureIn(folder, { XDG_CONFIG_HOME: join(folder, 'xdg') });
    expect(await loadConfig({ capture })).toEqual({
      ok: false,
      kind: 'configuration',
      problems: [
        `configuration: expected a file at ${folder}/xdg/freshd/config.json, ${folder}/home/.config/freshd/config.json, /etc/freshd/config.json, got none; let freshd init write one, or name one with --config`,
      ],
    });
  });

  test('a place that was named is the only one looked at', async () => {
    const folder = privateFolder();
    mkdirSync(join(folder, 'home/.config/freshd'), { recursive: true });
    writeFileSync(join(folder, 'home/.config/freshd/config.json'), '{ "credentials": {} }');
    const capture = captureIn(folder);
    const found = await loadConfig({ capture });
    expect(found.ok && found.config.path).toBe(join(folder, 'home/.config/freshd/config.json'));
    const named = await loadConfig({ capture: { ...capture, env: { FRESHD_CONFIG: 'other.json' } } });
    expect(named).toMatchObject({
      ok: false,
      problems: [expect.stringContaining(`expected a file at ${folder}/other.json,`)],
    });
  });

  test('a folder, a pipe-like file and bytes that are no text are refused by what they are', async () => {
    const folder = privateFolder();
    const capture = captureIn(folder);
    const seen = async (path: string): Promise<unknown> => loadConfig({ path, capture });
    expect(await seen(folder)).toMatchObject({ problems: [expect.stringContaining('got a folder')] });
    expect(await seen('/dev/zero')).toMatchObject({ problems: [expect.stringContaining('got a device or pipe')] });
    writeFileSync(join(folder, 'latin1.json'), Buffer.from([0x7b, 0xe9, 0x7d]));
    expect(await seen('latin1.json')).toMatchObject({
      problems: [expect.stringContaining('bytes that are not UTF-8')],
    });
  });

  test('a byte order mark does no harm', async () => {
    expect(await load('\uFEFF{ "credentials": {} }')).toMatchObject({ ok: true });
  });
});

describe('who may write the configuration', () => {
  test('a file that others may write is refused with the chmod that helps', async () => {
    const folder = privateFolder();
    await load({ credentials: {} }, { folder });
    const path = join(folder, 'config.json');
    chmodSync(path, 0o666);
    expect(await loadConfig({ path, capture: captureIn(folder) })).toEqual({
      ok: false,
      kind: 'configuration',
      problems: [
        `${path}: expected a file that only its owner may write, because it names programs to run, got mode 0666; chmod go-w ${path}`,
      ],
    });
  });

  test('a folder in which others may put another file is refused, also behind a link', async () => {
    const open = privateFolder();
    await load({ credentials: {} }, { folder: open });
    chmodSync(open, 0o777);
    const linked = privateFolder();
    symlinkSync(join(open, 'config.json'), join(linked, 'config.json'));
    const result = await loadConfig({ path: join(linked, 'config.json'), capture: captureIn(linked) });
    expect(result).toEqual({
      ok: false,
      kind: 'configuration',
      problems: [
        expect.stringMatching(new RegExp(`^${open}: expected a folder .* got mode 0777; chmod go-w ${open}$`)),
      ],
    });
  });

  test('a file of another user is refused', async (ctx) => {
    if (!isRoot) return ctx.skip('only root can give a file away');
    const folder = privateFolder();
    await load({ credentials: {} }, { folder });
    const path = join(folder, 'config.json');
    chownSync(path, 65534, 65534);
    const result = await loadConfig({ path, capture: captureIn(folder) });
    expect(result).toMatchObject({
      ok: false,
      problems: [expect.stringContaining('got one of uid 65534; look at what it says')],
    });
  });
});

describe('secrets', () => {
  test('come from the environment of the start and from files, without the last newline', async () => {
    const folder = privateFolder();
    writeFileSync(join(folder, 'key'), 'from a file\n', { mode: 0o600 });
    const config = await loaded(
      {
        credentials: {
          a: { static: fromEnv('KEY') },
          b: { static: fromFile('key') },
          c: { ...MAIL, refresh: { ...MAIL.refresh, environment: { AUTH: `Basic ${fromEnv('KEY')}` } } },
        },
      },
      { folder, env: { KEY: 'from the environment' } },
    );
    const [a, b, c] = config.credentials;
    expect([a?.store, b?.store]).toEqual([
      { format: 'static', value: 'from the environment' },
      { format: 'static', value: 'from a file' },
    ]);
    expect(c?.refresh).toMatchObject({ environment: { AUTH: 'Basic from the environment' } });
  });

  test('a relative file is looked for among the credentials of the service first', async () => {
    const folder = privateFolder();
    mkdirSync(join(folder, 'service'));
    for (const [path, value] of [
      ['key', 'own'],
      ['service/key', 'of the service'],
      ['other', 'other'],
    ] as const) {
      writeFileSync(join(folder, path), value, { mode: 0o600 });
    }
    const credentials = { a: { static: fromFile('key') }, b: { static: fromFile('other') } };
    const config = await loaded({ credentials }, { folder, env: { CREDENTIALS_DIRECTORY: join(folder, 'service') } });
    expect(config.credentials.map(({ store }) => store)).toMatchObject([
      { value: 'of the service' },
      { value: 'other' },
    ]);
  });

  test('one that is missing or empty is named by its place, never by a value', async () => {
    const credentials = {
      a: { static: fromEnv('NOT_SET') },
      b: { static: fromFile('nowhere') },
      c: { static: fromEnv('EMPTY') },
      d: { ...MAIL, refresh: { ...MAIL.refresh, environment: { A: `\${HOME}` } } },
    };
    expect(await problemsOf({ credentials }, { env: { EMPTY: '' } })).toEqual([
      'credentials.a.static: expected the environment variable NOT_SET, got none of that name; set it and start freshd again: a reload keeps the environment of the start',
      expect.stringMatching(
        /^credentials\.b\.static: expected the secret in the file nowhere, got ENOENT; create \/.*\/nowhere, readable by the user that runs freshd$/,
      ),
      'credentials.c.static: expected a value, got an empty one; fill the variable or file it is taken from',
      `credentials.d.refresh.environment.A: expected \${env:NAME} or \${file:PATH}, got another text after \${; name the kind of reference`,
    ]);
  });

  test('an empty client secret or bot token is as good as none, wherever it comes from', async () => {
    const oauth = { tokenEndpoint: 'https://auth.example/token', clientId: 'x', clientSecret: fromEnv('EMPTY') };
    const mail = { store: { format: 'token-response', path: 'mail.json' }, refresh: { oauth } };
    const sink = { type: 'telegram', botToken: fromEnv('EMPTY'), chatId: '1' };
    const config = { credentials: { mail }, alerts: { sinks: [sink] } };
    expect(await problemsOf(config, { env: { EMPTY: '' } })).toEqual([
      'alerts.sinks[0].botToken: expected a value, got an empty one; fill the variable or file it is taken from',
      'credentials.mail.refresh.oauth.clientSecret: expected a value, got an empty one; fill the variable or file it is taken from',
    ]);
  });

  test('a reload sees the environment of the start', () => {
    const capture = captureEnvironment();
    process.env.FRESHD_TEST_LATER = 'later';
    try {
      expect(capture.env.FRESHD_TEST_LATER).toBeUndefined();
    } finally {
      delete process.env.FRESHD_TEST_LATER;
    }
  });
});

test('F58: a socket path that the system would cut off is refused with its length', async () => {
  const folder = privateFolder();
  const path = `/${'x'.repeat(106)}`;
  expect(await problemsOf({ credentials: {}, socket: { path } }, { folder })).toEqual([]);
  expect(await problemsOf({ credentials: {}, socket: { path: `${path}y` } }, { folder })).toEqual([
    'socket.path: expected at most 107 bytes, got 108 bytes; set a shorter one, for example "/run/user/1000/freshd.sock"',
  ]);
  expect(await problemsOf({ credentials: {} }, { folder, socket: `${path}ü` })).toEqual([
    expect.stringContaining('got 109 bytes'),
  ]);
});
