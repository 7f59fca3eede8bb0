/** The whole program against a real authorization server: real processes, files, sockets and signals. */
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { resolve } from 'node:path';
import { setTimeout as pass } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { alertsOf, configure, demo, eventually, is, minutes, refreshed, seed, startServer, stored } from './arrange.ts';
import { createWorkshop } from './workshop.ts';

test('a token is refreshed ahead of its expiry, again and again, and every consumer has the newest', async () => {
  const server = await startServer(4);
  const workshop = createWorkshop();
  configure(workshop, { demo: demo(server) });
  seed(workshop, server);
  const first = String(stored(workshop).access_token);
  const daemon = await workshop.start().ready();
  expect(workshop.env().DEMO_TOKEN).toBe(first);

  await daemon.until(() => daemon.records.filter(refreshed).length === 2);
  const newest = String(stored(workshop).access_token);
  await eventually(() => workshop.env().DEMO_TOKEN === newest);
  expect(newest).not.toBe(first);
  expect(workshop.read('state/run/tokens/demo')).toBe(newest);
  const { status, body } = await workshop.get('/v1/tokens/demo');
  expect([status, body.access_token]).toEqual([200, newest]);
  expect(String(body.generation)).toBe(workshop.env().DEMO_TOKEN_GENERATION);
  expect(daemon.records.filter(is('refresh_started')).map(({ reason }) => reason)).not.toContain('expired');
  expect(server.state().families).toMatchObject([{ revoked: false }]);

  expect(await daemon.end('SIGTERM')).toBe(0);
  expect(daemon.stderr()).toBe('');
  const text = JSON.stringify(daemon.records);
  expect([first, newest].filter((token) => text.includes(token))).toEqual([]);
  expect(workshop.exists('freshd.sock')).toBe(false);
  expect(workshop.env().DEMO_TOKEN).toBe(newest);
});

test('a token that is expired at start is refreshed at once', async () => {
  const server = await startServer(60);
  const workshop = createWorkshop();
  configure(workshop, { demo: demo(server) });
  seed(workshop, server, 3_600);
  const daemon = workshop.start();
  expect(await daemon.until(is('refresh_started'))).toMatchObject({ reason: 'expired' });
  await daemon.until(refreshed);
  await eventually(() => workshop.env().DEMO_TOKEN === stored(workshop).access_token);
});

test('A3, A8: a script that fails three times and then works costs nobody a token, and is told in three messages', async () => {
  const server = await startServer(12);
  const workshop = createWorkshop();
  configure(workshop, { demo: demo(server) }, { refreshMarginMinutes: minutes(4) });
  seed(workshop, server);
  server.fail({ status: 503, times: 3 });
  const daemon = await workshop.start().ready();
  const { DEMO_TOKEN: first } = workshop.env();
  await daemon.until(() => daemon.records.filter(is('refresh_failed')).length === 3);
  expect(workshop.env().DEMO_TOKEN).toBe(first);
  await daemon.until(refreshed);
  await daemon.until((record) => record.event === 'alert' && record.kind === 'restored');
  expect(alertsOf(daemon.records)).toEqual(['first_failure', 'escalated', 'restored']);
  await eventually(() => workshop.env().DEMO_TOKEN !== first);
  expect(daemon.records.filter(is('withdrawn'))).toEqual([]);
});

