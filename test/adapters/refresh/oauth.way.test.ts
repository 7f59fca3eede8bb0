/** How a native refresh gets to its server: encryption, an authority of one's own, proxies. */
import { rmSync } from 'node:fs';
import type { Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import {
  authorizationServer,
  closedPort,
  forwardFrom,
  native,
  rawServer,
  selfSigned,
  tunnelProxy,
} from './oauth-arrange.ts';
import { failureOf } from './running-script.ts';

const NO_OPENSSL = 'openssl is not there to make a certificate';

describe('encryption', () => {
  test('a private authority is trusted where caFile names it, and only there', async (ctx) => {
    const tls = selfSigned();
    if (tls === null) return ctx.skip(NO_OPENSSL);
    const server = await authorizationServer({ tls });
    const { tokenEndpoint } = server;
    const distrusting = failureOf(await native({ tokenEndpoint }).run(server.seed().refresh_token));
    expect(distrusting).toMatchObject({ class: 'transient', code: 'tls_failed', unsent: true, doubt: false });
    expect(distrusting.detail).toContain('caFile');
    expect(server.state().requests.token).toBe(0);
    const outcome = await native({ tokenEndpoint, caFile: tls.path }).run(server.seed().refresh_token);
    expect(outcome.kind).toBe('response');
  });

  test('a certificate for another name is refused', async (ctx) => {
    const tls = selfSigned(['DNS:other.test']);
    if (tls === null) return ctx.skip(NO_OPENSSL);
    const server = await authorizationServer({ tls });
    const refresh = native({ tokenEndpoint: server.tokenEndpoint, caFile: tls.path });
    expect(failureOf(await refresh.run(server.seed().refresh_token))).toMatchObject({
      code: 'tls_failed',
      unsent: true,
    });
  });

  test('a certificate that has expired is refused, and the clock is named', async (ctx) => {
    const tls = selfSigned(undefined, { isExpired: true });
    if (tls === null) return ctx.skip(NO_OPENSSL);
    const server = await authorizationServer({ tls });
    const failure = failureOf(await native({ tokenEndpoint: server.tokenEndpoint, caFile: tls.path }).run('rt'));
    expect(failure).toMatchObject({ class: 'transient', code: 'tls_failed', unsent: true, doubt: false });
    expect(failure.detail).toMatch(/CERT_HAS_EXPIRED.*clock/);
    expect(server.state().requests.token).toBe(0);
  });

  test('what speaks no TLS is a connection that was not made', async () => {
    const server = await authorizationServer();
    const refresh = native({ tokenEndpoint: `https://127.0.0.1:${server.port}/token` });
    expect(failureOf(await refresh.run('rt'))).toMatchObject({ code: 'tls_failed', unsent: true, doubt: false });
  });

  test('an address of IPv6 is verified as that', async (ctx) => {
    const tls = selfSigned();
    if (tls === null) return ctx.skip(NO_OPENSSL);
    const server = await authorizationServer({ tls });
    const port = await forwardFrom('::1', server.port);
    const refresh = native({ tokenEndpoint: `https://[::1]:${port}/token`, caFile: tls.path });
    expect((await refresh.run(server.seed().refresh_token)).kind).toBe('response');
    const other = native({ tokenEndpoint: `https://[::1]:${port}/token`, caFile: selfSigned(['IP:::2'])?.path ?? '' });
    expect(failureOf(await other.run('rt'))).toMatchObject({ code: 'tls_failed', unsent: true });
  });

  test('a caFile that is missing is found without a request, and counts as cured when it is back', async (ctx) => {
    const tls = selfSigned();
    if (tls === null) return ctx.skip(NO_OPENSSL);
    const refresh = native({ tokenEndpoint: 'https://auth.test/token', caFile: tls.path });
    expect(await refresh.obstacle()).toBeNull();
    rmSync(tls.path);
    const expected = { class: 'config', code: 'ca_file_unreadable', origin: 'local', unsent: true };
    expect(await refresh.obstacle()).toMatchObject(expected);
    expect(failureOf(await refresh.run('rt'))).toMatchObject(expected);
  });
});

describe('a proxy', () => {
  test('carries the encrypted request through a tunnel, and sees neither token nor certificate', async (ctx) => {
    const tls = selfSigned();
    if (tls === null) return ctx.skip(NO_OPENSSL);
    const server = await authorizationServer({ tls });
    const proxy = await tunnelProxy({ target: server.port });
    const refresh = native({
      tokenEndpoint: 'https://auth.test/token',
      caFile: tls.path,
      environment: { https_proxy: `http://me:p%40ss@127.0.0.1:${proxy.port}` },
    });
    expect((await refresh.run(server.seed().refresh_token)).kind).toBe('response');
    expect(proxy.requests).toEqual([{ authority: 'auth.test:443', authorization: `Basic ${btoa('me:p@ss')}` }]);
  });

  test('may be reached encrypted itself, and may say otherwise that its tunnel is open', async (ctx) => {
    const tls = selfSigned();
    if (tls === null) return ctx.skip(NO_OPENSSL);
    const server = await authorizationServer({ tls });
    const proxy = await tunnelProxy({ target: server.port, tls, opened: '204 Go on' });
    const refresh = native({
      tokenEndpoint: 'https://auth.test:8443/token',
      caFile: tls.path,
      environment: { HTTPS_PROXY: `https://127.0.0.1:${proxy.port}` },
    });
    expect((await refresh.run(server.seed().refresh_token)).kind).toBe('response');
    expect(proxy.requests).toEqual([{ authority: 'auth.test:8443', authorization: undefined }]);
  });

  test.each([
    ['says nothing', () => undefined, 'connect_timeout'],
    ['hangs up', (socket: Socket) => socket.destroy(), 'connection_failed'],
    ['speaks no HTTP', (socket: Socket) => socket.write('SSH-2.0-OpenSSH\r\n'), 'connection_failed'],
    ['never ends its head', (socket: Socket) => socket.write('HTTP/1.1 200 OK\r\nx: y\r\n'), 'connect_timeout'],
  ])('that %s leaves nothing sent and nothing in doubt', async (_name, answer, code) => {
    const place = new URL(await rawServer((socket) => socket.once('data', () => answer(socket))));
    const environment = { https_proxy: place.origin };
    const refresh = native({ tokenEndpoint: 'https://auth.test/token', environment, connectTimeoutMs: 300 });
    expect(failureOf(await refresh.run('rt'))).toMatchObject({ class: 'transient', code, doubt: false, unsent: true });
  });

  test('that opens a tunnel to somebody else is found out by the certificate', async (ctx) => {
    const [tls, other] = [selfSigned(), selfSigned()];
    if (tls === null || other === null) return ctx.skip(NO_OPENSSL);
    const impostor = await authorizationServer({ tls: other });
    const proxy = await tunnelProxy({ target: impostor.port });
    const environment = { https_proxy: `http://127.0.0.1:${proxy.port}` };
    const refresh = native({ tokenEndpoint: 'https://auth.test/token', caFile: tls.path, environment });
    expect(failureOf(await refresh.run('rt'))).toMatchObject({ code: 'tls_failed', unsent: true, doubt: false });
    expect(impostor.state().requests.token).toBe(0);
  });

  test.each([
    [403, 'proxy_refused'],
    [407, 'proxy_authentication_required'],
  ])('F11: that answers %i leaves nothing sent and nothing in doubt', async (status, code) => {
    const proxy = await tunnelProxy({ target: 0, status });
    const environment = { HTTPS_PROXY: `127.0.0.1:${proxy.port}` };
    const failure = failureOf(await native({ tokenEndpoint: 'https://auth.test/token', environment }).run('rt'));
    expect(failure).toMatchObject({ class: 'transient', code, doubt: false, unsent: true });
  });

  test('F1: that is not there', async () => {
    const environment = { all_proxy: `http://127.0.0.1:${await closedPort()}` };
    const failure = failureOf(await native({ tokenEndpoint: 'https://auth.test/token', environment }).run('rt'));
    expect(failure).toMatchObject({ code: 'connection_refused', unsent: true });
  });

  test('is not asked for this machine', async () => {
    const server = await authorizationServer();
    const environment = { https_proxy: `http://127.0.0.1:${await closedPort()}` };
    const outcome = await native({ tokenEndpoint: server.tokenEndpoint, environment }).run(server.seed().refresh_token);
    expect(outcome.kind).toBe('response');
  });
});
