/** A native refresh against servers and ways to them that are odd, slow or hostile, one behaviour at a time. */
import type { Socket } from 'node:net';
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import type { OauthRefreshOptions } from '../../../src/adapters/refresh/oauth.ts';
import type { RefreshOutcome } from '../../../src/daemon/ports.ts';
import { answering, closedPort, native, rawServer } from './oauth-arrange.ts';
import { failureOf } from './running-script.ts';

const ANSWER = '{"access_token":"at_1","refresh_token":"rt_2","expires_in":60}';
const TAKEN = { kind: 'response', response: { access_token: 'at_1', refresh_token: 'rt_2', expires_in: 60 } };

const refreshAt = (tokenEndpoint: string, overrides: Partial<OauthRefreshOptions> = {}): Promise<RefreshOutcome> =>
  native({ tokenEndpoint, ...overrides }).run('rt_1');

/** @returns a head and these bytes of body, as latin1 text for `answering` */
const http = (headers: Readonly<Record<string, string>>, body: Buffer | string, status = '200 OK'): Buffer => {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return Buffer.concat([Buffer.from(`HTTP/1.1 ${status}\r\n${lines.join('')}\r\n`), Buffer.from(body)]);
};

describe('a body that is packed although nobody asked for it', () => {
  test.each([
    ['gzip', gzipSync(ANSWER)],
    ['x-gzip', gzipSync(ANSWER)],
    ['GZIP', gzipSync(ANSWER)],
    ['deflate', deflateSync(ANSWER)],
    ['deflate', deflateRawSync(ANSWER)],
    ['br', brotliCompressSync(ANSWER)],
    ['identity', Buffer.from(ANSWER)],
    ['deflate, gzip', gzipSync(deflateSync(ANSWER))],
  ])('is unpacked: %s', async (encoding, body) => {
    const outcome = await refreshAt(await answering(http({ 'content-encoding': encoding }, body)));
    expect(outcome).toEqual(TAKEN);
  });

  test('counts when its document is whole, although its connection broke', async () => {
    const packed = gzipSync(ANSWER).subarray(0, -4);
    const outcome = await refreshAt(
      await answering(http({ 'content-encoding': 'gzip', 'content-length': '500' }, packed)),
    );
    expect(outcome).toEqual(TAKEN);
  });

  test.each([
    ['gzip', Buffer.from('<html>'), 'not_json'],
    ['something-else', gzipSync(ANSWER), 'not_json'],
    ['gzip', gzipSync(Buffer.alloc(50_000_000, 0x20)), 'answer_too_large'],
  ])('that cannot be unpacked as %s is no answer, and in doubt', async (encoding, body, code) => {
    const failure = failureOf(await refreshAt(await answering(http({ 'content-encoding': encoding }, body))));
    expect(failure).toMatchObject({ class: 'transient', code, doubt: true, unsent: false });
  });

  test('a refusal in it is read too', async () => {
    const body = gzipSync('{"error":"invalid_grant"}');
    const bytes = http({ 'content-encoding': 'gzip' }, body, '400 Bad Request');
    expect(failureOf(await refreshAt(await answering(bytes)))).toMatchObject({ code: 'invalid_grant', doubt: false });
  });
});

