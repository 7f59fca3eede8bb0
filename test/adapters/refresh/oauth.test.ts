import { describe, expect, test, vi } from 'vitest';
import { epochMs, type TokenResponse } from '../../../src/core/token.ts';
import { readTokenResponse } from '../../../src/core/token-response.ts';
import type { RefreshOutcome } from '../../../src/daemon/ports.ts';
import { answering, authorizationServer, closedPort, native, rawServer, SECRET } from './oauth-arrange.ts';
import { failureOf } from './running-script.ts';

function responseOf(outcome: RefreshOutcome): TokenResponse {
  if (outcome.kind !== 'response') throw new Error(`expected a response, got ${JSON.stringify(outcome)}`);
  return outcome.response;
}

describe('a refresh that succeeds', () => {
  test('brings the answer of the server, members verbatim, and can be repeated with its refresh token', async () => {
    const server = await authorizationServer();
    const { refresh_token } = server.seed();
    const refresh = native({ tokenEndpoint: server.tokenEndpoint });
    const first = responseOf(await refresh.run(refresh_token));
    expect(first).toMatchObject({ token_type: 'Bearer', expires_in: 60 });
    const second = responseOf(await refresh.run(String(first.refresh_token)));
    expect(second.refresh_token).not.toBe(first.refresh_token);
    expect(server.state()).toMatchObject({ requests: { token: 2, refreshed: 2 }, families: [{ revoked: false }] });
  });

  test.each([
    ['basic', 'form'],
    ['post', 'form'],
    ['none', 'form'],
    ['basic', 'json'],
    ['post', 'json'],
    ['none', 'json'],
  ] as const)('shows who it is by %s, in a %s body', async (authentication, body) => {
    const secret = `${SECRET} :/ü%`;
    const client = authentication === 'none' ? { authentication } : { authentication, secret };
    const server = await authorizationServer({ clients: { 'my:app': client } });
    const refresh = native({
      tokenEndpoint: server.tokenEndpoint,
      clientId: 'my:app',
      clientSecret: authentication === 'none' ? null : secret,
      clientAuthentication: authentication,
      body,
    });
    expect((await refresh.run(server.seed().refresh_token)).kind).toBe('response');
    const type = body === 'json' ? 'application/json' : 'application/x-www-form-urlencoded;charset=UTF-8';
    expect(server.lastTokenRequest()?.headers['content-type']).toBe(type);
  });

  test('sends scope and more parameters, and asks for JSON', async () => {
    const server = await authorizationServer();
    const refresh = native({
      tokenEndpoint: server.tokenEndpoint,
      scope: 'mail.read offline_access',
      parameters: { resource: 'https://api.example/' },
    });
    const { refresh_token } = server.seed();
    expect((await refresh.run(refresh_token)).kind).toBe('response');
    const sent = server.lastTokenRequest();
    expect(sent?.headers.accept).toBe('application/json');
    expect(Object.fromEntries(new URLSearchParams(sent?.body))).toEqual({
      grant_type: 'refresh_token',
      refresh_token,
      client_id: 'mail',
      scope: 'mail.read offline_access',
      resource: 'https://api.example/',
    });
  });

  test('F15: an answer without a refresh token is passed on, so that the old one is kept', async () => {
    const server = await authorizationServer({ rotates: false });
    const response = responseOf(await native({ tokenEndpoint: server.tokenEndpoint }).run(server.seed().refresh_token));
    expect(response).not.toHaveProperty('refresh_token');
  });

  test('F14: an answer with only a new refresh token is passed on, so that it is kept', async () => {
    const server = await authorizationServer();
    server.fail({ status: 200, body: { refresh_token: 'rt_new' } });
    const outcome = await native({ tokenEndpoint: server.tokenEndpoint }).run('rt_old');
    expect(outcome).toEqual({ kind: 'response', response: { refresh_token: 'rt_new' } });
  });

  test('finds its endpoint in a discovery document, once, and again after a failure', async () => {
    const server = await authorizationServer();
    const refresh = native({ issuer: server.url });
    const first = responseOf(await refresh.run(server.seed().refresh_token));
    responseOf(await refresh.run(String(first.refresh_token)));
    expect(server.state().requests).toMatchObject({ refreshed: 2, discovered: 1 });
    await refresh.run('rt_unknown');
    await refresh.run('rt_unknown');
    expect(server.state().requests.discovered).toBe(2);
  });

  test('a whole answer counts although its connection breaks before the announced end', async () => {
    const body = '{"access_token":"at_1","expires_in":60}';
    const head = `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${body.length + 10}\r\n\r\n`;
    const outcome = await native({ tokenEndpoint: await answering(head + body) }).run('rt_1');
    expect(outcome).toEqual({ kind: 'response', response: { access_token: 'at_1', expires_in: 60 } });
  });
});

