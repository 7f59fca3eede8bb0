import { createHmac } from 'node:crypto';
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createSlackSink } from '../../../src/adapters/alert/slack.ts';
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

const sinks = [
  ['webhook', (timeoutMs: number) => createWebhookSink({ url: origin + SECRET_PATH, timeoutMs })],
  ['slack', (timeoutMs: number) => createSlackSink({ url: origin + SECRET_PATH, timeoutMs })],
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

describe.each(sinks)('%s against a server that', (type, create) => {
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
    expect(received.map(({ path }) => path)).toEqual([SECRET_PATH]);
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