describe('an answer in an unusual form', () => {
  test.each([
    ['HTTP/1.0, ended by closing', Buffer.from(`HTTP/1.0 200 OK\r\n\r\n${ANSWER}`)],
    [
      'chunks and trailers',
      http(
        { 'transfer-encoding': 'chunked' },
        `5\r\n${ANSWER.slice(0, 5)}\r\n${(ANSWER.length - 5).toString(16)}\r\n${ANSWER.slice(5)}\r\n0\r\nx: y\r\n\r\n`,
      ),
    ],
    [
      'chunks whose end never came',
      http({ 'transfer-encoding': 'chunked' }, `${ANSWER.length.toString(16)}\r\n${ANSWER}\r\n`),
    ],
    [
      'early hints first',
      Buffer.concat([Buffer.from('HTTP/1.1 103 Early Hints\r\nlink: <x>\r\n\r\n'), http({}, ANSWER)]),
    ],
    ['a byte order mark', http({ 'content-type': 'application/json;charset=utf-8' }, `\ufeff${ANSWER}`)],
    ['no content type', http({}, ANSWER)],
    ['a page by its content type', http({ 'content-type': 'text/html' }, ANSWER)],
    ['its members twice', http({}, ANSWER.replace('{', '{"access_token":"at_0","expires_in":1,'))],
  ])('is taken: %s', async (_name, bytes) => {
    expect(await refreshAt(await answering(bytes))).toEqual(TAKEN);
  });

  test('is taken without its end once the time is up', async () => {
    const place = await rawServer((socket) => onRequest(socket, () => void socket.write(http({}, ANSWER))));
    expect(await refreshAt(place, { timeoutMs: 400 })).toEqual(TAKEN);
  });

  test.each([
    ['an array', '[1]'],
    ['null', 'null'],
    ['an access token that is a number', '{"access_token":1}'],
    ['a form', 'access_token=at_1&token_type=bearer'],
    ['a deep one', '['.repeat(200_000)],
  ])('that holds no token is in doubt: %s', async (_name, body) => {
    const failure = failureOf(await refreshAt(await answering(http({ 'content-type': 'application/json' }, body))));
    expect(failure).toMatchObject({ class: 'transient', doubt: true });
  });
});

describe('an answer that never ends', () => {
  test.each([
    ['its head', (socket: Socket) => drip(socket, 'HTTP/1.1 200 OK\r\nx-slow: ')],
    ['its body', (socket: Socket) => drip(socket, 'HTTP/1.1 200 OK\r\n\r\n{"access_token":"')],
  ])('is cut off at the time limit, in doubt: a byte at a time of %s', async (_name, begin) => {
    const place = await rawServer((socket) => onRequest(socket, () => begin(socket)));
    expect(failureOf(await refreshAt(place, { timeoutMs: 400 }))).toMatchObject({ code: 'timeout', doubt: true });
  });

  test.each([
    ['in its head', (socket: Socket) => flood(socket, 'HTTP/1.1 200 OK\r\nx: '), 'malformed_answer'],
    ['in its body', (socket: Socket) => flood(socket, 'HTTP/1.1 200 OK\r\n\r\n'), 'answer_too_large'],
  ])('is cut off when it is too large: %s', async (_name, begin, code) => {
    const place = await rawServer((socket) => onRequest(socket, () => begin(socket)));
    expect(failureOf(await refreshAt(place))).toMatchObject({ class: 'transient', code, doubt: true });
  });
});

describe('F78: a connection that breaks', () => {
  test.each([
    ['before anything came', ''],
    ['in the status line', 'HTTP/1.1 20'],
    ['in the head', 'HTTP/1.1 200 OK\r\ncontent-ty'],
    ['in the body', 'HTTP/1.1 200 OK\r\ncontent-length: 60\r\n\r\n{"access_token":"at_1","re'],
  ])('F78: %s leaves a doubt', async (_name, bytes) => {
    const place = await rawServer((socket) =>
      onRequest(socket, () => socket.write(bytes, () => socket.resetAndDestroy())),
    );
    const failure = failureOf(await refreshAt(place));
    expect(failure).toMatchObject({ class: 'transient', doubt: true, unsent: false });
  });
});

describe('this machine by its other names', () => {
  test('F1: localhost, where nobody listens at either address', async () => {
    const failure = failureOf(await refreshAt(`http://localhost:${await closedPort()}/token`));
    expect(failure).toMatchObject({ code: 'connection_refused', unsent: true, doubt: false });
  });

  test('an IPv6 address', async () => {
    const place = await rawServer((socket) => onRequest(socket, () => socket.end(http({}, ANSWER))), '::1');
    expect(await refreshAt(place)).toEqual(TAKEN);
  });
});

/** Calls back once the request, with its body, is there. */
function onRequest(socket: Socket, then: () => void): void {
  let seen = '';
  socket.on('data', (chunk) => {
    seen += chunk.toString('latin1');
    if (seen.includes('refresh_token=')) then();
  });
}

function drip(socket: Socket, beginning: string): void {
  socket.write(beginning);
  const timer = setInterval(() => socket.write('x'), 20);
  socket.once('close', () => clearInterval(timer));
}

function flood(socket: Socket, beginning: string): void {
  socket.write(beginning);
  const next = (): void => {
    if (!socket.destroyed) socket.write('x'.repeat(65_536), next);
  };
  next();
}