describe('answers that are liberal with the standard', () => {
  const receivedAt = epochMs(Date.UTC(2026, 10, 22));
  const read = { receivedAt, expiresInDefaultMs: 3_600_000, expires: { kind: 'as_stated' } } as const;
  test.each([
    ['a numeric string', { expires_in: '3600' }, { kind: 'known', expiresAt: receivedAt + 3_600_000 }],
    ['nothing', {}, { kind: 'assumed' }],
    ['zero', { expires_in: 0 }, { kind: 'assumed' }],
    ['a negative number', { expires_in: -5 }, { kind: 'assumed' }],
    ['far too much', { expires_in: 1e12 }, { kind: 'known', expiresAt: receivedAt + 3_650 * 86_400_000 }],
  ])('F17: %s as expires_in is taken', async (_name, members, expiry) => {
    const server = await authorizationServer();
    server.fail({ status: 200, body: { access_token: 'at_1', token_type: 'bearer', ...members } });
    const reading = readTokenResponse(
      responseOf(await native({ tokenEndpoint: server.tokenEndpoint }).run('rt')),
      read,
    );
    expect(reading).toMatchObject({ ok: true, tokens: { tokenType: 'Bearer', expiry } });
  });

  test.each(['text/json', 'text/plain', 'application/vnd.api+json'])('JSON as %s is JSON', async (type) => {
    const server = await authorizationServer();
    server.fail({ status: 201, body: '{"access_token":"at_1","error":null}', headers: { 'content-type': type } });
    expect((await native({ tokenEndpoint: server.tokenEndpoint }).run('rt')).kind).toBe('response');
  });
});

