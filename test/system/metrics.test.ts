/** Figures of a real daemon, as whoever scrapes them sees it. */
import { request } from 'node:http';
import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { METRIC_PREFIX, METRICS } from '../../src/core/metric-table.ts';
import { configure, demo, is, refreshed, seed, startServer } from './arrange.ts';
import { createWorkshop, type Workshop } from './workshop.ts';

const scrape = (workshop: Workshop): Promise<string> =>
  new Promise((resolve, reject) => {
    const call = request({ socketPath: workshop.path('freshd.sock'), path: '/metrics' }, (response) =>
      resolve(text(response)),
    );
    call.on('error', reject).end();
  });

/** Names of credentials and chains in the labels. */
const labelled = (metrics: string) =>
  new Set([...metrics.matchAll(/(?:credential|chain)="([^"]*)"/g)].map(([, name]) => name));

const NAMES = ['demo', 'key', 'both'];

test('A12: figures of a credential and a chain that a reload removed are gone, and those of the others stay', async () => {
  const server = await startServer(60);
  const workshop = createWorkshop();
  const key = { static: '$' + '{env:DEMO_KEY}' };
  configure(workshop, { demo: demo(server), key }, {}, { chains: { both: ['demo', 'key'] } });
  seed(workshop, server, 3_600);
  const daemon = await workshop.start().ready();
  await daemon.until(refreshed);
  await workshop.get('/v1/tokens/key');
  await workshop.get('/v1/tokens/both');

  const before = await scrape(workshop);
  expect([...labelled(before)].sort()).toEqual([...NAMES].sort());
  for (const name of Object.keys(METRICS)) expect(before).toContain(`# TYPE ${METRIC_PREFIX}${name} `);
  expect(before).toMatch(/^freshd_refresh_attempts_total\{.*credential="demo".*\} 1$/m);

  configure(workshop, { key });
  daemon.process.kill('SIGHUP');
  await daemon.until(is('reloaded'));
  const after = await scrape(workshop);
  expect([...labelled(after)]).toEqual(['key']);
  expect(after).toMatch(/^freshd_reads_total\{.*credential="key".*\} 1$/m);
});