test('A5, C4: while every refresh fails, the token goes at its expiry, the sentinel says why, and recovery goes on until it works', async () => {
  const server = await startServer(5);
  const workshop = createWorkshop();
  configure(workshop, { demo: demo(server) }, { maxRetries: 2 });
  seed(workshop, server);
  // At most eight of them fit in before expiry: the floor allows no more.
  server.fail({ status: 503, times: 14 });
  const { obtained_at: obtainedAt, expires_in: lifeSeconds } = stored(workshop);
  const expiresAt = (Number(obtainedAt) + Number(lifeSeconds)) * 1_000;
  const daemon = await workshop.start().ready();
  await daemon.until(is('recovering'));
  const withdrawn = await daemon.until(is('withdrawn'));
  expect(Date.parse(String(withdrawn.time))).toBeGreaterThanOrEqual(expiresAt);
  await eventually(() => Object.keys(workshop.env()).length === 0);
  await eventually(() => workshop.exists('state/run/down/demo'));
  expect(JSON.parse(workshop.read('state/run/down/demo'))).toMatchObject({ credential: 'demo', reason: 'expired' });
  expect((await workshop.get('/v1/tokens/demo')).status).toBe(503);

  const seen = daemon.records.filter(is('recovering')).length;
  await daemon.until(() => daemon.records.filter(is('recovering')).length >= seen + 2);
  await daemon.until(refreshed);
  await eventually(() => !workshop.exists('state/run/down/demo') && workshop.env().DEMO_TOKEN !== undefined);
  await daemon.until((record) => record.event === 'alert' && record.kind === 'restored');
  expect(alertsOf(daemon.records)).toEqual(['first_failure', 'escalated', 'recovering', 'restored']);
});

test('E1, E6: a refused grant stops the attempts at once, and a new login brings it back without a restart', async () => {
  const server = await startServer(6);
  const workshop = createWorkshop();
  // Longer than the store is polled before the refusal is believed: else "no token for so long" is told first.
  configure(workshop, { demo: demo(server) }, { retryIntervalMinutes: minutes(30) });
  seed(workshop, server);
  server.revoke();
  const daemon = await workshop.start().ready();
  expect(await daemon.until(is('reauthorization_required'))).toMatchObject({ code: 'invalid_grant', level: 'warn' });
  const { token } = server.state().requests;
  await pass(1_500);
  expect(server.state().requests.token).toBe(token);
  expect(alertsOf(daemon.records)).toEqual(['reauthorization_required']);
  seed(workshop, server);
  await daemon.until((record) => record.event === 'alert' && record.kind === 'restored');
  await eventually(() => workshop.env().DEMO_TOKEN === stored(workshop).access_token);
});

test('F52: a second daemon on one state directory is refused before it reads anything, and names the first', async () => {
  const server = await startServer(60);
  const workshop = createWorkshop();
  configure(workshop, { demo: demo(server) });
  seed(workshop, server);
  const first = await workshop.start().ready();
  const second = workshop.start('--socket', workshop.path('other.sock'));
  expect(await new Promise((resolve) => second.process.on('exit', resolve))).toBe(75);
  expect(second.stderr()).toContain(`pid ${first.pid}`);
  expect(second.records).toEqual([]);
  expect((await workshop.get('/v1/tokens/demo')).status).toBe(200);
});

test('F34, F54, F56: after SIGKILL the next daemon takes over lock and socket, and refreshes nothing without need', async () => {
  const server = await startServer(60);
  const workshop = createWorkshop();
  configure(workshop, { demo: demo(server) });
  seed(workshop, server, 3_600);
  const first = await workshop.start().ready();
  await first.until(refreshed);
  await eventually(() => workshop.env().DEMO_TOKEN === stored(workshop).access_token);
  const before = workshop.env();
  expect(await first.end('SIGKILL')).toBe('SIGKILL');
  expect(workshop.exists('freshd.sock')).toBe(true);

  const second = await workshop.start().ready();
  expect((await workshop.get('/v1/tokens/demo')).body.access_token).toBe(before.DEMO_TOKEN);
  expect(workshop.env()).toEqual(before);
  expect(server.state().requests.token).toBe(1);
  expect(second.records.filter(is('refresh_started'))).toEqual([]);
});