describe('an answer that refuses', () => {
  test('F7: invalid_grant is terminal, and nothing is in doubt', async () => {
    const server = await authorizationServer();
    const failure = failureOf(await native({ tokenEndpoint: server.tokenEndpoint }).run('rt_unknown'));
    expect(failure).toMatchObject({ class: 'terminal', code: 'invalid_grant', doubt: false, unsent: false });
    expect(failure).not.toHaveProperty('clockSkewMs');
  });

  test('F9: invalid_client is config, curable at the server', async () => {
    const server = await authorizationServer({ clients: { mail: { authentication: 'basic', secret: SECRET } } });
    const options = {
      tokenEndpoint: server.tokenEndpoint,
      clientSecret: 'wrong',
      clientAuthentication: 'basic',
    } as const;
    const failure = failureOf(await native(options).run(server.seed().refresh_token));
    expect(failure).toMatchObject({ class: 'config', code: 'invalid_client', origin: 'server', doubt: false });
  });

  test.each(['invalid_scope', 'unsupported_grant_type', 'unauthorized_client'])('F10: %s is config', async (error) => {
    const server = await authorizationServer();
    server.fail({ status: 400, body: { error } });
    const failure = failureOf(await native({ tokenEndpoint: server.tokenEndpoint }).run('rt'));
    expect(failure).toMatchObject({ class: 'config', code: error, origin: 'server', doubt: false });
  });

  test.each([
    [403, { class: 'transient', code: 'http_403' }],
    [407, { class: 'transient', code: 'http_407' }],
    [404, { class: 'transient', code: 'http_404' }],
    [408, { class: 'transient', code: 'http_408' }],
  ])('F11: a page with status %i is transient and not in doubt', async (status, expected) => {
    const server = await authorizationServer();
    server.fail({ status, body: '<html>invalid_grant</html>', headers: { 'content-type': 'text/html' } });
    const failure = failureOf(await native({ tokenEndpoint: server.tokenEndpoint }).run('rt'));
    expect(failure).toMatchObject({ ...expected, doubt: false, unsent: false });
  });

  test('F13: an error code counts although the status says success', async () => {
    const server = await authorizationServer();
    server.fail({ status: 200, body: { error: 'invalid_grant', access_token: 'at_1' } });
    expect(failureOf(await native({ tokenEndpoint: server.tokenEndpoint }).run('rt'))).toMatchObject({
      class: 'terminal',
      code: 'invalid_grant',
    });
  });

  test.each([
    [
      401,
      { error: { code: 'refresh_token_reused', message: 'x' } },
      { class: 'terminal', code: 'refresh_token_reused' },
    ],
    [200, { error: 'bad_refresh_token' }, { class: 'terminal', code: 'bad_refresh_token' }],
    [429, { error: { type: 'rate_limit_error' } }, { class: 'rate_limited' }],
    [418, { detail: 'no' }, { class: 'transient', code: 'http_418' }],
  ])('what providers say in their own shape counts: status %i, %j', async (status, body, expected) => {
    const server = await authorizationServer();
    server.fail({ status, body });
    const failure = failureOf(await native({ tokenEndpoint: server.tokenEndpoint }).run('rt'));
    expect(failure).toMatchObject({ ...expected, doubt: false });
  });

  test('F5: Retry-After is read in seconds and as a date, counted by the clock of the server', async () => {
    const server = await authorizationServer();
    const refresh = native({ tokenEndpoint: server.tokenEndpoint });
    const limited = async (headers: Record<string, string>) => {
      server.fail({ status: 429, headers });
      return failureOf(await refresh.run('rt'));
    };
    const date = 'Sun, 22 Nov 2026 10:00:00 GMT';
    expect(await limited({ 'retry-after': '120' })).toMatchObject({ class: 'rate_limited', retryAfterMs: 120_000 });
    expect(await limited({ 'retry-after': 'Sun, 22 Nov 2026 10:05:00 GMT', date })).toMatchObject({
      class: 'rate_limited',
      retryAfterMs: 300_000,
      doubt: false,
    });
  });

  test('F6: 429 without Retry-After says nothing of when', async () => {
    const server = await authorizationServer();
    server.fail({ status: 429, body: { message: 'slow down' } });
    const failure = failureOf(await native({ tokenEndpoint: server.tokenEndpoint }).run('rt'));
    expect(failure).toMatchObject({ class: 'rate_limited', code: 'rate_limited', retryAfterMs: null, doubt: false });
  });

  test('a clock that is more than a minute away is reported with the refusal', async () => {
    const server = await authorizationServer();
    server.fail({
      status: 400,
      body: { error: 'invalid_grant' },
      headers: { date: 'Sun, 22 Nov 2026 10:00:00 GMT' },
    });
    const now = () => Date.UTC(2026, 10, 22, 9, 50);
    const refresh = native({ tokenEndpoint: server.tokenEndpoint, now });
    expect(failureOf(await refresh.run('rt'))).toMatchObject({ code: 'invalid_grant', clockSkewMs: 600_000 });
    expect(refresh.logged).toEqual([
      { event: 'clock_skew', fields: { credential: 'demo', attempt: 7, byMs: 600_000 } },
    ]);
  });
});

