/** Incident C with the whole program: a token dies while its server is down, and nobody who asks the chain notices. */
import { setTimeout as pass } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { configure, demo, eventually, is, seed, startServer, stored } from './arrange.ts';
import { createWorkshop, type Workshop } from './workshop.ts';

const KEY = 'key-from-the-environment';
const key = (publish: object[] = []) => ({ static: '$' + '{env:DEMO_KEY}', publish });

/** Reads the chain again and again, by every way there is, until told to stop. */
function readAllTheTime(workshop: Workshop) {
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

test('C1, C2, C3, B3, D3, F79: while a token is dead the fallback serves, no read fails, and the way back is automatic', async () => {
  const server = await startServer(4);
  const workshop = createWorkshop();
  const chains = { demos: ['demo', 'key'] };
  const credentials = { demo: demo(server), key: key([{ envFile: '.env', variable: 'DEMO_KEY' }]) };
  configure(workshop, credentials, { chainSettleSeconds: 1, maxRetries: 1 }, { chains });
  seed(workshop, server);
  const daemon = await workshop.start().ready();
  expect(workshop.env()).toMatchObject({ DEMO_TOKEN: stored(workshop).access_token });
  expect(workshop.env().DEMO_KEY).toBeUndefined();

  const readers = readAllTheTime(workshop);
  server.fail({ status: 503, times: 12 });
  const switched = await daemon.until(is('chain_switched'));
  expect(switched).toMatchObject({ level: 'warn', chain: 'demos', from: 'demo', to: 'key', reason: 'expired' });
  expect(String(switched.remedy)).toContain('freshd explain demo');
  await eventually(() => workshop.env().DEMO_KEY === KEY && workshop.env().DEMO_TOKEN === undefined);
  await eventually(() => workshop.read('state/run/tokens/demos') === KEY);
  expect(workshop.exists('state/run/down/demo')).toBe(true);
  expect(workshop.exists('state/run/down/demos')).toBe(false);
  expect((await workshop.get('/v1/health/ready')).status).toBe(200);

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
