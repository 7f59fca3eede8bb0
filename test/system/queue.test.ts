/** A queue under load with the whole program: a thousand jobs, three outages of different kinds, and a ledger kept by the other side. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import type { AuthorizationServer } from '../../scripts/demo-authorization-server.js';
import { connect } from '../../src/index.ts';
import { configure, demo, eventually, refreshed, seed, startServer } from './arrange.ts';
import { createWorkshop, type RunningDaemon } from './workshop.ts';

const JOBS = 1_000;
const BATCH = 250;
const CONCURRENCY = 16;
const LIFE_SECONDS = 8;
// Longer than the third of a life that is left when a refresh begins.
const STALL_SECONDS = 5;

/** Does a job for whoever shows a token that its issuer calls good, and writes down which. */
async function startJobServer(issuer: AuthorizationServer) {
  const ledger: number[] = [];
  let refused = 0;
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    const headers = { authorization: request.headers.authorization ?? '' };
    const { status } = await fetch(`${issuer.url}/resource`, { headers });
    if (status === 200) ledger.push(Number(body));
    else refused += 1;
    response.writeHead(status).end(body);
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}/jobs`, ledger, refused: () => refused };
}

test('A9, B2, B4: of a thousand jobs in a gate, over three outages, none is lost and none is done twice', {
  timeout: 120_000,
}, async () => {
  const server = await startServer(LIFE_SECONDS);
  const workshop = createWorkshop();
  configure(workshop, { demo: demo(server) });
  seed(workshop, server);
  let daemon = await workshop.start().ready();
  const jobServer = await startJobServer(server);
  const client = await connect({ socketPath: workshop.path('freshd.sock'), consumer: 'queue' });
  onTestFinished(() => client.close());
  const gate = client.gate('demo', { concurrency: CONCURRENCY });

  const promises: Promise<string>[] = [];
  const addJobs = (count: number) => {
    const first = promises.length;
    for (let id = first; id < first + count; id += 1) {
      const job = gate.run(async (fetch) => {
        const answer = await fetch(jobServer.url, { method: 'POST', body: String(id) });
        return `${answer.status} ${await answer.text()}`;
      });
      promises.push(job);
      // Looked at in the end; until then its failure is no news.
      job.catch(() => undefined);
    }
  };
  const halfDone = () => eventually(() => jobServer.ledger.length > promises.length - BATCH / 2);
  const refreshedAgain = async ({ records }: RunningDaemon) => {
    const count = () => records.filter(refreshed).length;
    const before = count();
    await eventually(() => count() > before);
  };

  // The token dies before its time, and its server is out of order.
  addJobs(BATCH);
  await halfDone();
  server.fail({ status: 503, times: 2 });
  server.revokeAccess();
  addJobs(BATCH);
  await refreshedAgain(daemon);

  // The daemon is killed, and the token dies while nobody can be told.
  await halfDone();
  await daemon.end('SIGKILL');
  const met = jobServer.refused();
  server.revokeAccess();
  addJobs(BATCH);
  await eventually(() => jobServer.refused() > met);
  daemon = await workshop.start().ready();
  await eventually(() => daemon.records.some(refreshed));

  // The server takes its time over the next answer, until the token has ended.
  await halfDone();
  await refreshedAgain(daemon);
  server.delay({ milliseconds: STALL_SECONDS * 1_000 });
  await eventually(() => client.phase('demo')?.status === 'expired');
  addJobs(BATCH);
  expect(gate.isHeld).toBe(true);
  server.delay({ milliseconds: 0 });

  const answers = await Promise.all(promises);
  expect(answers).toEqual(Array.from({ length: JOBS }, (_, id) => `200 ${id}`));
  expect(jobServer.ledger.toSorted((a, b) => a - b)).toEqual(Array.from({ length: JOBS }, (_, id) => id));
  expect([gate.waiting, gate.running]).toEqual([0, 0]);
  expect(server.state().requests).toMatchObject({ failed: 2, refused: 0 });
  // Each outage meets those that are under way, once each.
  expect(jobServer.refused()).toBeLessThanOrEqual(3 * CONCURRENCY);
});