describe('an answer that leaves a doubt', () => {
  test.each([500, 502, 503, 504])('F4: %i is transient, and in doubt', async (status) => {
    const server = await authorizationServer();
    server.fail({ status, body: '<html>', headers: { 'retry-after': '7' } });
    const failure = failureOf(await native({ tokenEndpoint: server.tokenEndpoint }).run('rt'));
    expect(failure).toMatchObject({ class: 'transient', code: `http_${status}`, doubt: true, retryAfterMs: 7_000 });
  });

  test('F78: 502 and a reset after the server has rotated are in doubt', async () => {
    const server = await authorizationServer({ reuseGraceSeconds: 60 });
    const refresh = native({ tokenEndpoint: server.tokenEndpoint });
    const { refresh_token } = server.seed();
    server.fail({ status: 502, body: '<html>', when: 'after_commit' });
    expect(failureOf(await refresh.run(refresh_token))).toMatchObject({ code: 'http_502', doubt: true });
    server.drop();
    expect(failureOf(await refresh.run(refresh_token))).toMatchObject({ code: 'connection_lost', doubt: true });
    expect(server.state().families).toEqual([{ revoked: false, rotations: 1 }]);
  });

  test('F12: a login page with status 200 is transient, and in doubt', async () => {
    const server = await authorizationServer();
    server.fail({ status: 200, body: '<html>Welcome!</html>', headers: { 'content-type': 'text/html' } });
    const failure = failureOf(await native({ tokenEndpoint: server.tokenEndpoint }).run('rt'));
    expect(failure).toMatchObject({ class: 'transient', code: 'not_json', doubt: true });
  });

  test('F14: 200 with neither token is transient', async () => {
    const server = await authorizationServer();
    server.fail({ status: 200, body: { ok: true } });
    const failure = failureOf(await native({ tokenEndpoint: server.tokenEndpoint }).run('rt'));
    expect(failure).toMatchObject({ class: 'transient', code: 'no_access_token', doubt: true });
  });

  test('F2: no answer ends at the time limit, after one request and in doubt', async () => {
    const server = await authorizationServer();
    server.delay({ milliseconds: 60_000, when: 'after_commit' });
    const refresh = native({ tokenEndpoint: server.tokenEndpoint, timeoutMs: 300 });
    const failure = failureOf(await refresh.run(server.seed().refresh_token));
    expect(failure).toMatchObject({ class: 'transient', code: 'timeout', doubt: true, unsent: false });
    expect(server.state()).toMatchObject({ requests: { token: 1 }, families: [{ rotations: 1 }] });
  });

  test('a cancelled attempt that was sent is in doubt', async () => {
    const server = await authorizationServer();
    server.delay({ milliseconds: 60_000 });
    const refresh = native({ tokenEndpoint: server.tokenEndpoint });
    const running = refresh.run('rt');
    await vi.waitFor(() => expect(server.state().waiting).toBe(1));
    refresh.cancel();
    expect(failureOf(await running)).toMatchObject({ code: 'cancelled', doubt: true });
  });

  test.each([
    ['half of a document', 'HTTP/1.1 200 OK\r\ncontent-length: 60\r\n\r\n{"access_token":"at_', 'connection_lost'],
    ['something else than HTTP', 'SSH-2.0-OpenSSH_9.2\r\n', 'malformed_answer'],
    ['a megabyte', `HTTP/1.1 200 OK\r\n\r\n{"a":"${'x'.repeat(1_100_000)}`, 'answer_too_large'],
    ['a strange status', 'HTTP/1.1 999 Denied\r\ncontent-length: 0\r\n\r\n', 'malformed_answer'],
  ])('%s is no answer, and in doubt', async (_name, bytes, code) => {
    const failure = failureOf(await native({ tokenEndpoint: await answering(bytes) }).run('rt'));
    expect(failure).toMatchObject({ class: 'transient', code, doubt: true, unsent: false });
  });

  test('without rotation nothing is in doubt', async () => {
    const server = await authorizationServer();
    server.fail({ status: 500 });
    const refresh = native({ tokenEndpoint: server.tokenEndpoint, rotates: false });
    expect(failureOf(await refresh.run('rt'))).toMatchObject({ doubt: false });
  });

  test.each([301, 302, 307, 308])(
    'F85: a redirect (%i) is an error, and the refresh token goes nowhere else',
    async (status) => {
      const [server, other] = [await authorizationServer(), await authorizationServer()];
      server.fail({ status, headers: { location: other.tokenEndpoint } });
      const failure = failureOf(await native({ tokenEndpoint: server.tokenEndpoint }).run('rt'));
      expect(failure).toMatchObject({ class: 'transient', code: 'redirected', doubt: true });
      expect([server, other].map((each) => each.state().requests.token)).toEqual([1, 0]);
    },
  );
});

