/** Incident D with the whole program: the stored state of one credential is destroyed while a dispatcher goes from one to the next. */
import { mkdirSync, rmSync } from 'node:fs';
import { setTimeout as pass } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import type { AuthorizationServer } from '../../scripts/demo-authorization-server.js';
import { type Client, connect, FreshdError } from '../../src/index.ts';
import { configure, demo, eventually, startServer } from './arrange.ts';
import { createWorkshop, type LogRecord, type RunningDaemon, type Workshop } from './workshop.ts';

const LIFE_SECONDS = 6;
const NAMES = ['first', 'second', 'third'] as const;
type Name = (typeof NAMES)[number];

/** Goes round all providers and asks each with its own token; one that has none is skipped, and the round goes on. */
function startDispatcher(client: Client, url: string) {
  const dispatched: Record<Name, number> = { first: 0, second: 0, third: 0 };
  const failures: string[] = [];
  /** Names of those that were passed over, one entry for each round. */
  const skipped: string[] = [];
  let isOver = false;
  const ask = async (name: Name) => {
    try {
      const { status } = await client.fetch(name, url, {}, { waitMs: 0 });
      if (status === 200) dispatched[name] += 1;
      // Its last moment: the server counts from before the answer, whoever reads it from after.
      else if (status === 401) skipped.push(name);
      else failures.push(`${name}: ${status}`);
    } catch (error) {
      if (error instanceof FreshdError) skipped.push(name);
      else failures.push(`${name}: ${error}`);
    }
  };
  const cycling = (async () => {
    while (!isOver) {
      for (const name of NAMES) await ask(name);
      await pass(5);
    }
  })();
  return {
    dispatched,
    failures,
    skipped,
    stop: async () => {
      isOver = true;
      await cycling;
    },
  };
}

function login(workshop: Workshop, server: AuthorizationServer, name: Name): void {
  workshop.write(`${name}.json`, { ...server.seed(), obtained_at: Math.floor(Date.now() / 1_000) });
}

const refreshesOf = ({ records }: RunningDaemon, name: Name) =>
  records.filter(({ event, credential }) => event === 'refresh_succeeded' && credential === name).length;

/** Right after a refresh, so that none is under way. */
async function afterRefresh(daemon: RunningDaemon, name: Name): Promise<void> {
  const before = refreshesOf(daemon, name);
  await eventually(() => refreshesOf(daemon, name) > before);
}

const DESTRUCTIONS: readonly ((workshop: Workshop) => void)[] = [
  // As it was found that morning.
  (workshop) => workshop.write('first.json', { token_type: 'Bearer', expires_in: LIFE_SECONDS }),
  (workshop) => workshop.write('first.json', '{"access_token":"'),
  (workshop) => rmSync(workshop.path('first.json')),
  (workshop) => {
    rmSync(workshop.path('first.json'));
    mkdirSync(workshop.path('first.json'));
  },
];

const isStop = ({ event, credential }: LogRecord) =>
  credential === 'first' && (event === 'reauthorization_required' || event === 'credential_absent');

test('D1, D2, D3, D4, D5: the state of one credential is destroyed, in every way: the dispatcher goes on with the others, and it comes back by itself', {
  timeout: 120_000,
}, async () => {
  const server = await startServer(LIFE_SECONDS);
  const workshop = createWorkshop();
  const store = (name: Name) => ({ format: 'token-response', path: `${name}.json` });
  const credentials = NAMES.map((name) => [name, demo(server, { store: store(name), publish: [] })]);
  configure(workshop, Object.fromEntries(credentials));
  for (const name of NAMES) login(workshop, server, name);
  const daemon = await workshop.start().ready();
  const client = await connect({ socketPath: workshop.path('freshd.sock'), consumer: 'dispatcher' });
  onTestFinished(() => client.close());
  const dispatcher = startDispatcher(client, `${server.url}/resource`);
  const readiness = () => workshop.get('/v1/health/ready');

  for (const [round, destroy] of DESTRUCTIONS.entries()) {
    await afterRefresh(daemon, 'first');
    const others = { second: refreshesOf(daemon, 'second'), third: refreshesOf(daemon, 'third') };
    destroy(workshop);
    await daemon.until(() => daemon.records.filter(isStop).length === round + 1);
    await eventually(() => workshop.exists('state/run/down/first'));
    await eventually(() => dispatcher.skipped.length > round * 2);
    // The probe of each goes on, and each has a next moment.
    await eventually(
      () => refreshesOf(daemon, 'second') > others.second && refreshesOf(daemon, 'third') > others.third,
    );
    // What was refreshed a moment ago is still on its way to its file.
    let seen = await readiness();
    await eventually(async () => {
      seen = await readiness();
      return (seen.body.credentials as { ready: boolean }[]).filter(({ ready }) => ready).length === 2;
    });
    expect(seen.status).toBe(503);
    expect(seen.body.credentials).toMatchObject([
      { ready: false, reason: expect.any(String) },
      { ready: true },
      { ready: true },
    ]);
    const { body: all } = await workshop.get('/v1/credentials');
    const isMoment = expect.stringMatching(/^\d{4}-/);
    expect(all.credentials).toMatchObject(NAMES.map(() => ({ next: { at: isMoment } })));

    rmSync(workshop.path('first.json'), { recursive: true, force: true });
    login(workshop, server, 'first');
    await eventually(async () => (await readiness()).status === 200);
    const { first } = dispatcher.dispatched;
    await eventually(() => dispatcher.dispatched.first > first);
    expect(workshop.exists('state/run/down/first')).toBe(false);
  }
  await dispatcher.stop();
  expect(dispatcher.failures).toEqual([]);
  expect(new Set(dispatcher.skipped)).toEqual(new Set(['first']));

  const stops = daemon.records.filter(isStop);
  expect(stops).toMatchObject(
    DESTRUCTIONS.map(() => ({ level: 'warn', instead: expect.stringMatching(/^(the present token|nothing)/) })),
  );
  for (const { detail, remedy } of stops) for (const text of [detail, remedy]) expect(text).toContain('first.json');
  expect(daemon.records.filter(({ credential, level }) => credential !== 'first' && level !== 'info')).toEqual([]);
});
