import { renameSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect, test } from 'vitest';
import { configure, demo, eventually, is, refreshed, seed, startServer } from './arrange.ts';
import { createWorkshop } from './workshop.ts';

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ESRCH') return false;
    throw error;
  }
};

test('F71: a stored token is served at once although a script of a killed daemon still runs; sending waits for its end', {
  timeout: 60_000,
}, async () => {
  const server = await startServer(60);
  const workshop = createWorkshop();
  const script = `#!/bin/sh
if [ -e hang ]; then echo $$ > pid; exec sleep 60; fi
exec ${resolve('scripts/refresh-demo.sh')}
`;
  workshop.write('refresh.sh', script, 0o700);
  workshop.write('hang', '');
  const { environment } = demo(server).refresh;
  configure(
    workshop,
    { demo: demo(server, { refresh: { command: ['./refresh.sh'], input: 'token', environment } }) },
    { refreshTimeoutSeconds: 50 },
  );
  seed(workshop, server, 41);
  const first = workshop.start();
  await first.until(is('refresh_started'));
  await eventually(() => workshop.exists('pid') && workshop.read('pid').endsWith('\n'));
  const pid = Number(workshop.read('pid'));
  await first.end('SIGKILL');

  const second = await workshop.start().ready();
  const { status, body } = await workshop.get('/v1/tokens/demo');
  expect([status, body.credential]).toEqual([200, 'demo']);
  expect(isAlive(pid)).toBe(true);
  const refusal = await second.until(({ event, code }) => event === 'refresh_failed' && code === 'left_run_alive');
  expect(refusal).toMatchObject({ credential: 'demo' });
  expect(server.state().requests.refreshed).toBe(0);

  renameSync(workshop.path('hang'), workshop.path('gone'));
  process.kill(pid, 'SIGKILL');
  await second.until(refreshed);
  expect(server.state().requests.refreshed).toBe(1);
  expect(await second.end('SIGTERM')).toBe(0);
});
