/** `freshd login`, in this process, against a real authorization server, with a person who is a few lines of code. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import type { AuthorizationServer, AuthorizationServerOptions } from '../../scripts/demo-authorization-server.js';
import { authorizationServer, closedPort, native } from '../adapters/refresh/oauth-arrange.ts';
import { privateFolder } from '../config/arrange.ts';
import { type Overheard, type Ran, runIn } from './arrange.ts';

interface Arranged {
  readonly server: AuthorizationServer;
  readonly storePath: string;
  /** Starts it; `said` is what stands on standard output so far. */
  begin(...options: string[]): { readonly ended: Promise<Ran>; said(): string };
  stored(): Record<string, unknown>;
}

async function arrange(
  oauth: (server: AuthorizationServer) => object,
  options: AuthorizationServerOptions = {},
): Promise<Arranged> {
  const server = await authorizationServer({ deviceIntervalSeconds: 0.1, ...options });
  const folder = privateFolder();
  const storePath = join(folder, 'mail.json');
  const config = {
    stateDirectory: join(folder, 'state'),
    credentials: {
      mail: {
        store: { format: 'token-response', path: storePath },
        refresh: { oauth: { clientId: 'mail', ...oauth(server) } },
      },
      key: { static: `\${env:KEY}` },
    },
  };
  const configPath = join(folder, 'config.json');
  writeFileSync(configPath, JSON.stringify(config), { mode: 0o600 });
  mkdirSync(join(folder, 'run'), { mode: 0o700 });
  const env = { KEY: 'k', XDG_RUNTIME_DIR: join(folder, 'run'), CLIENT_SECRET: 's3cret' };
  return {
    server,
    storePath,
    stored: () => JSON.parse(readFileSync(storePath, 'utf8')),
    begin(...words) {
      let said = '';
      const io: Partial<Overheard> = {
        env,
        home: folder,
        uid: process.geteuid?.() ?? null,
        heard: (text) => {
          said += text;
        },
      };
      const [name = 'mail'] = words.filter((word) => !word.startsWith('--'));
      const flags = words.filter((word) => word.startsWith('--'));
      return { ended: runIn(io, 'login', name, ...flags, '--config', configPath), said: () => said };
    },
  };
}

const byDevice = (server: AuthorizationServer) => ({
  tokenEndpoint: server.tokenEndpoint,
  deviceAuthorizationEndpoint: `${server.url}/device_authorization`,
});

const byBrowser = (server: AuthorizationServer) => ({
  tokenEndpoint: server.tokenEndpoint,
  authorizationEndpoint: `${server.url}/authorize`,
});

/** The first login loads what talks to servers, which takes a moment. */
const eventually = (check: () => void) => vi.waitFor(check, { timeout: 20_000, interval: 20 });

/** The address that a person is to open. */
async function shownAddress(begun: { said(): string }): Promise<URL> {
  await eventually(() => expect(begun.said()).toContain('waiting'));
  return new URL(/https?:\S+/.exec(begun.said())?.[0] ?? '');
}