test('SIGHUP takes over a good configuration as a whole, and nothing of a bad one', async () => {
  const server = await startServer(60);
  const workshop = createWorkshop();
  const key = { static: '$' + '{env:DEMO_KEY}', publish: [{ envFile: '.env', variable: 'DEMO_KEY' }] };
  configure(workshop, { demo: demo(server) });
  seed(workshop, server);
  const daemon = await workshop.start().ready();

  configure(workshop, { key, demo: demo(server, { refreshTimeoutSeconds: 'soon' }) });
  daemon.process.kill('SIGHUP');
  await daemon.until(is('reload_refused'));
  expect((await workshop.get('/v1/tokens/key')).status).toBe(404);
  expect(workshop.env().DEMO_KEY).toBeUndefined();

  configure(workshop, { key, demo: demo(server) });
  daemon.process.kill('SIGHUP');
  await daemon.until(is('reloaded'));
  await eventually(() => workshop.env().DEMO_KEY === 'key-from-the-environment');
  expect(workshop.env().DEMO_TOKEN).toBe(stored(workshop).access_token);
});

test('SIGHUP while the daemon is only starting neither ends it nor is lost', async () => {
  const server = await startServer(60);
  const workshop = createWorkshop();
  configure(workshop, { demo: demo(server) });
  seed(workshop, server);
  // The first thing that the daemon asks of its process, before it reads anything.
  workshop.write(
    'early.mjs',
    `const { umask } = process;
    process.umask = (mask) => { process.kill(process.pid, 'SIGHUP'); return umask.call(process, mask); };`,
  );
  const daemon = await workshop.startUnder(`--import=${workshop.path('early.mjs')}`).ready();
  await daemon.until(is('reloaded'));
});

test('with reloadOnChange an edit of the file is enough', async () => {
  const server = await startServer(60);
  const workshop = createWorkshop();
  const key = { static: '$' + '{env:DEMO_KEY}' };
  configure(workshop, { demo: demo(server) }, {}, { reloadOnChange: true });
  seed(workshop, server);
  const daemon = await workshop.start().ready();
  configure(workshop, { key, demo: demo(server) }, {}, { reloadOnChange: false });
  await daemon.until(is('reloaded'));
  expect((await workshop.get('/v1/tokens/key')).status).toBe(200);
});

test('D5: one credential is destroyed in a running daemon, the other goes on, and it comes back when it is repaired', async () => {
  const server = await startServer(4);
  const workshop = createWorkshop();
  const broken = {
    store: { format: 'token-response', path: 'broken.json' },
    refresh: { command: [resolve('scripts/refresh-demo.sh')], input: 'token' },
    publish: [{ envFile: '.env', variable: 'BROKEN_TOKEN' }],
  };
  configure(workshop, { broken, demo: demo(server) });
  seed(workshop, server);
  const good = { access_token: 'good', refresh_token: 'r', expires_in: 3_600, obtained_at: Date.now() };
  workshop.write('broken.json', good);
  const daemon = await workshop.start().ready();

  workshop.write('broken.json', '{"access_token": ');
  expect(await daemon.until(is('reauthorization_required'))).toMatchObject({
    level: 'warn',
    credential: 'broken',
    reason: 'state_broken',
  });
  const seen = daemon.records.filter(refreshed).length;
  await daemon.until(() => daemon.records.filter(refreshed).length >= seen + 2);
  expect((await workshop.get('/v1/tokens/demo')).status).toBe(200);

  workshop.write('broken.json', { ...good, access_token: 'repaired' });
  await eventually(() => workshop.env().BROKEN_TOKEN === 'repaired');
});

test('F63: SIGTERM during a refresh lets it finish, and what it brought is stored', async () => {
  const server = await startServer(60);
  const workshop = createWorkshop();
  configure(workshop, { demo: demo(server) });
  seed(workshop, server, 3_600);
  const before = stored(workshop).access_token;
  server.delay({ milliseconds: 1_000, when: 'after_commit' });
  const daemon = workshop.start();
  await eventually(() => server.state().waiting === 1);
  expect(await daemon.end('SIGTERM')).toBe(0);
  expect(server.state().requests.refreshed).toBe(1);
  expect(stored(workshop).access_token).not.toBe(before);

  server.delay({ milliseconds: 0 });
  const next = await workshop.start().ready();
  expect(workshop.env().DEMO_TOKEN).toBe(stored(workshop).access_token);
  expect(next.records.filter(is('refresh_started'))).toEqual([]);
});

