import { createHmac } from 'node:crypto';
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createDiscordSink } from '../../../src/adapters/alert/discord.ts';
import { createNtfySink } from '../../../src/adapters/alert/ntfy.ts';
import { createSentrySink } from '../../../src/adapters/alert/sentry.ts';
import { createSlackSink } from '../../../src/adapters/alert/slack.ts';
import { createTelegramSink } from '../../../src/adapters/alert/telegram.ts';
import { createWebhookSink } from '../../../src/adapters/alert/webhook.ts';
import { PortError } from '../../../src/daemon/ports.ts';
import { message } from './message.ts';

interface Received {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

const SECRET_PATH = '/services/T0123/B0456/s3cr3tw0rd';
const PATIENT_MS = 20_000;
const received: Received[] = [];
let answer: (response: ServerResponse) => void = (response) => response.end('ok');
let origin = '';

const server = createServer((request, response) => {
  let body = '';
  request.on('data', (chunk) => {
    body += chunk;
  });
  request.on('end', () => {
    received.push({ method: request.method ?? '', path: request.url ?? '', headers: request.headers, body });
    answer(response);
  });
});

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterAll(() => {
  server.closeAllConnections();
  server.close();
});

beforeEach(() => {
  received.length = 0;
  answer = (response) => response.end('ok');
});

/** The error of a send that must fail. */
async function refusal(sending: Promise<void>): Promise<PortError> {
  const error = await sending.then(
    () => new Error('it was accepted'),
    (reason: unknown) => reason,
  );
  if (!(error instanceof PortError)) throw error;
  return error;
}

const BOT_TOKEN = '12:s3cr3tw0rd';
const telegram = (timeoutMs: number) =>
  createTelegramSink({ url: origin, botToken: BOT_TOKEN, chatId: '-1001', timeoutMs });
const ntfy = (timeoutMs: number) => createNtfySink({ url: origin, topic: 's3cr3tw0rd', token: 'tk_1', timeoutMs });
const sentry = (timeoutMs: number) =>
  createSentrySink({ dsn: `${origin.replace('//', '//s3cr3tw0rd@')}/below/42`, timeoutMs });

/** Each with the path that it posts to. */
const sinks = [
  ['webhook', SECRET_PATH, (timeoutMs: number) => createWebhookSink({ url: origin + SECRET_PATH, timeoutMs })],
  ['slack', SECRET_PATH, (timeoutMs: number) => createSlackSink({ url: origin + SECRET_PATH, timeoutMs })],
  ['discord', SECRET_PATH, (timeoutMs: number) => createDiscordSink({ url: origin + SECRET_PATH, timeoutMs })],
  ['telegram', `/bot${encodeURIComponent(BOT_TOKEN)}/sendMessage`, telegram],
  ['ntfy', '/', ntfy],
  ['sentry', '/below/api/42/envelope/', sentry],
] as const;

describe('the webhook sink', () => {
  test('A8: posts the documented JSON', async () => {
    await createWebhookSink({ url: origin + SECRET_PATH, timeoutMs: PATIENT_MS }).send(message());
    const [request] = received;
    expect(request).toMatchObject({ method: 'POST', path: SECRET_PATH });
    expect(request?.headers['content-type']).toBe('application/json');
    expect(request?.headers['x-freshd-signature']).toBeUndefined();
    expect(JSON.parse(request?.body ?? '')).toEqual({
      id: 'claude-7-reauthorization_required',
      kind: 'reauthorization_required',
      credential: 'claude',
      at: '2026-11-22T02:14:07.000Z',
      title: 'freshd: claude needs you: it cannot be refreshed any more',
      text: expect.stringContaining('Do: claude /login'),
      remedy: 'claude /login',
      code: 'invalid_grant',
      failures: 1,
      expires_at: '2026-11-22T03:14:07.000Z',
      until: null,
    });
  });

  test('signs the body as it was sent, so that a receiver can tell a forged alert', async () => {
    await createWebhookSink({ url: origin, secret: 'shared', timeoutMs: PATIENT_MS }).send(message());
    const [request] = received;
    const expected = createHmac('sha256', 'shared')
      .update(request?.body ?? '')
      .digest('hex');
    expect(request?.headers['x-freshd-signature']).toBe(`sha256=${expected}`);
  });

  test('a repeated delivery carries the same id', async () => {
    const sink = createWebhookSink({ url: origin, timeoutMs: PATIENT_MS });
    await sink.send(message());
    await sink.send(message());
    expect(received.map(({ body }) => JSON.parse(body).id)).toEqual(Array(2).fill('claude-7-reauthorization_required'));
  });
});

describe('the slack sink', () => {
  test('E3: posts the text with the command that helps', async () => {
    await createSlackSink({ url: origin + SECRET_PATH, timeoutMs: PATIENT_MS }).send(message());
    const { text } = JSON.parse(received[0]?.body ?? '');
    expect(text.split('\n')[0]).toBe('freshd: claude needs you: it cannot be refreshed any more');
    expect(text.split('\n').at(-1)).toBe('Do: claude /login');
  });

  test('mentions and links are off', async () => {
    await createSlackSink({ url: origin, timeoutMs: PATIENT_MS }).send(message({}, 'echo a > b && cat <!channel>'));
    const { text } = JSON.parse(received[0]?.body ?? '');
    expect(text).toContain('Do: echo a &gt; b &amp;&amp; cat &lt;!channel&gt;');
  });
});

test('the discord sink: E3: posts the text; markup and mentions are text, links have no preview', async () => {
  const sink = createDiscordSink({ url: origin + SECRET_PATH, timeoutMs: PATIENT_MS });
  await sink.send(message({}, 'run @everyone my_bot_x'));
  const { content, ...rest } = JSON.parse(received[0]?.body ?? '');
  expect(content).toMatch(/^freshd: claude needs you/);
  expect(content).toContain('Do: run \\@everyone my\\_bot\\_x');
  expect(rest).toEqual({ allowed_mentions: { parse: [] }, flags: 4 });
});

test('the telegram sink: E3: the bot sends plain text to the chat', async () => {
  await telegram(PATIENT_MS).send(message());
  expect(received[0]?.path).toBe(`/bot${encodeURIComponent(BOT_TOKEN)}/sendMessage`);
  expect(JSON.parse(received[0]?.body ?? '')).toEqual({
    chat_id: '-1001',
    text: expect.stringMatching(/^freshd: claude needs you.*\n(.|\n)*Do: claude \/login$/),
    link_preview_options: { is_disabled: true },
  });
});

test('the ntfy sink: A8: a request to act is loud, good news are not', async () => {
  await ntfy(PATIENT_MS).send(message());
  await ntfy(PATIENT_MS).send(message({ kind: 'restored' }));
  const [urgent, good] = received.map(({ body }) => JSON.parse(body));
  expect(received[0]?.headers.authorization).toBe('Bearer tk_1');
  expect(urgent).toEqual({
    topic: 's3cr3tw0rd',
    title: 'freshd: claude needs you: it cannot be refreshed any more',
    message: expect.stringContaining('Do: claude /login'),
    priority: 5,
    tags: ['rotating_light'],
  });
  expect(good).toMatchObject({ priority: 3, tags: ['white_check_mark'] });
});

describe('the sentry sink', () => {
  const events = () => received.map(({ body }) => body.split('\n').map((line) => JSON.parse(line)));

  test('B1 E3: sends one event, grouped by credential and code', async () => {
    await sentry(PATIENT_MS).send(message());
    expect(received[0]).toMatchObject({ path: '/below/api/42/envelope/' });
    expect(received[0]?.headers).toMatchObject({
      'content-type': 'application/x-sentry-envelope',
      'x-sentry-auth': expect.stringMatching(/^Sentry sentry_version=7, .*sentry_key=s3cr3tw0rd$/),
    });
    const [[envelope, item, event] = []] = events();
    expect(envelope).toEqual({ event_id: expect.stringMatching(/^[0-9a-f]{32}$/) });
    expect(item).toEqual({ type: 'event' });
    expect(event).toEqual({
      event_id: envelope.event_id,
      timestamp: Date.UTC(2026, 10, 22, 2, 14, 7) / 1_000,
      platform: 'other',
      logger: 'freshd',
      level: 'error',
      logentry: { formatted: 'freshd: claude needs you: it cannot be refreshed any more' },
      fingerprint: ['freshd', 'claude', 'invalid_grant'],
      tags: { credential: 'claude', kind: 'reauthorization_required', code: 'invalid_grant' },
      extra: { text: expect.stringContaining('Do: claude /login'), remedy: 'claude /login', failures: 1 },
    });
  });

  test('E3: the same alert sent again is the same event, another alert another one', async () => {
    for (const changes of [{}, {}, { id: 'claude-8-reauthorization_required' }]) {
      await sentry(PATIENT_MS).send(message(changes));
    }
    const [first, again, other] = events().map(([envelope]) => envelope.event_id);
    expect([again === first, other === first]).toEqual([true, false]);
  });

  test.each(['https://errors.example/42', 'https://s3cr3tw0rd@errors.example', 'errors.example'])(
    '%s is no DSN, which is said without repeating it',
    (dsn) => {
      const creating = () => createSentrySink({ dsn, timeoutMs: PATIENT_MS });
      expect(creating).toThrow(/expected https:\/\/KEY@HOST\/PROJECT/);
      expect(creating).not.toThrow(/s3cr3tw0rd/);
    },
  );
});

describe.each(sinks)('%s against a server that', (type, path, create) => {
  test.each([500, 503, 401, 403, 404, 429])(
    'answers %i: refused, with the status as code and no word of the answer',
    async (status) => {
      answer = (response) => response.writeHead(status).end(`you sent ${SECRET_PATH}`);
      const error = await refusal(create(PATIENT_MS).send(message()));
      expect(error.code).toBe(`sink_refused_${status}`);
      expectNoSecret(error);
    },
  );

  test.each([301, 302, 307, 308])('redirects with %i: refused, and nothing is sent on', async (status) => {
    answer = (response) => response.writeHead(status, { Location: `${origin}/elsewhere` }).end();
    const error = await refusal(create(PATIENT_MS).send(message()));
    expect(error.code).toBe(`sink_refused_${status}`);
    expect(received.map((request) => request.path)).toEqual([path]);
  });

  test('never answers: ends at the time limit', async () => {
    answer = () => undefined;
    const error = await refusal(create(100).send(message()));
    expect(error.code).toBe('sink_timed_out');
    expectNoSecret(error);
  });

  test('resets the connection: unreachable, with the network’s code', async () => {
    answer = (response) => response.socket?.resetAndDestroy();
    const error = await refusal(create(PATIENT_MS).send(message()));
    expect(error.code).toBe('sink_unreachable');
    expect(error.message).toMatch(/ECONNRESET|UND_ERR_SOCKET/);
    expectNoSecret(error);
  });

  test('accepts, but never ends its answer: accepted', async () => {
    answer = (response) => {
      response.writeHead(200).write('and then');
    };
    await create(PATIENT_MS).send(message());
    expect(received).toHaveLength(1);
  });

  test('is shown by type and host alone', () => {
    expect(create(PATIENT_MS).name).toBe(`${type}:${new URL(origin).host}`);
  });
});

describe('the address of a sink', () => {
  test('nobody listens: unreachable', async () => {
    const sink = createSlackSink({ url: `http://127.0.0.1:1${SECRET_PATH}`, timeoutMs: PATIENT_MS });
    const error = await refusal(sink.send(message()));
    expect([error.code, /ECONNREFUSED|bad port|a network error/.test(error.message)]).toEqual([
      'sink_unreachable',
      true,
    ]);
    expectNoSecret(error);
  });

  test.each([
    ['plain http to another machine', `http://hooks.example${SECRET_PATH}`],
    ['a host that only begins like loopback', `http://127.0.0.1.evil.example${SECRET_PATH}`],
    ['another scheme', `file://${SECRET_PATH}`],
    ['no URL', `hooks.example${SECRET_PATH}`],
    ['a password in it', `https://me:s3cr3tw0rd@hooks.example/`],
  ])('%s is refused without repeating it', (_what, url) => {
    const creating = () => createWebhookSink({ url, timeoutMs: PATIENT_MS });
    expect(creating).toThrow(PortError);
    expect(creating).toThrow(/expected https:\/\//);
    expect(creating).not.toThrow(/s3cr3tw0rd/);
  });

  test.each(['http://localhost:9/x', 'http://[::1]:9/x', 'http://127.9.9.9/x', 'https://hooks.example/x'])(
    '%s is allowed',
    (url) => {
      expect(createSlackSink({ url, timeoutMs: PATIENT_MS }).name).toBe(`slack:${new URL(url).host}`);
    },
  );
});

/** Neither the message, nor the stack, nor a cause holds the address or the answer. */
function expectNoSecret(error: PortError): void {
  expect(`${error.stack} ${error.remedy} ${JSON.stringify(error)}`).not.toContain('s3cr3tw0rd');
  expect(error.cause).toBeUndefined();
}
