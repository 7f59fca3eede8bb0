/** A real daemon on a socket that somebody else opened, as a service manager does. */
import { spawnSync } from 'node:child_process';
import { chmodSync, statSync } from 'node:fs';
import { request } from 'node:http';
import { createServer } from 'node:net';
import { expect, type TestContext, test } from 'vitest';
import { request as ask } from '../../src/client/transport.ts';
import { configure, demo, eventually, seed, startServer } from './arrange.ts';
import { createWorkshop } from './workshop.ts';

/** @returns false after a skip */
function canActivate(ctx: TestContext): boolean {
  const { error } = spawnSync('systemd-socket-activate', ['--version']);
  if (error !== undefined) ctx.skip(`systemd-socket-activate cannot be run: ${error.message}`);
  return error === undefined;
}

const through = (listen: string) => ['systemd-socket-activate', '--listen', listen, '--fdname', 'freshd'];

test('serves a socket that was opened for it, makes none of its own, and leaves the file when it stops', async (ctx) => {
  if (!canActivate(ctx)) return;
  const server = await startServer(60);
  const workshop = createWorkshop();
  configure(workshop, { demo: demo(server) }, {}, { socket: { path: 'unused/freshd.sock' } });
  const { access_token } = seed(workshop, server);
  const daemon = workshop.startThrough(through(workshop.path('freshd.sock')));
  await eventually(() => workshop.exists('freshd.sock'));
  // The first reader is what starts it, and is answered once it is there.
  expect(await workshop.get('/v1/tokens/demo')).toMatchObject({ status: 200, body: { access_token } });
  expect(daemon.records).toContainEqual(expect.objectContaining({ event: 'ready', socket: 'passed' }));
  expect(workshop.exists('unused')).toBe(false);
  expect(await daemon.end('SIGTERM')).toBe(0);
  expect(workshop.exists('freshd.sock')).toBe(true);
});

test('F62: lets only its own user change it where that socket is open to others, whatever the configuration says', async (ctx) => {
  if (!canActivate(ctx)) return;
  const workshop = createWorkshop();
  configure(workshop, {});
  const daemon = workshop.startThrough(through(workshop.path('freshd.sock')));
  await eventually(() => workshop.exists('freshd.sock'));
  chmodSync(workshop.path('freshd.sock'), 0o660);
  const reload = (socketPath: string) => ask({ socketPath, method: 'POST', path: '/v1/reload', timeoutMs: 10_000 });
  const refused = await reload(workshop.path('freshd.sock'));
  expect([refused.status, JSON.parse(refused.text)]).toMatchObject([403, { error: 'operators_socket' }]);
  expect((await reload(workshop.path('control.sock'))).status).toBe(200);
  expect(statSync(workshop.path('control.sock')).mode & 0o777).toBe(0o600);
  expect(await daemon.end('SIGTERM')).toBe(0);
  expect([workshop.exists('freshd.sock'), workshop.exists('control.sock')]).toEqual([true, false]);
});

test('refuses a socket of the network, however it came by it', async (ctx) => {
  if (!canActivate(ctx)) return;
  const workshop = createWorkshop();
  configure(workshop, {});
  const port = await freePort();
  const daemon = workshop.startThrough(through(`127.0.0.1:${port}`));
  const ended = new Promise((resolve) => daemon.process.once('exit', resolve));
  await eventually(() => isKnocked(port));
  expect(await ended).toBe(78);
  expect(daemon.stderr()).toMatch(/expected a Unix socket, got one of the network/);
});

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (typeof address !== 'object' || address === null) throw new Error('expected a port');
  return address.port;
}

/** Starts what waits behind the port; whether it answers is not the question. */
const isKnocked = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const call = request({ host: '127.0.0.1', port, path: '/v1/health/live' });
    call.on('error', (error) => resolve('code' in error && error.code !== 'ECONNREFUSED'));
    call.on('response', () => resolve(true));
    call.end();
  });
