/** `freshd login` and the native refresh, as real processes that know of each other only by the store. */
import { execFile } from 'node:child_process';
import { resolve } from 'node:path';
import { promisify } from 'node:util';
import { expect, onTestFinished, test, vi } from 'vitest';
import { startAuthorizationServer } from '../../scripts/demo-authorization-server.js';
import { createWorkshop, type LogRecord } from './workshop.ts';

const refreshed = ({ event }: LogRecord) => event === 'refresh_succeeded';
const eventually = (check: () => void) => vi.waitFor(check, { timeout: 30_000, interval: 20 });

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
