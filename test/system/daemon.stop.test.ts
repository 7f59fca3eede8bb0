/** Starts that fail and stops that hurry: nothing is lost by them, and nothing is left over. */
import { linkSync, mkdirSync, rmSync } from 'node:fs';
import { expect, test } from 'vitest';
import { configure, demo, eventually, is, minutes, refreshed, seed, startServer, stored } from './arrange.ts';
import { createWorkshop } from './workshop.ts';

const ended = (daemon: { readonly process: { once(event: 'close', listener: (code: number | null) => void): void } }) =>
  new Promise<number | null>((resolve) => daemon.process.once('close', resolve));

test('a hook that ignores SIGTERM neither holds up a second Ctrl-C nor outlives the daemon', async () => {
  const server = await startServer(60);
  const workshop = createWorkshop();
  const hook = `#!/bin/sh\ntrap '' TERM\n: > ${workshop.path('hooked')}\nsleep 1000\nsleep 1000\n`;
  workshop.write('hook.sh', hook, 0o700);
  configure(workshop, { demo: demo(server, { publish: [{ hook: ['./hook.sh'], timeoutSeconds: 600 }] }) });
  seed(workshop, server);
  const daemon = workshop.start();
  await eventually(() => workshop.exists('hooked'));
  daemon.process.kill('SIGINT');
  await daemon.until(is('stopping'));
  expect(await daemon.end('SIGINT')).toBe(0);
  expect(workshop.strays()).toEqual([]);
});

test('where the socket cannot be had, the refresh under way is finished and stored before the daemon ends', async () => {
  const server = await startServer(60);
  const workshop = createWorkshop();
  const slow = { store: { format: 'token-response', path: 'slow.json' }, refresh: { follow: true } };
  configure(workshop, { slow, demo: demo(server) });
  seed(workshop, server, 3_600);
  // Half a file is looked at for three seconds before it is called broken: so long the start takes, and the refresh longer.
  workshop.write('slow.json', '{"access_token": ');
  mkdirSync(workshop.path('freshd.sock'));
  const before = stored(workshop).refresh_token;
  server.delay({ milliseconds: 4_500, when: 'after_commit' });
  const daemon = workshop.start();
  expect(await ended(daemon)).toBe(78);
  expect(daemon.stderr()).toMatch(/freshd\.sock: expected a socket or nothing, got another kind of file/);
  expect(server.state().requests.refreshed).toBe(1);
  expect(stored(workshop).refresh_token).not.toBe(before);
  expect(workshop.strays()).toEqual([]);
});

test('a folder in which nothing can be made is said, and not tried for ever', async (ctx) => {
  if (process.platform !== 'linux') return ctx.skip('needs /proc');
  const workshop = createWorkshop();
  configure(workshop, {}, {}, { socket: { path: '/proc/freshd/freshd.sock' } });
  const daemon = workshop.start();
  expect(await ended(daemon)).toBe(78);
  expect(daemon.stderr()).toMatch(/\/proc\/freshd/);
});

test('a stop that is asked for during the start opens no socket any more', async () => {
  const server = await startServer(60);
  const workshop = createWorkshop();
  const slow = { store: { format: 'token-response', path: 'slow.json' }, refresh: { follow: true } };
  configure(workshop, { slow, demo: demo(server) });
  seed(workshop, server);
  // Half a file is looked at for three seconds before it is called broken.
  workshop.write('slow.json', '{"access_token": ');
  const daemon = workshop.start();
  await daemon.until(is('credential_fresh'));
  expect(await daemon.end('SIGTERM')).toBe(0);
  expect(daemon.records.filter(is('ready'))).toEqual([]);
});

test('D3, E3: a restart sends nothing for a dead grant, repeats no alert, and says in one line what would bring it back', async () => {
  const server = await startServer(60);
  const workshop = createWorkshop();
  configure(workshop, { demo: demo(server) }, { retryIntervalMinutes: minutes(30) });
  seed(workshop, server, 3_600);
  server.revoke();
  const first = await workshop.start().ready();
  await first.until(is('alert_delivered'));
  await eventually(() => workshop.exists('state/run/down/demo'));
  expect(await first.end('SIGTERM')).toBe(0);
  const { token } = server.state().requests;

  const second = await workshop.start().ready();
  expect(await second.until(is('reauthorization_required'))).toMatchObject({ level: 'warn', code: 'invalid_grant' });
  expect(second.records.filter(is('alert'))).toEqual([]);
  expect(server.state().requests.token).toBe(token);
  seed(workshop, server);
  await second.until((record) => record.event === 'alert' && record.kind === 'restored');
});

test('A3: failures are counted over a restart: recovery goes on where it was, and no alert is repeated', async () => {
  const server = await startServer(60);
  const workshop = createWorkshop();
  configure(workshop, { demo: demo(server) }, { maxRetries: 2, activeRecoveryIntervalMinutes: minutes(1) });
  seed(workshop, server, 3_600);
  server.fail({ status: 503, times: 6 });
  const first = await workshop.start().ready();
  await first.until((record) => record.event === 'alert_delivered' && record.kind === 'recovering');
  expect(await first.end('SIGTERM')).toBe(0);
  const second = await workshop.start().ready();
  await second.until(refreshed);
  await second.until((record) => record.event === 'alert' && record.kind === 'restored');
  expect(second.records.filter(is('alert')).map(({ kind }) => kind)).toEqual(['restored']);
});

test('F16, I1: an answer that the store refused is kept over SIGKILL, and the old refresh token is never sent again', async () => {
  const server = await startServer(60);
  const workshop = createWorkshop();
  configure(workshop, { demo: demo(server) });
  seed(workshop, server, 3_600);
  const before = stored(workshop).refresh_token;
  // A file with two names is never replaced, also not for root.
  linkSync(workshop.path('demo.json'), workshop.path('other-name.json'));
  const first = await workshop.start().ready();
  expect(await first.until(is('persist_failed'))).toMatchObject({ credential: 'demo' });
  const { body } = await workshop.get('/v1/tokens/demo');
  expect(body.durable).toBe(false);
  expect(stored(workshop).refresh_token).toBe(before);
  expect(await first.end('SIGKILL')).toBe('SIGKILL');

  await workshop.start().ready();
  expect((await workshop.get('/v1/tokens/demo')).body.access_token).toBe(body.access_token);
  rmSync(workshop.path('other-name.json'));
  await eventually(() => stored(workshop).access_token === body.access_token);
  expect(stored(workshop).refresh_token).not.toBe(before);
  expect(server.state().requests.token).toBe(1);
  expect(server.state().families).toMatchObject([{ revoked: false }]);
});