describe('by a code that is typed in elsewhere', () => {
  test('waits for the person, then stores a grant that can be refreshed, and shows no token', async () => {
    const { server, begin, stored } = await arrange(byDevice);
    const begun = begin();
    await eventually(() => expect(server.userCodes()).toHaveLength(1));
    const [userCode = ''] = server.userCodes();
    // Asked before anybody has answered: the server says so, and it is asked again.
    await eventually(() => expect(server.state().requests.refused).toBeGreaterThan(0));
    expect(begun.said()).toContain(`and type in this code:  ${userCode}`);
    server.decideDevice(userCode, true);
    const { exitCode, stdout, stderr } = await begun.ended;
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(stdout).toContain('mail: logged in; ');
    const { access_token, refresh_token, obtained_at } = stored();
    expect(obtained_at).toMatch(/^20\d\d-/);
    for (const secret of [access_token, refresh_token]) expect(stdout).not.toContain(secret);
    const refresh = native({ tokenEndpoint: server.tokenEndpoint });
    expect((await refresh.run(String(refresh_token))).kind).toBe('response');
  });

  test('a person who says no ends it with 77, and the store stays as it was', async () => {
    const { server, begin, storePath } = await arrange(byDevice);
    writeFileSync(storePath, '{"access_token":"at_old","refresh_token":"rt_old"}', { mode: 0o600 });
    const begun = begin();
    await eventually(() => expect(server.userCodes()).toHaveLength(1));
    server.decideDevice(server.userCodes()[0] ?? '', false);
    expect(await begun.ended).toMatchObject({
      exitCode: 77,
      stderr: expect.stringContaining('the server refused the login: access_denied'),
    });
    expect(readFileSync(storePath, 'utf8')).toBe('{"access_token":"at_old","refresh_token":"rt_old"}');
  });

  test('a code that nobody uses in time ends it with 77', async () => {
    const { begin } = await arrange(byDevice, { deviceLifeSeconds: 1 });
    expect(await begin().ended).toMatchObject({ exitCode: 77, stderr: expect.stringContaining('not used in time') });
  });

  test('a server in trouble is asked again until it answers', async () => {
    const { server, begin } = await arrange(byDevice);
    server.fail({ status: 503, body: '<html>', times: 2 });
    const begun = begin();
    await eventually(() => expect(server.userCodes()).toHaveLength(1));
    server.decideDevice(server.userCodes()[0] ?? '', true);
    expect((await begun.ended).exitCode).toBe(0);
    expect(server.state().requests.failed).toBe(2);
  });

  test('a client that the server does not know ends it with 77', async () => {
    const { begin } = await arrange(byDevice, { clients: {} });
    expect(await begin().ended).toMatchObject({ exitCode: 77, stderr: expect.stringContaining('invalid_client') });
  });
});

describe('in a browser on this machine', () => {
  test('the answer on loopback is turned into a grant, with PKCE, and other requests change nothing', async () => {
    const { server, begin, stored } = await arrange(byBrowser);
    const begun = begin();
    const address = await shownAddress(begun);
    const redirectUri = address.searchParams.get('redirect_uri') ?? '';
    expect(redirectUri).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/callback$/);
    expect(address.searchParams.get('code_challenge_method')).toBe('S256');
    const forged = await fetch(`${redirectUri}?code=stolen&state=guessed`);
    expect(forged.status).toBe(404);
    const page = await fetch(address);
    expect(await page.text()).toContain('see your terminal');
    const { exitCode, stdout } = await begun.ended;
    expect(exitCode).toBe(0);
    expect(stdout).not.toContain(stored().refresh_token);
    expect(server.state()).toMatchObject({ requests: { token: 1 }, families: [{ revoked: false }] });
  });

  test('a confidential client authenticates; scope and more parameters stand in the address', async () => {
    const { server, begin } = await arrange(
      (at) => ({
        ...byBrowser(at),
        clientSecret: `\${env:CLIENT_SECRET}`,
        scope: 'mail offline_access',
        loginParameters: { access_type: 'offline' },
      }),
      { clients: { mail: { authentication: 'basic', secret: 's3cret' } } },
    );
    const begun = begin();
    const address = await shownAddress(begun);
    expect(Object.fromEntries(address.searchParams)).toMatchObject({
      scope: 'mail offline_access',
      access_type: 'offline',
    });
    expect(address.href).not.toContain('s3cret');
    await fetch(address);
    expect((await begun.ended).exitCode).toBe(0);
    expect(server.state().requests.refused).toBe(0);
  });

  test('a registered address is used as it is; when it is taken, that is said', async () => {
    const port = await closedPort();
    const { begin } = await arrange((at) => ({ ...byBrowser(at), redirectUri: `http://127.0.0.1:${port}/back` }));
    const begun = begin();
    const address = await shownAddress(begun);
    expect(address.searchParams.get('redirect_uri')).toBe(`http://127.0.0.1:${port}/back`);
    expect(await begin().ended).toMatchObject({ exitCode: 78, stderr: expect.stringContaining('could not listen') });
    await fetch(address);
    expect((await begun.ended).exitCode).toBe(0);
  });

  test('a refusal that comes back through the browser ends it with 77', async () => {
    const { begin } = await arrange(byBrowser);
    const begun = begin();
    const address = await shownAddress(begun);
    const [back, state] = [address.searchParams.get('redirect_uri'), address.searchParams.get('state')];
    await fetch(`${back}?error=access_denied&error_description=rude&state=${state}`);
    const { exitCode, stderr } = await begun.ended;
    expect(exitCode).toBe(77);
    expect(stderr).toContain('access_denied');
    expect(stderr).not.toContain('rude');
  });
});