describe('what was surely not sent', () => {
  const unsent = { class: 'transient', doubt: false, unsent: true };

  test('F1: a refused connection', async () => {
    const refresh = native({ tokenEndpoint: `http://127.0.0.1:${await closedPort()}/token` });
    expect(failureOf(await refresh.run('rt'))).toMatchObject({ ...unsent, code: 'connection_refused' });
  });

  test('F1: a name that nobody knows', async () => {
    const refresh = native({ tokenEndpoint: 'https://nowhere.invalid/token' });
    expect(failureOf(await refresh.run('rt'))).toMatchObject({ ...unsent, code: 'dns_failed' });
  });

  test('a handshake that never ends is a connection that was not made', async () => {
    const silent = new URL(await rawServer(() => undefined));
    const refresh = native({ tokenEndpoint: `https://127.0.0.1:${silent.port}/token`, connectTimeoutMs: 200 });
    expect(failureOf(await refresh.run('rt'))).toMatchObject({ ...unsent, code: 'connect_timeout' });
  });

  test('a server that hangs up in the handshake', async () => {
    const rude = new URL(await rawServer((socket) => void socket.on('data', () => socket.destroy())));
    const refresh = native({ tokenEndpoint: `https://127.0.0.1:${rude.port}/token` });
    expect(failureOf(await refresh.run('rt'))).toMatchObject({ ...unsent, code: 'tls_failed' });
  });

  test('a discovery document that is none, or of another issuer, or that leads into the clear', async () => {
    const page = await answering('HTTP/1.1 200 OK\r\ncontent-type: text/html\r\n\r\n<html>');
    expect(failureOf(await native({ issuer: new URL(page).origin }).run('rt'))).toMatchObject({
      ...unsent,
      code: 'discovery_failed',
    });
    const document = (members: object) =>
      answering(`HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n${JSON.stringify(members)}`);
    const other = await document({ issuer: 'https://other.example', token_endpoint: 'https://other.example/token' });
    expect(failureOf(await native({ issuer: new URL(other).origin }).run('rt'))).toMatchObject({
      class: 'config',
      code: 'issuer_mismatch',
      unsent: true,
    });
  });

  test.each([
    'http://login.example/token',
    // What this resolves to is the resolver's affair.
    'http://login.localhost/token',
  ])('an endpoint from a discovery document must be as private as a configured one: %s', async (token_endpoint) => {
    let issuer = '';
    const place = await rawServer((socket) => {
      const document = JSON.stringify({ issuer, token_endpoint });
      socket.on('data', () => socket.end(`HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n${document}`));
    });
    issuer = new URL(place).origin;
    const failure = failureOf(await native({ issuer }).run('rt'));
    expect(failure).toMatchObject({ class: 'config', code: 'endpoint_not_private', unsent: true, doubt: false });
  });

  test('a store without a refresh token: a person must log in', async () => {
    const server = await authorizationServer();
    const failure = failureOf(await native({ tokenEndpoint: server.tokenEndpoint }).run(null));
    expect(failure).toMatchObject({ class: 'terminal', code: 'no_refresh_token', unsent: true });
    expect(server.state().requests.token).toBe(0);
  });
});

test('no failure shows a token or a secret', async () => {
  const server = await authorizationServer({ clients: {} });
  const shown: unknown[] = [];
  for (const body of ['form', 'json'] as const) {
    const refresh = native({
      tokenEndpoint: server.tokenEndpoint,
      clientSecret: SECRET,
      clientAuthentication: 'post',
      body,
    });
    shown.push(await refresh.run('rt_secret-4711'), refresh.logged);
    server.fail({ status: 500, body: `rt_secret-4711 ${SECRET}` });
    shown.push(await refresh.run('rt_secret-4711'));
  }
  expect(JSON.stringify(shown)).not.toMatch(/rt_secret|31337/);
});
