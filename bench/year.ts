/**
 * What a year of refreshes leaves behind in a daemon: memory and descriptors, after each quarter.
 *
 * Rule: daemon, refreshes, journal, store and files are the real ones; only the hours between two refreshes are left out. Each
 * look comes after the same rest, so that what is only waiting to be collected counts the same each time.
 */
import { readdirSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as pause } from 'node:timers/promises';
import { startAuthorizationServer } from '../scripts/demo-authorization-server.js';
import { createSite, end, memoryOf, type Site, startDaemon } from './daemon.ts';
import type { Finding } from './table.ts';

export async function measureYear(): Promise<readonly Finding[]> {
  const server = await startAuthorizationServer({ lifeSeconds: LIFE_SECONDS });
  const site = createSite({ credentials: 0 });
  configure(site, server.tokenEndpoint, server.seed());
  const daemon = await startDaemon(site);
  const looks: Look[] = [];
  for (let quarter = 0; quarter < QUARTERS; quarter += 1) {
    await refresh(site, REFRESHES_A_QUARTER);
    looks.push(await look(daemon.pid));
  }
  await end(daemon);
  await server.close();
  return looks.map((seen, quarter) => findingOf(seen, quarter, looks));
}

interface Look {
  readonly rssKb: number;
  readonly descriptors: number;
}

async function look(pid: number): Promise<Look> {
  await pause(REST_MS);
  return { rssKb: memoryOf(pid).rssKb, descriptors: readdirSync(`/proc/${pid}/fd`).length };
}

function findingOf({ rssKb, descriptors }: Look, quarter: number, [first]: readonly Look[]): Finding {
  const count = quarter + 1;
  return {
    what: `resident memory after ${count * REFRESHES_A_QUARTER} refreshes, ${count * 3} months, to the first quarter`,
    figure: `${(rssKb / 1024).toFixed(1)} MB, ${descriptors} descriptors`,
    ratio: rssKb / (first?.rssKb ?? Number.NaN),
    ratioMax: count === QUARTERS ? GROWTH_MAX : null,
  };
}

function configure({ directory, storesDirectory }: Site, tokenEndpoint: string, response: object): void {
  const obtained_at = Math.floor(Date.now() / 1_000);
  writeFileSync(join(storesDirectory, 'year'), JSON.stringify({ ...response, obtained_at }), { mode: 0o600 });
  const year = {
    store: { format: 'token-response', path: 'stores/year' },
    refresh: { oauth: { tokenEndpoint, clientId: 'bench' } },
    publish: [{ envFile: '.env', variable: 'YEAR_TOKEN' }],
  };
  const config = {
    stateDirectory: 'state',
    socket: { path: 'freshd.sock' },
    defaults: { minRefreshIntervalSeconds: 0.05, maxAttemptsPerHour: 36_000 },
    credentials: { year },
    alerts: { sinks: [{ type: 'log' }] },
  };
  writeFileSync(join(directory, 'config.json'), JSON.stringify(config), { mode: 0o600 });
}

/** One after the other, each until its token can be read. */
async function refresh(site: Site, times: number): Promise<void> {
  for (let nth = 0; nth < times; nth += 1) {
    const { generation } = await call(site, 'GET', '/v1/tokens/year');
    await call(site, 'POST', '/v1/credentials/year/refresh', { force: true });
    const next = await call(site, 'GET', `/v1/tokens/year?wait_seconds=30&after_generation=${generation}`);
    if (next.generation === generation) throw new Error('expected a refresh within 30 s, got the old token');
  }
}

async function call(site: Site, method: string, path: string, body?: object): Promise<{ generation?: number }> {
  const answer = await new Promise<string>((resolve, reject) => {
    const { socketPath } = site;
    const headers = body === undefined ? {} : { 'Content-Type': 'application/json' };
    const outgoing = request({ socketPath, method, path, headers }, (response) => resolve(text(response)));
    outgoing.on('error', reject).end(body === undefined ? undefined : JSON.stringify(body));
  });
  return JSON.parse(answer) as { generation?: number };
}

// Eight hours, as the logins of the large providers live: three refreshes a day.
const LIFE_SECONDS = 8 * 3_600;
const QUARTERS = 4;
const REFRESHES_A_QUARTER = 274;

const REST_MS = 3_000;

// Against the first quarter, in which the engine of JavaScript finds the size of its heap. What the collector leaves lying
// around differs by as much from one look to the next; a leak of 20 KB a refresh would be more.
const GROWTH_MAX = 1.1;
