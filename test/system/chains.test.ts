/** Incident C with the whole program: a token dies while its server is down, and nobody who asks the chain notices. */
import { setTimeout as pass } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { type Client, connect, FreshdError, type Token } from '../../src/index.ts';
import { configure, demo, eventually, is, seed, startServer, stored } from './arrange.ts';
import { createWorkshop, type Workshop } from './workshop.ts';

const KEY = 'key-from-the-environment';
const KILLS = 6;
const key = (publish: object[] = []) => ({ static: '$' + '{env:DEMO_KEY}', publish });

/** Does the look-up give a token, rather than throw? */
function isToken(look: () => Token): boolean {
  try {
    return look().accessToken !== '';
  } catch (error) {
    if (error instanceof FreshdError) return false;
    throw error;
  }
}

/** Reads the chain again and again, by every way there is, until told to stop. */
function readAllTheTime(workshop: Workshop, client: Client) {
  const failures: string[] = [];
  const used: string[] = [];
  let isOver = false;
  const note = (way: string, isGood: boolean) => {
    if (!isGood) failures.push(way);
  };
  const reading = (async () => {
    while (!isOver) {
      const { status, body } = await workshop.get('/v1/tokens/demos');
      note(`socket ${status}`, status === 200 && body.chain === 'demos');
      if (body.credential !== used.at(-1)) used.push(String(body.credential));
      note(
        'library',
        isToken(() => client.token('demos')),
      );
      note('file', workshop.exists('state/run/tokens/demos') && workshop.read('state/run/tokens/demos') !== '');
      const { DEMO_TOKEN, DEMO_KEY } = workshop.env();
      note(
        `.env ${DEMO_TOKEN !== undefined} ${DEMO_KEY !== undefined}`,
        (DEMO_TOKEN === undefined) !== (DEMO_KEY === undefined),
      );
      await pass(2);
    }
  })();
  return {
    failures,
    used,
    stop: async () => {
      isOver = true;
      await reading;
    },
  };
}

test('C1, C2, C3, D3: while a token is dead the fallback serves, no read fails, and the way back is automatic', async () => {
  const server = await startServer(8);
  const workshop = createWorkshop();
  const chains = { demos: ['demo', 'key'] };
  const credentials = { demo: demo(server), key: key([{ envFile: '.env', variable: 'DEMO_KEY' }]) };
  configure(workshop, credentials, { chainSettleSeconds: 1, maxRetries: 1 }, { chains });
  seed(workshop, server);
  const daemon = await workshop.start().ready();
  expect(workshop.env()).toMatchObject({ DEMO_TOKEN: stored(workshop).access_token });
  expect(workshop.env().DEMO_KEY).toBeUndefined();

  const client = await connect({ socketPath: workshop.path('freshd.sock') });
  onTestFinished(() => client.close());
  const readers = readAllTheTime(workshop, client);
  server.fail({ status: 503, times: 12 });
  const switched = await daemon.until(is('chain_switched'));
  expect(switched).toMatchObject({ level: 'warn', chain: 'demos', from: 'demo', to: 'key', reason: 'ending' });
  expect(String(switched.remedy)).toContain('freshd explain demo');
  await eventually(() => workshop.env().DEMO_KEY === KEY && workshop.env().DEMO_TOKEN === undefined);
  await eventually(() => workshop.read('state/run/tokens/demos') === KEY);
  await eventually(() => workshop.exists('state/run/down/demo'));
  expect(workshop.exists('state/run/down/demos')).toBe(false);
  // What was written a moment ago is still being reported as delivered.
  await eventually(async () => (await workshop.get('/v1/health/ready')).status === 200);

  const returned = await daemon.until(is('chain_returned'));
  expect(returned).toMatchObject({ level: 'info', chain: 'demos', from: 'key', to: 'demo' });
  await eventually(() => workshop.env().DEMO_KEY === undefined && workshop.env().DEMO_TOKEN !== undefined);
  await readers.stop();
  expect(readers.failures).toEqual([]);
  expect(readers.used).toEqual(['demo', 'key', 'demo']);
  expect(daemon.records.filter(({ chain, level }) => chain === 'demos' && level === 'warn')).toEqual([switched]);
  expect(daemon.records.filter(is('chain_returned'))).toEqual([returned]);
  expect(JSON.stringify(daemon.records)).not.toContain(KEY);
});

