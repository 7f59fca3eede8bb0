import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import {
  type AuthorizationServerOptions,
  type DemoTokenResponse,
  startAuthorizationServer,
} from '../../scripts/demo-authorization-server.js';

/** A server whose clock stands still until told otherwise. */
async function serverAt(startMs: number, options: AuthorizationServerOptions = {}) {
  let nowMs = startMs;
  const server = await startAuthorizationServer({ now: () => nowMs, ...options });
  onTestFinished(() => server.close());
  const post = (path: string, body: string | URLSearchParams) =>
    fetch(`${server.url}${path}`, { method: 'POST', body });
  return {
    server,
    advance: (ms: number) => {
      nowMs += ms;
    },
    refresh: (refreshToken: string) =>
      post('/token', new URLSearchParams({ grant_type: 'refresh_token', refresh_token: refreshToken })),
    post,
    admin: (path: string, body: unknown) => post(`/admin/${path}`, JSON.stringify(body)),
    resource: async (accessToken: string) =>
      (await fetch(`${server.url}/resource`, { headers: { authorization: `Bearer ${accessToken}` } })).status,
  };
}

async function tokensIn(response: Response): Promise<DemoTokenResponse> {
  expect(response.status).toBe(200);
  return (await response.json()) as DemoTokenResponse;
}

test('each refresh brings a new access token and a new refresh token, and may not be kept by caches', async () => {
  const { server, refresh, resource } = await serverAt(0);
  const first = server.seed();
  expect(first).toMatchObject({ token_type: 'Bearer', expires_in: 60 });
  const response = await refresh(first.refresh_token);
  expect(response.headers.get('cache-control')).toBe('no-store');
  const second = await tokensIn(response);
  expect(second.access_token).not.toBe(first.access_token);
  expect(second.refresh_token).not.toBe(first.refresh_token);
  expect(await resource(second.access_token)).toBe(200);
  expect(server.state().families).toEqual([{ revoked: false, rotations: 1 }]);
});

test('reuse of an old refresh token revokes the whole family, and no other', async () => {
  const { server, refresh, resource } = await serverAt(0);
  const other = server.seed();
  const first = server.seed();
  const second = await tokensIn(await refresh(first.refresh_token));
  const reuse = await refresh(first.refresh_token);
  expect([reuse.status, await reuse.json()]).toMatchObject([400, { error: 'invalid_grant' }]);
  expect((await refresh(second.refresh_token)).status).toBe(400);
  expect(await resource(second.access_token)).toBe(401);
  expect(await resource(other.access_token)).toBe(200);
});

test('within the grace for reuse the last used refresh token brings the same successor; after it, the end', async () => {
  const { server, advance, refresh } = await serverAt(0, { reuseGraceSeconds: 10 });
  const first = server.seed();
  const second = await tokensIn(await refresh(first.refresh_token));
  advance(9_999);
  expect((await tokensIn(await refresh(first.refresh_token))).refresh_token).toBe(second.refresh_token);
  advance(1);
  expect((await refresh(first.refresh_token)).status).toBe(400);
  expect(server.state().families).toEqual([{ revoked: true, rotations: 1 }]);
});

test('an access token is good for its life, and not a millisecond longer', async () => {
  const { server, advance, resource } = await serverAt(0, { lifeSeconds: 5 });
  const { access_token: token } = server.seed();
  advance(4_999);
  expect(await resource(token)).toBe(200);
  advance(1);
  expect([await resource(token), await resource('unknown')]).toEqual([401, 401]);
});

test('bad requests get the codes of RFC 6749', async () => {
  const { post, refresh } = await serverAt(0);
  const form = (fields: Record<string, string>) => post('/token', new URLSearchParams(fields));
  const errors = [
    await form({}),
    await form({ grant_type: 'password' }),
    await form({ grant_type: 'refresh_token' }),
    await post('/token', '{"grant_type":"refresh_token"}'),
    await refresh('unknown'),
  ].map(async (response) => [response.status, ((await response.json()) as { error: string }).error]);
  expect(await Promise.all(errors)).toEqual([
    [400, 'invalid_request'],
    [400, 'unsupported_grant_type'],
    [400, 'invalid_request'],
    [400, 'invalid_request'],
    [400, 'invalid_grant'],
  ]);
});

test('on demand it fails without rotating', async () => {
  const { server, admin, refresh } = await serverAt(0);
  const { refresh_token: token } = server.seed();
  await admin('fail', { status: 503, body: { error: 'temporarily_unavailable' }, headers: { 'retry-after': '7' } });
  const response = await refresh(token);
  expect([response.status, response.headers.get('retry-after')]).toEqual([503, '7']);
  await tokensIn(await refresh(token));
  expect(server.state().requests).toMatchObject({ token: 2, failed: 1, refreshed: 1, refused: 0 });
});

test('on demand it rotates and drops the answer', async () => {
  const { server, admin, refresh } = await serverAt(0);
  const { refresh_token: token } = server.seed();
  await admin('drop', {});
  await expect(refresh(token)).rejects.toThrow();
  expect(server.state()).toMatchObject({ requests: { dropped: 1 }, families: [{ rotations: 1 }], pendingDrops: 0 });
});

test('on demand its answer comes late, before or after the rotation', async () => {
  const { server, admin, refresh } = await serverAt(0);
  const { refresh_token: token } = server.seed();
  await admin('delay', { milliseconds: 600_000, when: 'after_commit' });
  const late = refresh(token);
  await expect.poll(() => server.state()).toMatchObject({ waiting: 1, families: [{ rotations: 1 }] });
  const cut = expect(late).rejects.toThrow();
  await server.close();
  await cut;
});

test('on demand every grant, or every access token, is revoked', async () => {
  const { server, admin, refresh, resource } = await serverAt(0);
  const first = server.seed();
  await admin('revoke-access', {});
  expect(await resource(first.access_token)).toBe(401);
  const second = await tokensIn(await refresh(first.refresh_token));
  await admin('revoke', {});
  expect(await resource(second.access_token)).toBe(401);
  expect((await refresh(second.refresh_token)).status).toBe(400);
});

test('its state tells no secret, and bad input is answered', async () => {
  const { server, admin, post } = await serverAt(0);
  const { access_token, refresh_token } = server.seed();
  const state = await (await fetch(`${server.url}/admin/state`)).text();
  expect(state).not.toContain(access_token);
  expect(state).not.toContain(refresh_token);
  expect((await admin('delay', { milliseconds: -1 })).status).toBe(400);
  expect((await post('/admin/fail', 'no json')).status).toBe(400);
  expect((await post('/token', 'x'.repeat(70_000))).status).toBe(413);
  expect((await fetch(`${server.url}/nowhere`)).status).toBe(404);
});

test('as a program it says where it listens, and ends on SIGTERM', async () => {
  const path = fileURLToPath(new URL('../../scripts/demo-authorization-server.js', import.meta.url));
  const child = spawn(process.execPath, [path, '--port', '0', '--life', '5'], { stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  const [line] = await once(child.stdout, 'data');
  const url = /^demo authorization server listening on (http:\/\/127\.0\.0\.1:\d+)\n$/.exec(String(line))?.[1];
  const seeded = (await (await fetch(`${url}/seed`, { method: 'POST' })).json()) as DemoTokenResponse;
  expect(seeded.expires_in).toBe(5);
  const exit = once(child, 'exit');
  child.kill('SIGTERM');
  expect(await exit).toEqual([0, null]);
});
