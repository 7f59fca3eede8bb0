/** Incident E with the whole program: a session lapses for good, and nobody hammers it, reports it twice, or fails job by job. */
import { setTimeout as pass } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { connect, type FreshdError, type Phase } from '../../src/index.ts';
import { alertsOf, configure, demo, eventually, is, refreshed, seed, startServer } from './arrange.ts';
import { createWorkshop } from './workshop.ts';

const LIFE_SECONDS = 30;
// Due within two seconds, and long enough valid after that for three seconds in which the store is looked at again.
const AGE_SECONDS = 18;
const WAITING = 200;

test('E1, E3, E4, E5, E6: a session that has lapsed for good is one alert and no retry; whoever depends on it is told at once, and resumes by itself', async () => {
  const server = await startServer(LIFE_SECONDS);
  const workshop = createWorkshop();
  configure(workshop, { demo: demo(server) });
  seed(workshop, server, AGE_SECONDS);
  const daemon = await workshop.start().ready();
  const client = await connect({ socketPath: workshop.path('freshd.sock'), consumer: 'scheduler' });
  onTestFinished(() => client.close());
  const told: Phase[] = [];
  client.on('phase', (phase) => told.push(phase));
  const alerted: string[] = [];
  client.on('alert', ({ kind }) => alerted.push(kind));
  const job = async (fetch: (url: string) => Promise<Response>) => (await fetch(`${server.url}/resource`)).status;
  const [hasty, patient] = [client.gate('demo', { failFast: true, concurrency: 4 }), client.gate('demo')];
  expect(await hasty.run(job)).toBe(200);

  server.fail({ status: 400, body: { error: 'invalid_grant' }, times: 1_000 });
  const latched = await daemon.until(is('reauthorization_required'));
  expect(latched).toMatchObject({ level: 'warn', credential: 'demo', reason: 'terminal', code: 'invalid_grant' });
  expect(latched).toMatchObject({ attempt: expect.any(Number), remedy: expect.stringContaining('demo.json') });
  // Over the stream, and while the token is still good: work that it can do goes on.
  await eventually(() => told.some(({ phase, remedy }) => phase === 'reauthorization_required' && remedy !== null));
  expect(client.phase('demo')).toMatchObject({ status: 'expiring', refreshable: false });
  expect(await hasty.run(job)).toBe(200);

  await eventually(() => client.phase('demo')?.status === 'expired');
  const { resource, rejected } = server.state().requests;
  const refused = await Promise.allSettled(Array.from({ length: WAITING }, () => hasty.run(job)));
  const codes = refused.map((result) => (result.status === 'rejected' ? (result.reason as FreshdError).code : 'ran'));
  expect(new Set(codes)).toEqual(new Set(['reauthorization_required']));
  const waiting = Array.from({ length: WAITING }, () => patient.run(job));
  // As many intervals of retry as make the point: what must not happen cannot be awaited.
  await pass(3_000);
  expect(patient.waiting).toBe(WAITING);
  expect(server.state().requests).toMatchObject({ token: 1, failed: 1, resource, rejected });
  expect(rejected).toBe(0);
  expect(alertsOf(daemon.records)).toEqual(['reauthorization_required']);
  expect(daemon.records.filter(is('reauthorization_required'))).toEqual([latched]);
  expect((await workshop.get('/v1/tokens/demo')).body).toMatchObject({ error: 'reauthorization_required' });

  // A person logs in; nothing else is done.
  seed(workshop, server);
  expect(new Set(await Promise.all(waiting))).toEqual(new Set([200]));
  expect(await hasty.run(job)).toBe(200);
  await daemon.until(({ event, kind }) => event === 'alert' && kind === 'restored');
  expect(alertsOf(daemon.records)).toEqual(['reauthorization_required', 'restored']);
  await eventually(() => alerted.length === 2);
  expect(alerted).toEqual(['reauthorization_required', 'restored']);
  expect(daemon.records.filter(refreshed)).toEqual([]);
});