/** The file as it must be: the variables of one member, whole. */
function standing(workshop: Workshop): string {
  const { DEMO_TOKEN, DEMO_KEY } = workshop.env();
  if (DEMO_TOKEN !== undefined && DEMO_KEY !== undefined) return 'both';
  return DEMO_TOKEN === undefined ? (DEMO_KEY === undefined ? 'none' : 'key') : 'demo';
}

test('F35, F81: killed again and again in the middle of switches, it leaves one member in the file, and a start sets it right', async () => {
  const workshop = createWorkshop();
  const publish = (variable: string) => [{ envFile: '.env', variable }];
  const follow = { format: 'text', path: 'token' };
  const credentials = {
    demo: { store: follow, refresh: { follow: true }, publish: publish('DEMO_TOKEN') },
    key: key(publish('DEMO_KEY')),
  };
  configure(
    workshop,
    credentials,
    { chainSettleSeconds: 0, storeCheckSeconds: 0.05 },
    { chains: { demos: ['demo', 'key'] } },
  );
  workshop.write('.env', 'OTHER=1\n');
  for (let kill = 1; kill <= KILLS; kill += 1) {
    const isThere = kill % 2 === 0;
    workshop.write('token', isThere ? '' : `first-${kill}`);
    const daemon = await workshop.start().ready();
    await eventually(() => standing(workshop) === (isThere ? 'key' : 'demo'));
    // The switch begins: the kill comes somewhere between the change of the store and the end of the write.
    workshop.write('token', isThere ? `second-${kill}` : '');
    await pass((kill * 7) % 60);
    await daemon.end('SIGKILL');
    expect(['demo', 'key']).toContain(standing(workshop));
    expect(workshop.read('.env')).toContain('OTHER=1\n');

    const next = await workshop.start().ready();
    await eventually(() => standing(workshop) === (isThere ? 'demo' : 'key'));
    if (isThere) expect(workshop.env().DEMO_TOKEN).toBe(`second-${kill}`);
    expect(next.records.filter(({ event }) => event === 'value_taken_over' || event === 'publish_failed')).toEqual([]);
    expect(await next.end('SIGTERM')).toBe(0);
  }
}, 120_000);

test('C1: a reload puts a credential into a chain and takes it out again; nothing of freshd’s is left behind', async () => {
  const server = await startServer(60);
  const workshop = createWorkshop();
  const credentials = { demo: demo(server), key: key([{ envFile: '.env', variable: 'DEMO_KEY' }]) };
  configure(workshop, credentials);
  seed(workshop, server);
  const daemon = await workshop.start().ready();
  await eventually(() => standing(workshop) === 'both');

  const reload = async (chains: object) => {
    const seen = daemon.records.filter(is('reloaded')).length;
    configure(workshop, credentials, {}, { chains });
    daemon.process.kill('SIGHUP');
    await daemon.until(() => daemon.records.filter(is('reloaded')).length > seen);
  };
  await reload({ demos: ['key', 'demo'] });
  await eventually(() => standing(workshop) === 'key');
  expect((await workshop.get('/v1/tokens/demos')).body).toMatchObject({ credential: 'key', chain: 'demos' });
  // Programs that ask for variables find the name by the member in use, although the chain writes the file.
  expect((await workshop.get('/v1/credentials/key')).body).toMatchObject({ variable: 'DEMO_KEY' });
  await reload({ demos: ['demo', 'key'] });
  await eventually(() => standing(workshop) === 'demo');
  await reload({});
  await eventually(() => standing(workshop) === 'both');
  expect((await workshop.get('/v1/tokens/demos')).status).toBe(404);
  expect(daemon.records.filter(({ level }) => level === 'error')).toEqual([]);
});
