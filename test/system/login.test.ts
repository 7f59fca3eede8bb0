/** `freshd login` and the native refresh, as real processes that know of each other only by the store. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { promisify } from 'node:util';
import { expect, onTestFinished, test, vi } from 'vitest';
import { startAuthorizationServer } from '../../scripts/demo-authorization-server.js';
import { createWorkshop, type LogRecord, type Workshop } from './workshop.ts';

const refreshed = ({ event }: LogRecord) => event === 'refresh_succeeded';
const eventually = (check: () => void | Promise<void>) => vi.waitFor(check, { timeout: 30_000, interval: 20 });

test('a daemon without a grant notices a login by itself, and refreshes it from then on, without a script', async () => {
  const server = await startAuthorizationServer({ lifeSeconds: 4, deviceIntervalSeconds: 0.2 });
  onTestFinished(() => server.close());
  const workshop = createWorkshop();
  workshop.write('config.json', {
    stateDirectory: 'state',
    socket: { path: 'freshd.sock' },
    defaults: { minRefreshIntervalSeconds: 0.2, storeCheckSeconds: 0.3, maxAttemptsPerHour: 36_000 },
    alerts: { sinks: [{ type: 'log' }] },
    credentials: {
      demo: {
        store: { format: 'token-response', path: 'demo.json' },
        refresh: { oauth: { issuer: server.url, clientId: 'demo', scope: 'offline_access' } },
        publish: [{ envFile: '.env', variable: 'DEMO_TOKEN' }],
      },
    },
  });
  const stored = () => JSON.parse(workshop.read('demo.json')) as Record<string, unknown>;
  const daemon = await workshop.start().ready();
  expect((await workshop.get('/v1/tokens/demo')).status).toBe(503);

  const argv = [resolve('bin/freshd.js'), 'login', 'demo', '--device', '--config', workshop.path('config.json')];
  const env = { PATH: process.env.PATH, HOME: workshop.directory };
  const login = promisify(execFile)(process.execPath, argv, { env });
  await eventually(() => expect(server.userCodes()).toHaveLength(1));
  server.decideDevice(server.userCodes()[0] ?? '', true);
  const { stdout, stderr } = await login;
  expect([stdout.includes('demo: logged in'), stderr]).toEqual([true, '']);

  await eventually(() => expect(workshop.env().DEMO_TOKEN).toBeDefined());
  await daemon.until(() => daemon.records.filter(refreshed).length === 2);
  await eventually(() => expect(workshop.env().DEMO_TOKEN).toBe(stored().access_token));
  expect(server.state()).toMatchObject({
    families: [{ revoked: false }],
    requests: { discovered: expect.any(Number) },
  });
  expect(await daemon.end('SIGTERM')).toBe(0);
  const { access_token, refresh_token } = stored();
  const shown = stdout + JSON.stringify(daemon.records);
  expect([access_token, refresh_token].filter((token) => shown.includes(String(token)))).toEqual([]);
});

test('a daemon that asked for a login uses it at once, without waiting for its next look at the store', async () => {
  const { server, workshop } = await arrange({ minRefreshIntervalSeconds: 0.2 });
  workshop.write('demo.json', { access_token: 'at_old', refresh_token: 'rt_unknown', expires_in: 1, obtained_at: 1 });
  const daemon = await workshop.start().ready();
  await daemon.until(({ event }) => event === 'reauthorization_required');
  expect((await workshop.get('/v1/tokens/demo')).status).toBe(409);
  const login = begin(workshop);
  await eventually(() => expect(server.userCodes()).toHaveLength(1));
  server.decideDevice(server.userCodes()[0] ?? '', true);
  expect(await login.ended).toEqual([0, null]);
  // The look comes once a minute by default, which is longer than this waits.
  await eventually(async () => expect((await workshop.get('/v1/tokens/demo')).status).toBe(200));
  const { access_token } = JSON.parse(workshop.read('demo.json'));
  expect((await workshop.get('/v1/tokens/demo')).body).toMatchObject({ access_token });
  expect(server.state().requests).toMatchObject({ refused: expect.any(Number), refreshed: 1 });
});

test('Ctrl-C while a person is asked ends it: nothing is stored, nothing listens, and the next login can begin', async (ctx) => {
  const { server, workshop } = await arrange({});
  workshop.write('demo.json', { access_token: 'at_old', refresh_token: 'rt_old' });
  const before = workshop.read('demo.json');
  for (const way of ['--device', '--browser']) {
    const login = begin(workshop, way);
    await eventually(() => expect(login.said()).toContain('waiting'));
    const line = existsSync('/proc') ? readFileSync(`/proc/${login.process.pid}/cmdline`, 'utf8') : '';
    const words = existsSync('/proc') ? readFileSync(`/proc/${login.process.pid}/environ`, 'utf8') : '';
    expect(line + words + login.said()).not.toContain(SECRET);
    login.process.kill('SIGINT');
    expect(await login.ended).toEqual([null, 'SIGINT']);
    const back = new URL(/https?:\S+/.exec(login.said())?.[0] ?? '').searchParams.get('redirect_uri');
    if (way === '--browser') await expect(fetch(back ?? '')).rejects.toThrow();
  }
  expect(workshop.read('demo.json')).toBe(before);
  const again = begin(workshop);
  await eventually(() => expect(again.said()).toContain('waiting'));
  for (const code of server.userCodes()) server.decideDevice(code, true);
  expect(await again.ended).toEqual([0, null]);
  expect(workshop.read('demo.json')).not.toContain('rt_old');
  if (!existsSync('/proc')) ctx.skip('there is no /proc to look at arguments and environment');
});

const SECRET = 'client-secret-31337';

/** A server that knows one client with a secret, which stands in a file. */
async function arrange(defaults: object) {
  const clients = { demo: { authentication: 'post', secret: SECRET } } as const;
  const server = await startAuthorizationServer({ deviceIntervalSeconds: 0.2, clients });
  onTestFinished(() => server.close());
  const workshop = createWorkshop();
  workshop.write('secret', SECRET);
  const client = { clientId: 'demo', clientSecret: `\${file:secret}`, clientAuthentication: 'post' };
  workshop.write('config.json', {
    stateDirectory: 'state',
    socket: { path: 'freshd.sock' },
    defaults,
    alerts: { sinks: [{ type: 'log' }] },
    credentials: {
      demo: {
        store: { format: 'token-response', path: 'demo.json' },
        refresh: { oauth: { issuer: server.url, ...client } },
      },
    },
  });
  return { server, workshop };
}

function begin(workshop: Workshop, way = '--device') {
  const argv = [resolve('bin/freshd.js'), 'login', 'demo', way, '--config', workshop.path('config.json')];
  const env = { PATH: process.env.PATH, HOME: workshop.directory };
  const child: ChildProcess = spawn(process.execPath, argv, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  let said = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
  }
  return { process: child, ended: once(child, 'exit'), said: () => said };
}
