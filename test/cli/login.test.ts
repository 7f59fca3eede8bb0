/** `freshd login`, in this process, against a real authorization server, with a person who is a few lines of code. */
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer, connect as netConnect, type Socket } from 'node:net';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import type { AuthorizationServer, AuthorizationServerOptions } from '../../scripts/demo-authorization-server.js';
import type { CredentialConfig } from '../../src/config/config.ts';
import { lockLimitMs } from '../../src/daemon/login.ts';
import { authorizationServer, closedPort, native } from '../adapters/refresh/oauth-arrange.ts';
import { privateFolder } from '../config/arrange.ts';
import { type Overheard, type Ran, runIn } from './arrange.ts';

interface Arranged {
  readonly server: AuthorizationServer;
  readonly folder: string;
  readonly storePath: string;
  /** Starts it; `said` is what stands on standard output so far. */
  begin(...options: string[]): { readonly ended: Promise<Ran>; said(): string };
  stored(): Record<string, unknown>;
}

async function arrange(
  oauth: (server: AuthorizationServer) => object,
  options: AuthorizationServerOptions = {},
  store: object | null = null,
): Promise<Arranged> {
  const server = await authorizationServer({ deviceIntervalSeconds: 0.1, ...options });
  const folder = privateFolder();
  const storePath = join(folder, 'mail.json');
  const config = {
    stateDirectory: join(folder, 'state'),
    credentials: {
      mail: {
        store: store ?? { format: 'token-response', path: storePath },
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
    folder,
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

/** Where the server sends the browser that opened `address`. */
async function addressBack(address: URL): Promise<URL> {
  const page = await fetch(address, { redirect: 'manual' });
  return new URL(page.headers.get('location') ?? '');
}

/** A way to a server on this machine that can be shut: then whoever comes is turned away at once. */
async function gate(target: number) {
  let isOpen = true;
  const server = createServer((socket: Socket) => {
    socket.on('error', () => undefined);
    if (!isOpen) return void socket.resetAndDestroy();
    const upstream = netConnect(target, '127.0.0.1').on('error', () => socket.destroy());
    socket.once('close', () => upstream.destroy());
    socket.pipe(upstream).pipe(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  return {
    port,
    shut: () => {
      isOpen = false;
    },
    open: () => {
      isOpen = true;
    },
  };
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

  test.each([
    ['a page from something in between', { status: 200, body: '<html>Welcome</html>' }],
    ['a page that refuses', { status: 403, body: '<html>' }],
    ['its own word for trouble', { status: 503, body: { error: 'temporarily_unavailable' } }],
    ['its own word with another status', { status: 400, body: { error: 'server_error' } }],
    ['too many requests', { status: 429, body: { error: 'rate_limited' } }],
  ])('%s says nothing about the code', async (_name, answer) => {
    const { server, begin } = await arrange(byDevice);
    server.fail(answer);
    const begun = begin();
    await eventually(() => expect(server.userCodes()).toHaveLength(1));
    server.decideDevice(server.userCodes()[0] ?? '', true);
    const { exitCode, stdout } = await begun.ended;
    expect(exitCode).toBe(0);
    expect(stdout).toContain('it is asked again');
    expect(server.state().requests.failed).toBe(1);
  });

  test('a network that is gone for a while is waited out', async () => {
    const server = await authorizationServer({ deviceIntervalSeconds: 0.1 });
    const way = await gate(server.port);
    const { begin } = await arrange(() => ({
      tokenEndpoint: `http://127.0.0.1:${way.port}/token`,
      deviceAuthorizationEndpoint: `http://127.0.0.1:${way.port}/device_authorization`,
    }));
    const begun = begin();
    await eventually(() => expect(server.userCodes()).toHaveLength(1));
    way.shut();
    await eventually(() => expect(begun.said()).toContain('it is asked again'));
    server.decideDevice(server.userCodes()[0] ?? '', true);
    way.open();
    expect((await begun.ended).exitCode).toBe(0);
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

  test('a page that the browser loads twice brings one grant', async () => {
    const { server, begin } = await arrange(byBrowser);
    server.delay({ milliseconds: 300 });
    const begun = begin();
    const back = await addressBack(await shownAddress(begun));
    const pages = await Promise.all([fetch(back), fetch(back), fetch(new URL('/favicon.ico', back))]);
    expect(pages.map(({ status }) => status)).toEqual([200, 200, 404]);
    expect((await begun.ended).exitCode).toBe(0);
    expect(server.state().requests.token).toBe(1);
    await expect(fetch(back)).rejects.toThrow();
  });

  test('where only endpoints are configured, a server may name itself as it likes (RFC 9207)', async () => {
    const { begin } = await arrange(byBrowser);
    const begun = begin();
    const back = await addressBack(await shownAddress(begun));
    back.searchParams.set('iss', 'https://login.example');
    await fetch(back);
    expect((await begun.ended).exitCode).toBe(0);
  });

  test('an answer in the name of another issuer is none of ours, and its code is not redeemed (RFC 9207)', async () => {
    const { server, begin } = await arrange((at) => ({ issuer: at.url }));
    for (const [iss, exitCode] of [
      ['https://evil.example', 77],
      [server.url, 0],
    ] as const) {
      const begun = begin('--browser');
      const back = await addressBack(await shownAddress(begun));
      back.searchParams.set('iss', iss);
      await fetch(back);
      const ended = await begun.ended;
      expect(ended.exitCode).toBe(exitCode);
      if (exitCode === 77) expect(ended.stderr).toContain('got one of another server');
      expect(server.state().requests.token).toBe(exitCode === 0 ? 1 : 0);
    }
  });

  test('an answer with another state is not the one that is waited for', async () => {
    const { server, begin } = await arrange(byBrowser);
    const begun = begin();
    const back = await addressBack(await shownAddress(begun));
    for (const state of ['', 'x', `${back.searchParams.get('state')}x`]) {
      const forged = new URL(back);
      forged.searchParams.set('state', state);
      expect((await fetch(forged)).status).toBe(404);
    }
    const doubled = new URL(back);
    doubled.searchParams.append('state', 'x');
    expect((await fetch(doubled)).status).toBe(404);
    expect(server.state().requests.token).toBe(0);
    await fetch(back);
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

  test('a store that cannot be understood is never overwritten, and nobody is bothered first', async () => {
    const { server, begin, storePath } = await arrange(byDevice);
    writeFileSync(storePath, '{"access_token":', { mode: 0o600 });
    const { exitCode, stdout, stderr } = await begin().ended;
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '' });
    expect(stderr).toContain('what is broken is never overwritten');
    expect(readFileSync(storePath, 'utf8')).toBe('{"access_token":');
    expect(server.userCodes()).toEqual([]);
  });

  test('a file that only a tool can begin is refused before anybody is bothered', async () => {
    const { server, begin } = await arrange(byDevice, {}, { format: 'grok', path: 'grok.json' });
    expect(await begin().ended).toMatchObject({ exitCode: 78, stderr: expect.stringContaining('grok login') });
    expect(server.userCodes()).toEqual([]);
  });

  test('a directory that is not there is made for its owner alone; one that cannot be, is said first', async () => {
    const path = 'not/yet/mail.json';
    const { server, begin, folder } = await arrange(byDevice, {}, { format: 'token-response', path });
    const begun = begin();
    await eventually(() => expect(server.userCodes()).toHaveLength(1));
    server.decideDevice(server.userCodes()[0] ?? '', true);
    expect((await begun.ended).exitCode).toBe(0);
    expect(JSON.parse(readFileSync(join(folder, path), 'utf8'))).toMatchObject({ token_type: 'Bearer' });
    expect(statSync(join(folder, 'not')).mode & 0o777).toBe(0o700);
    expect(statSync(join(folder, path)).mode & 0o777).toBe(0o600);

    const inFile = await arrange(byDevice, {}, { format: 'token-response', path: '/proc/nowhere/mail.json' });
    const refused = await inFile.begin().ended;
    expect(refused).toMatchObject({ exitCode: 1, stdout: '' });
    expect(inFile.server.userCodes()).toEqual([]);
  });

  test('the lock of the store is waited for longer than any attempt of a daemon can hold it', () => {
    const policy = { refreshTimeoutMs: 3_600_000, killGraceMs: 60_000 } as CredentialConfig['policy'];
    expect(lockLimitMs(policy)).toBeGreaterThan(3_660_000 + 3_000);
  });
});

test.each([
  ['nobody', 1, 'expected a credential of the configuration (mail, key)'],
  ['key', 78, 'expected one with refresh.oauth'],
])('%s cannot be logged in', async (name, exitCode, message) => {
  const { begin } = await arrange(byDevice);
  expect(await begin(name).ended).toMatchObject({ exitCode, stderr: expect.stringContaining(message) });
});
