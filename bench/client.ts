/**
 * What the client library costs its program: a look-up of a token, and a thousand refused requests at once.
 *
 * Rule: a look-up is shorter than the clock can see, so that means over batches are measured, interleaved with those of the
 * least that could do the same: a Map and a look at the clock.
 */
import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { startAuthorizationServer } from '../scripts/demo-authorization-server.js';
import { type Client, connect } from '../src/index.ts';
import { createSite, end, startDaemon } from './daemon.ts';
import { type Finding, quantile } from './table.ts';

export async function measureClient(): Promise<readonly Finding[]> {
  return [...(await measureLookUps()), ...(await measureRejections())];
}

async function measureLookUps(): Promise<readonly Finding[]> {
  const site = createSite({ credentials: 10 });
  const daemon = await startDaemon(site);
  const client = await connect({ socketPath: site.socketPath, consumer: 'bench' });
  const held = new Map(client.names().map((name) => [name, client.token(name)]));
  const look = (name: string) => client.token(name).accessToken.length;
  const bare = (name: string) => {
    const token = held.get(name);
    return token !== undefined && Date.now() < (token.expiresAt ?? 0) ? token.accessToken.length : 0;
  };
  for (let round = 0; round < WARM_UP_BATCHES; round += 1) for (const act of [look, bare]) meanNs(act);
  const times = { look: [] as number[], bare: [] as number[] };
  for (let batch = 0; batch < BATCHES; batch += 1) {
    times.bare.push(meanNs(bare));
    times.look.push(meanNs(look));
  }
  client.close();
  await end(daemon);
  const nanoseconds = (ns: number) => `${ns.toFixed(0)} ns`;
  return [0.5, 0.99].flatMap((share) => {
    const [bareNs, lookNs] = [quantile(times.bare, share), quantile(times.look, share)];
    const name = share === 0.5 ? 'median' : 'p99';
    return [
      {
        what: `Map look-up and Date.now, ${name} of batches`,
        figure: nanoseconds(bareNs),
        ratio: null,
        ratioMax: null,
      },
      {
        what: `client.token(), ${name} of batches, to that`,
        figure: nanoseconds(lookNs),
        ratio: lookNs / bareNs,
        ratioMax: share === 0.5 ? 3 : null,
      },
    ];
  });
}

let sink = 0;

function meanNs(act: (name: string) => number): number {
  const began = process.hrtime.bigint();
  for (let n = 0; n < BATCH; n += 1) sink += act(n % 2 === 0 ? 'c3' : 'c7');
  const tookNs = Number(process.hrtime.bigint() - began);
  if (sink === 0) throw new Error('expected tokens of some length');
  return tookNs / BATCH;
}

/** Refreshes and answers are counted; the time is that of one refresh with a script and a server. */
async function measureRejections(): Promise<readonly Finding[]> {
  const server = await startAuthorizationServer({ lifeSeconds: 3_600 });
  const site = createSite({ credentials: 0 });
  const { directory, socketPath } = site;
  const credential = {
    store: { format: 'token-response', path: 'demo.json' },
    refresh: {
      command: [resolve('scripts/refresh-demo.sh')],
      input: 'token',
      environment: { FRESHD_DEMO_TOKEN_ENDPOINT: server.tokenEndpoint },
    },
  };
  const stored = { ...server.seed(), obtained_at: Math.floor(Date.now() / 1000) };
  writeFileSync(join(directory, 'demo.json'), JSON.stringify(stored), { mode: 0o600 });
  const config = { stateDirectory: 'state', socket: { path: 'freshd.sock' }, credentials: { demo: credential } };
  writeFileSync(join(directory, 'config.json'), JSON.stringify(config), { mode: 0o600 });
  const daemon = await startDaemon(site);
  const clients = await Promise.all(
    Array.from({ length: CLIENTS }, (_, n) => connect({ socketPath, consumer: `bench-${n}` })),
  );
  server.revokeAccess();
  const began = performance.now();
  const answers = await Promise.all(clients.flatMap((client) => requestsOf(client, `${server.url}/resource`)));
  const tookMs = performance.now() - began;
  for (const client of clients) client.close();
  const { refreshed } = server.state().requests;
  await end(daemon);
  await server.close();
  const answered = answers.filter((status) => status === 200).length;
  return [
    {
      what: `refreshes for ${REJECTIONS} rejections at once from ${CLIENTS} clients`,
      figure: `${refreshed} in ${tookMs.toFixed(0)} ms`,
      ratio: refreshed ?? null,
      ratioMax: 1,
    },
    {
      what: 'requests not answered by the new token',
      figure: `${REJECTIONS - answered} of ${REJECTIONS}`,
      ratio: REJECTIONS - answered,
      ratioMax: 0,
    },
  ];
}

function requestsOf(client: Client, url: string): Promise<number>[] {
  return Array.from({ length: REJECTIONS / CLIENTS }, async () => (await client.fetch('demo', url)).status);
}

const BATCH = 10_000;
const BATCHES = 1_000;

// Until the compiler has seen enough of both.
const WARM_UP_BATCHES = 50;

const REJECTIONS = 1_000;
const CLIENTS = 50;