test('Ctrl-C twice ends a hanging script with all its children, and leaves no process', async () => {
  const server = await startServer(60);
  const workshop = createWorkshop();
  workshop.write(
    'hang.sh',
    `#!/bin/sh\ntrap '' TERM\nsleep 1000 &\n: > ${workshop.path('hangs')}\nwhile :; do wait; done\n`,
    0o700,
  );
  configure(workshop, { demo: demo(server, { refresh: { command: ['./hang.sh'] } }) }, { refreshTimeoutSeconds: 600 });
  seed(workshop, server, 3_600);
  const daemon = workshop.start();
  await eventually(() => workshop.exists('hangs'));
  expect(workshop.strays().length).toBeGreaterThan(1);
  daemon.process.kill('SIGINT');
  await daemon.until(is('stopping'));
  expect(await daemon.end('SIGINT')).toBe(0);
  expect(workshop.strays()).toEqual([]);
  expect(workshop.exists('freshd.sock')).toBe(false);
});

test('F51: a daemon that was stopped past its due time refreshes when it goes on', async () => {
  const server = await startServer(5);
  const workshop = createWorkshop();
  configure(workshop, { demo: demo(server) });
  seed(workshop, server);
  const daemon = await workshop.start().ready();
  daemon.process.kill('SIGSTOP');
  await pass(6_000);
  expect(server.state().requests.token).toBe(0);
  daemon.process.kill('SIGCONT');
  await daemon.until(refreshed);
  await eventually(() => workshop.env().DEMO_TOKEN === stored(workshop).access_token);
});

test('SIGUSR1 opens no inspector', async () => {
  const server = await startServer(60);
  const workshop = createWorkshop();
  configure(workshop, { demo: demo(server) });
  seed(workshop, server);
  const daemon = await workshop.start().ready();
  daemon.process.kill('SIGUSR1');
  await daemon.until(is('signal_ignored'));
  expect(await daemon.end('SIGTERM')).toBe(0);
  expect(daemon.stderr()).toBe('');
});

test('A18: a dry run says what would be done, and writes nothing', async () => {
  const server = await startServer(60);
  const workshop = createWorkshop();
  configure(workshop, { demo: demo(server) });
  seed(workshop, server, 3_600);
  const before = readdirSync(workshop.directory);
  const daemon = workshop.start('--dry-run');
  expect(await new Promise((resolve) => daemon.process.on('close', resolve))).toBe(0);
  const text = daemon.records.map(({ line }) => line).join('\n');
  expect(text).toMatch(/demo: token expired/);
  expect(text).toMatch(/would refresh at once \(expired\)/);
  expect(readdirSync(workshop.directory)).toEqual(before);
  expect(server.state().requests.token).toBe(0);
});

test('a configuration with problems ends with 78 and names each', async () => {
  const workshop = createWorkshop();
  workshop.write('config.json', { credentials: { 'Bad Name': {} }, unknown: 1 });
  const daemon = workshop.start();
  expect(await new Promise((resolve) => daemon.process.on('close', resolve))).toBe(78);
  expect(daemon.stderr()).toMatch(/unknown/);
  expect(daemon.stderr()).toMatch(/Bad Name/);
});

test('F46: a folder of a target that vanishes degrades that target alone, and it recovers by itself', async () => {
  const server = await startServer(60);
  const workshop = createWorkshop();
  mkdirSync(workshop.path('app'));
  const publish = [
    { envFile: 'app/.env', variable: 'APP_TOKEN' },
    { envFile: '.env', variable: 'DEMO_TOKEN' },
  ];
  configure(workshop, { demo: demo(server, { publish }) });
  seed(workshop, server, 3_600);
  rmSync(workshop.path('app'), { recursive: true });
  const daemon = await workshop.start().ready();
  await daemon.until(is('publish_failed'));
  await eventually(() => workshop.env().DEMO_TOKEN === stored(workshop).access_token);
  mkdirSync(workshop.path('app'));
  await daemon.until(is('publish_restored'));
  expect(workshop.read('app/.env')).toContain(String(stored(workshop).access_token));
});