describe('where the way is not said', () => {
  test('the discovery document decides, and a switch overrides it', async () => {
    const { server, begin } = await arrange((at) => ({ issuer: at.url }));
    const device = begin();
    await eventually(() => expect(server.userCodes()).toHaveLength(1));
    server.decideDevice(server.userCodes()[0] ?? '', true);
    expect((await device.ended).exitCode).toBe(0);
    const browser = begin('--browser');
    await fetch(await shownAddress(browser));
    expect((await browser.ended).exitCode).toBe(0);
  });

  test('no endpoint for it is a configuration error', async () => {
    const { begin } = await arrange((at) => ({ tokenEndpoint: at.tokenEndpoint }));
    expect(await begin().ended).toMatchObject({
      exitCode: 78,
      stderr: expect.stringContaining('authorization_endpoint: expected https://'),
    });
  });
});

describe('what is kept', () => {
  test('a login without a refresh token is refused: mixed with the old one it would be nobody’s grant', async () => {
    const { server, begin, storePath } = await arrange(byBrowser);
    writeFileSync(storePath, '{"access_token":"at_old","refresh_token":"rt_old"}', { mode: 0o600 });
    server.fail({ status: 200, body: { access_token: 'at_new' } });
    const begun = begin();
    await fetch(await shownAddress(begun));
    expect(await begun.ended).toMatchObject({ exitCode: 78, stderr: expect.stringContaining('offline_access') });
    expect(readFileSync(storePath, 'utf8')).toContain('rt_old');
  });

  test('members that are not of the grant stay, and another account is pointed out', async () => {
    const { server, begin, storePath, stored } = await arrange(byBrowser);
    const old = { access_token: 'at_old', refresh_token: 'rt_old', account_id: 'one', note: 'mine' };
    writeFileSync(storePath, JSON.stringify(old), { mode: 0o600 });
    server.fail({ status: 200, body: { access_token: 'at_new', refresh_token: 'rt_new', account_id: 'two' } });
    const begun = begin();
    await fetch(await shownAddress(begun));
    expect(await begun.ended).toMatchObject({ exitCode: 0, stderr: expect.stringContaining('freshd refresh mail') });
    expect(stored()).toMatchObject({ access_token: 'at_new', refresh_token: 'rt_new', note: 'mine' });
  });

  test('a store that cannot be understood is never overwritten', async () => {
    const { begin, storePath } = await arrange(byBrowser);
    writeFileSync(storePath, '{"access_token":', { mode: 0o600 });
    const begun = begin();
    await fetch(await shownAddress(begun));
    expect((await begun.ended).exitCode).toBe(1);
    expect(readFileSync(storePath, 'utf8')).toBe('{"access_token":');
  });
});

test.each([
  ['nobody', 1, 'expected a credential of the configuration (mail, key)'],
  ['key', 78, 'expected one with refresh.oauth'],
])('%s cannot be logged in', async (name, exitCode, message) => {
  const { begin } = await arrange(byDevice);
  expect(await begin(name).ended).toMatchObject({ exitCode, stderr: expect.stringContaining(message) });
});
