import { connect as connectSocket, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { startApiServer } from '../../src/api/server.ts';
import { type ConnectOptions, connect, FreshdError, type Token } from '../../src/index.ts';
import { arrange, createTestTimers, temporaryDirectory, until } from '../api/arrange.ts';
import { createFakeDaemon, createRecordedLog, HOUR_MS, MINUTE_MS, START_MS } from '../api/fake-daemon.ts';
import { arrangeClient, connectTo, heard, LONG_MS, refresh, startResource } from './arrange.ts';

const GENERATION = START_MS / 1000 + 1;

function thrown(act: () => unknown): FreshdError {
  try {
    act();
  } catch (error) {
    if (error instanceof FreshdError) return error;
    throw error;
  }
  throw new Error('expected it to throw');
}

describe('client.token', () => {
  test('is there as soon as the client is connected, the same object each time', async () => {
    const { client } = await arrangeClient({ claude: 'at-1', mail: 'mt-1' });
    expect(client.token('claude')).toEqual({
      credential: 'claude',
      chain: null,
      accessToken: 'at-1',
      tokenType: 'Bearer',
      scheme: 'bearer',
      generation: GENERATION,
      expiresAt: START_MS + LONG_MS,
      refreshable: true,
      stale: false,
    });
    expect(client.token('claude')).toBe(client.token('claude'));
    expect([client.token('mail').accessToken, client.names(), client.isConnected]).toEqual([
      'mt-1',
      ['claude', 'mail'],
      true,
    ]);
  });

  test('is the new one once the daemon has it, without being asked for', async () => {
    const arranged = await arrangeClient();
    const { client } = arranged;
    const told = heard(client, 'token');
    refresh(arranged, 'claude', 'at-2');
    expect(await told).toMatchObject({ accessToken: 'at-2', generation: GENERATION + 1 });
    expect(client.token('claude').accessToken).toBe('at-2');
  });

  test('of a name that does not exist says the nearest one', async () => {
    const { client } = await arrangeClient({ claude: 'at-1', mail: 'mt-1' });
    const error = thrown(() => client.token('cluade'));
    expect([error.code, error.nearest]).toEqual(['unknown_credential', 'claude']);
    expect(error.message).toBe('no credential cluade among the 2 known here; did you mean claude?');
  });

  test('of a credential that is down says why, and E5: what a person has to do', async () => {
    const { daemon, socketPath } = await arrangeClient();
    daemon.load('mail', null);
    daemon.load('dead', 'dt-1', 3 * MINUTE_MS);
    const client = await connectTo(socketPath);
    expect(thrown(() => client.token('mail'))).toMatchObject({
      code: 'temporarily_unavailable',
      remedy: 'freshd login mail',
    });
    const down = heard(
      client,
      'phase',
      ({ phase, status }) => phase === 'reauthorization_required' && status === 'expired',
    );
    daemon.advance(2.5 * MINUTE_MS);
    daemon.fail('dead', { code: 'invalid_grant', class: 'terminal' });
    daemon.advance(2 * MINUTE_MS);
    expect(await down).toMatchObject({ credential: 'dead', remedy: 'freshd login dead' });
    const error = thrown(() => client.token('dead'));
    expect([error.code, error.remedy]).toEqual(['reauthorization_required', 'freshd login dead']);
    expect(error.message).toBe('dead needs a person (terminal): freshd login dead');
  });

  test('of a client that listed names knows these only', async () => {
    const { client } = await arrangeClient({ claude: 'at-1', mail: 'mt-1' }, { names: ['mail'] });
    expect(client.names()).toEqual(['mail']);
    expect(thrown(() => client.token('claude')).code).toBe('unknown_credential');
    expect((await client.waitForToken('claude')).accessToken).toBe('at-1');
  });
});

describe('connect', () => {
  test('fails at once, and typed, where there is no daemon, and says how to start one', async () => {
    const failing = connect({ socketPath: join(temporaryDirectory(), 'none.sock') });
    await expect(failing).rejects.toMatchObject({ name: 'FreshdError', code: 'no_daemon', remedy: 'freshd run' });
  });

  test('can wait for one', async () => {
    const socketPath = join(temporaryDirectory(), 'freshd.sock');
    const connecting = connect({ socketPath, waitMs: 60_000 });
    const daemon = createFakeDaemon();
    daemon.load('claude', 'at-1', LONG_MS);
    const server = await startApiServer({ daemon, socketPath, log: createRecordedLog(), timers: createTestTimers() });
    onTestFinished(() => server.close());
    const client = await connecting;
    onTestFinished(() => client.close());
    expect(client.token('claude').accessToken).toBe('at-1');
  });

  test('to names that do not exist fails with the nearest', async () => {
    const { socketPath } = await arrangeClient();
    await expect(connect({ socketPath, names: ['cluade'], waitMs: 60_000 })).rejects.toMatchObject({
      code: 'unknown_credential',
      nearest: 'claude',
    });
  });

  test.each([
    ['another server', 'HTTP/1.1 404 Not Found\r\n\r\nhello'],
    ['no server for HTTP', 'SSH-2.0-OpenSSH_9\r\n\r\n'],
    ['nothing at all', ''],
  ])('to %s fails', async (_, answer) => {
    const socketPath = join(temporaryDirectory(), 't.sock');
    const server = createServer((socket) => socket.on('error', () => socket.destroy()).end(answer));
    onTestFinished(() => void server.close());
    await new Promise<void>((resolve) => server.listen(socketPath, resolve));
    await expect(connect({ socketPath })).rejects.toMatchObject({ name: 'FreshdError', code: 'broken' });
  });
});

describe('a daemon that restarts', () => {
  async function arrangeRestart(options: ConnectOptions = {}) {
    const arranged = await arrangeClient({ claude: 'at-1', gone: 'gt-1' }, options);
    const { socketPath, client, server } = arranged;
    const disconnected = heard(client, 'disconnected');
    await server.close();
    await disconnected;
    return {
      ...arranged,
      async restart(tokens: Record<string, string>) {
        const daemon = createFakeDaemon();
        for (const [name, token] of Object.entries(tokens)) daemon.load(name, token, LONG_MS);
        const connected = heard(client, 'connected');
        const again = await startApiServer({
          daemon,
          socketPath,
          log: createRecordedLog(),
          timers: createTestTimers(),
        });
        onTestFinished(() => again.close());
        await connected;
        return daemon;
      },
    };
  }

  test('leaves no gap for readers: the last token is given out, marked as stale', async () => {
    const { client, restart } = await arrangeRestart();
    expect(client.isConnected).toBe(false);
    expect(client.token('claude')).toMatchObject({ accessToken: 'at-1', stale: true });
    expect((await client.waitForToken('claude')).accessToken).toBe('at-1');
    await restart({ claude: 'at-2' });
    expect(client.token('claude')).toMatchObject({ accessToken: 'at-2', stale: false });
  });

  test('and no longer knows a credential takes it from its readers', async () => {
    const { client, restart } = await arrangeRestart();
    expect(client.token('gone').accessToken).toBe('gt-1');
    await restart({ claude: 'at-1' });
    expect([client.names(), thrown(() => client.token('gone')).code]).toEqual([['claude'], 'unknown_credential']);
  });

  test('and no longer knows a name that the client listed tells of the others, and of that one when it is back', async () => {
    const { client, restart } = await arrangeRestart({ names: ['claude', 'gone'] });
    const daemon = await restart({ claude: 'at-2' });
    expect(client.token('claude')).toMatchObject({ accessToken: 'at-2', stale: false });
    expect(thrown(() => client.token('gone')).code).toBe('unknown_credential');
    daemon.load('gone', 'gt-2', LONG_MS);
    expect((await heard(client, 'token')).accessToken).toBe('gt-2');
  });

  test('tells of no new token when there is none', async () => {
    const { client, restart } = await arrangeRestart();
    const told: Token[] = [];
    client.on('token', (token) => told.push(token));
    await restart({ claude: 'at-1', gone: 'gt-1' });
    expect(told).toEqual([]);
    expect(client.token('claude').stale).toBe(false);
  });

  test('ends the wait of whoever waits for a token that only it can bring', async () => {
    const { client, restart } = await arrangeRestart();
    const waiting = client.waitForToken('claude', { afterGeneration: GENERATION });
    const daemon = await restart({ claude: 'at-1' });
    refresh({ daemon }, 'claude', 'at-2');
    expect(await waiting).toMatchObject({ accessToken: 'at-2' });
  });

  test('B2: is told of a token that was refused while nobody could be told, so that the request is answered', async () => {
    const { client, restart } = await arrangeRestart();
    const resource = await startResource(['at-2']);
    const fetching = client.fetch('claude', resource.url);
    await until(() => resource.seen.length === 1);
    // By the end of another wait in vain the report has failed too.
    await expect(client.waitForToken('claude', { afterGeneration: GENERATION, timeoutMs: 200 })).rejects.toThrow();
    const daemon = await restart({ claude: 'at-1' });
    await until(() => daemon.count('claude', 'begin_attempt') === 1);
    daemon.succeed('claude', 'at-2', LONG_MS);
    expect((await fetching).status).toBe(200);
    expect(resource.seen.map(({ token }) => token)).toEqual(['at-1', 'at-2']);
  });
});

describe('a connection that breaks', () => {
  test('is made again, goes on where it was, and nothing was missed', async () => {
    const arranged = await arrangeClient({ claude: 'at-1', mail: 'mt-1' });
    const proxy = await startProxy(arranged.socketPath);
    const client = await connectTo(proxy.socketPath);
    const [disconnected, connected] = [heard(client, 'disconnected'), heard(client, 'connected')];
    proxy.cut();
    expect((await disconnected).code).toBe('broken');
    expect(client.token('mail').stale).toBe(true);
    refresh(arranged, 'mail', 'mt-2');
    await connected;
    expect(client.token('mail')).toMatchObject({ accessToken: 'mt-2', stale: false });
    expect(client.token('claude')).toMatchObject({ accessToken: 'at-1', stale: false });
    expect(proxy.heard().match(/"resumed":(true|false)/g)).toEqual(['"resumed":false', '"resumed":true']);
    expect(proxy.heard().match(/"access_token":"at-1"/g)).toHaveLength(1);
  });
});

describe('client.waitForToken', () => {
  test('A7: demands a minimum validity, and the refresh for it is started once for all who wait', async () => {
    const { daemon, client } = await arrangeClient({});
    daemon.load('claude', 'old', LONG_MS);
    await heard(client, 'token');
    const minValidMs = LONG_MS / 10 - 60_000;
    const { accessToken } = await client.waitForToken('claude', { minValidMs });
    expect(accessToken).toBe('old');
    daemon.load('short', 'st-1', 3_600_000 * 24 * 365);
    await heard(client, 'token', ({ credential }) => credential === 'short');
    daemon.advance(MINUTE_MS);
    const waiting = Array.from({ length: 50 }, () => client.waitForToken('short', { minValidMs }));
    await until(() => daemon.count('short', 'begin_attempt') === 1);
    daemon.succeed('short', 'st-2', LONG_MS);
    expect(new Set((await Promise.all(waiting)).map((token) => token.accessToken))).toEqual(new Set(['st-2']));
    expect(daemon.count('short', 'begin_attempt')).toBe(1);
  });

  test('B4: resumes when a missing token appears', async () => {
    const { daemon, client } = await arrangeClient();
    daemon.load('mail', null);
    const waiting = client.waitForToken('mail');
    daemon.load('mail', 'mt-1', LONG_MS);
    expect((await waiting).accessToken).toBe('mt-1');
  });

  test('E5: ends at once when a person must act', async () => {
    const { daemon, client } = await arrangeClient();
    const waiting = client.waitForToken('claude', { afterGeneration: GENERATION });
    daemon.dispatch('claude', { type: 'refresh_requested', cause: 'operator', force: true });
    daemon.fail('claude', { code: 'invalid_grant', class: 'terminal' });
    await expect(waiting).rejects.toMatchObject({ code: 'reauthorization_required', remedy: 'freshd login claude' });
  });

  test('ends when its time is up, and says why nothing came', async () => {
    const { daemon, client } = await arrangeClient();
    daemon.load('mail', null);
    await expect(client.waitForToken('mail', { timeoutMs: 50 })).rejects.toMatchObject({ code: 'timeout' });
  });

  test('ends when its signal says so, and when the client is closed', async () => {
    const { daemon, client } = await arrangeClient();
    daemon.load('mail', null);
    const aborting = new AbortController();
    const aborted = client.waitForToken('mail', { signal: aborting.signal });
    const closed = client.waitForToken('mail');
    aborting.abort(new Error('enough'));
    await expect(aborted).rejects.toThrow('enough');
    client.close();
    await expect(closed).rejects.toMatchObject({ code: 'closed' });
  });

  test('leaves nothing at the daemon that waits for a client that was closed', async () => {
    const { client, timers, daemon } = await arrangeClient();
    daemon.load('mail', null);
    const closed = client.waitForToken('mail');
    await until(() => timers.pending.length === 1);
    client.close();
    await expect(closed).rejects.toMatchObject({ code: 'closed' });
    await until(() => timers.pending.length === 0);
  });

  test('F62: ends at once where a rule says no, and so says every other way to the token', async () => {
    const rule = { uids: [4_294_967_290], gids: null, executables: null };
    const reader = { uid: 1_000, pid: 42, groups: () => [], executable: () => null };
    const peers = { readerOf: () => reader };
    const ruleOf = (name: string) => (name === 'mail' ? rule : null);
    const { daemon, socketPath } = await arrange({ access: { peers, ruleOf, onRulesChanged: () => () => undefined } });
    daemon.load('mail', 'mt-1', LONG_MS);
    const client = await connectTo(socketPath);
    const denied = { code: 'not_allowed', credential: 'mail' };
    expect(thrown(() => client.token('mail'))).toMatchObject(denied);
    await expect(client.waitForToken('mail')).rejects.toMatchObject(denied);
    await expect(client.fetch('mail', 'http://127.0.0.1:1/')).rejects.toMatchObject(denied);
    await expect(client.gate('mail', { failFast: true }).run(() => 'ran')).rejects.toMatchObject(denied);
  });

  test('of a name that cannot be one ends, as a failure of ours', async () => {
    const { client } = await arrangeClient();
    for (const name of ['', '..', 'a/b', 'x'.repeat(5_000), 'a\0b', '\ud800']) {
      await expect(client.waitForToken(name)).rejects.toMatchObject({ name: 'FreshdError', code: 'invalid_request' });
    }
  });

  test('of a name that does not exist ends with the nearest', async () => {
    const { client } = await arrangeClient();
    await expect(client.waitForToken('cluade')).rejects.toMatchObject({
      code: 'unknown_credential',
      nearest: 'claude',
    });
  });
});

describe('a chain', () => {
  async function arrangeChain() {
    const arranged = await arrange();
    const { daemon, socketPath } = arranged;
    daemon.load('claude', 'at-1', LONG_MS);
    daemon.add('key', { method: 'static' });
    daemon.load('key', 'kt-1', LONG_MS);
    await daemon.addChain('anthropic', 'claude', 'key');
    daemon.advance(2 * MINUTE_MS);
    return { ...arranged, client: await connectTo(socketPath) };
  }

  test('C2: is read by its name, and says whose token it is', async () => {
    const { client } = await arrangeChain();
    const { generation, ...token } = client.token('anthropic');
    expect(token).toMatchObject({ credential: 'claude', chain: 'anthropic', accessToken: 'at-1', stale: false });
    expect(generation).toBe(client.chain('anthropic')?.generation);
    expect(client.names()).toEqual(['claude', 'key', 'anthropic']);
  });

  test('C3: a 401 falls back at once: the request is sent again with the next member, and the report goes to its own', async () => {
    const { daemon, client } = await arrangeChain();
    const resource = await startResource(['kt-1']);
    expect((await client.fetch('anthropic', resource.url)).status).toBe(200);
    expect(resource.seen.map(({ token }) => token)).toEqual(['at-1', 'kt-1']);
    expect(daemon.count('claude', 'begin_attempt')).toBe(1);
    expect(client.token('anthropic')).toMatchObject({ credential: 'key', accessToken: 'kt-1' });
    expect(client.chain('anthropic')).toMatchObject({ credential: 'key', insteadOf: { credential: 'claude' } });
  });

  test('A7: of which another member lives as long as is asked for gives that one, and goes on with its own', async () => {
    const { daemon, socketPath, get } = await arrange();
    daemon.load('claude', 'at-1', HOUR_MS);
    daemon.add('key', { method: 'static' });
    daemon.load('key', 'kt-1', LONG_MS);
    await daemon.addChain('anthropic', 'claude', 'key');
    daemon.advance(2 * MINUTE_MS);
    const client = await connectTo(socketPath);
    const waiting = client.waitForToken('anthropic', { minValidMs: 2 * HOUR_MS });
    while (daemon.count('claude', 'begin_attempt') === 0) await get('/v1/health/live');
    daemon.fail('claude');
    const { generation } = client.token('key');
    expect(await waiting).toMatchObject({ credential: 'key', chain: null, accessToken: 'kt-1', generation });
    expect(daemon.chains.state('anthropic')?.inUse?.credential).toBe('claude');
  });

  test('of which no member is usable says what each lacks, and a gate holds until one is', async () => {
    const { daemon, client } = await arrangeChain();
    const down = heard(client, 'chain', ({ credential }) => credential === null);
    daemon.advance(LONG_MS - 10 * MINUTE_MS);
    daemon.fail('claude', { code: 'invalid_grant', class: 'terminal' });
    daemon.advance(HOUR_MS);
    expect(await down).toMatchObject({ credential: null });
    const error = thrown(() => client.token('anthropic'));
    expect(error.message).toMatch(/^no member of anthropic is usable: claude: \w+ \(freshd login claude\); key: /);
    const held = client.gate('anthropic').run(() => client.token('anthropic').accessToken);
    daemon.load('claude', 'at-2', LONG_MS);
    expect(await held).toBe('at-2');
  });

  test('that a reload takes out is known no more', async () => {
    const { daemon, client } = await arrangeChain();
    const gone = heard(client, 'chain', ({ status }) => status === 'removed');
    await daemon.removeChains();
    await gone;
    expect(thrown(() => client.token('anthropic')).code).toBe('unknown_credential');
  });
});

describe('the daemon', () => {
  test('is told which generation the client has', async () => {
    const arranged = await arrangeClient();
    const { get } = arranged;
    const acknowledged = async () => {
      const { consumers } = JSON.parse((await get('/v1/credentials/claude')).text);
      return consumers.each.find(({ consumer }: { consumer: string }) => consumer === 'test')?.acknowledged;
    };
    while ((await acknowledged()) !== GENERATION) await heardNothing();
    refresh(arranged, 'claude', 'at-2');
    while ((await acknowledged()) !== GENERATION + 1) await heardNothing();
  });
});

const heardNothing = () => new Promise((resolve) => setImmediate(resolve));

test('a listener that throws is its own program’s matter: the client and the others go on', async () => {
  const arranged = await arrangeClient();
  const { client } = arranged;
  const thrownLater = new Promise((resolve) => {
    const listeners = process.listeners('uncaughtException');
    process.removeAllListeners('uncaughtException');
    process.once('uncaughtException', (error) => {
      for (const listener of listeners) process.on('uncaughtException', listener);
      resolve(error);
    });
  });
  client.on('token', () => {
    throw new Error('a bug of the program');
  });
  const other = heard(client, 'token');
  refresh(arranged, 'claude', 'at-2');
  expect(await other).toMatchObject({ accessToken: 'at-2' });
  expect(await thrownLater).toMatchObject({ message: 'a bug of the program' });
});

/** A socket that passes everything on, until its connections are cut. */
async function startProxy(target: string): Promise<{ socketPath: string; cut(): void; heard(): string }> {
  const socketPath = join(temporaryDirectory(), 'proxy.sock');
  const sockets = new Set<Socket>();
  let text = '';
  const cut = () => {
    for (const socket of sockets) socket.destroy();
    sockets.clear();
  };
  const server = createServer((near) => {
    const far = connectSocket(target);
    for (const socket of [near, far]) sockets.add(socket.on('error', () => socket.destroy()));
    far.on('data', (chunk) => {
      text += String(chunk);
    });
    near.pipe(far).pipe(near);
  });
  onTestFinished(() => {
    cut();
    server.close();
  });
  await new Promise<void>((resolve) => server.listen(socketPath, resolve));
  return { socketPath, cut, heard: () => text };
}
