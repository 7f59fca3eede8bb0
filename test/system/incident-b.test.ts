/** Incident B with the whole program: workers in processes of their own, a resource server, and a token that dies in their hands. */
import { expect, test } from 'vitest';
import { alertsOf, configure, demo, is, refreshed, seed, startServer } from './arrange.ts';
import { LANES, startWorkers } from './worker-pool.ts';
import { createWorkshop } from './workshop.ts';

const WORKERS = 4;

test('B1, B2, B3, B4: a token dies in the hands of a pool of workers: one refresh, one alert, and not one failed job', async () => {
  const server = await startServer(600);
  const workshop = createWorkshop();
  const alerts = { alertOnRecoverySuccess: false, sinks: [{ type: 'log' }] };
  configure(workshop, { demo: demo(server) }, {}, { alerts });
  seed(workshop, server);
  const daemon = await workshop.start().ready();
  const pool = await startWorkers(workshop, { workers: WORKERS, name: 'demo', url: `${server.url}/resource` });

  // Before its time, and while the first attempt to replace it fails: that is what a person hears of.
  server.fail({ status: 503 });
  server.revokeAccess();
  await daemon.until(refreshed);
  await pool.more(100);
  await pool.stop();

  expect(pool.failed).toEqual([]);
  const { requests } = server.state();
  expect(requests).toMatchObject({ token: 2, failed: 1, refreshed: 1 });
  // Each job that was under way meets it once, and nobody tries it again.
  expect(requests.rejected).toBeGreaterThan(0);
  expect(requests.rejected).toBeLessThanOrEqual(WORKERS * LANES);
  expect(requests.resource).toBe(pool.done() + requests.rejected);
  expect(alertsOf(daemon.records)).toEqual(['first_failure']);
  const [rejection, ...others] = daemon.records.filter(is('token_rejected'));
  expect(others).toEqual([]);
  expect(rejection).toMatchObject({ level: 'warn', credential: 'demo' });

  const { body } = await workshop.get('/v1/tokens/demo');
  expect(body.generation).toBeGreaterThan(Number(rejection?.generation));
  expect(body.expires_at).toEqual(expect.any(String));
});
