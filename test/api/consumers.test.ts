import { describe, expect, test } from 'vitest';
import { createConsumers } from '../../src/api/consumers.ts';
import type { ConsumerBody, ConsumersBody } from '../../src/api/protocol.ts';
import { type Arranged, arrange, bodyOf, until } from './arrange.ts';
import { createFakeDaemon, HOUR_MS, MINUTE_MS, START_MS } from './fake-daemon.ts';
import { subscribe } from './subscriber.ts';

const GENERATION = START_MS / 1000 + 1;

type Detail = ConsumersBody & { readonly each: readonly ConsumerBody[] };
const detailOf = async ({ get }: Arranged, credential = 'claude') =>
  bodyOf(await get(`/v1/credentials/${credential}`)).consumers as Detail;

function refresh({ daemon }: Arranged, accessToken: string): void {
  daemon.advance(MINUTE_MS);
  const generation = daemon.state('claude')?.generation ?? 0;
  daemon.dispatch('claude', { type: 'rejection_reported', generation, peer: accessToken });
  daemon.succeed('claude', accessToken);
}

const acknowledge = ({ get }: Arranged, consumer: string, generation: number) =>
  get(`/v1/tokens/claude?after_generation=${generation}&consumer=${consumer}`);

describe('the daemon knows its consumers', () => {
  test('none before anybody gave a name or subscribed', async () => {
    const arranged = await arrange();
    arranged.daemon.load('claude', 'at-1');
    await arranged.get('/v1/tokens/claude');
    expect(await detailOf(arranged)).toEqual({ total: 0, behind: 0, behind_on: [], each: [] });
  });

  test('who only looks on is none of them, and hears the same', async () => {
    const arranged = await arrange();
    arranged.daemon.load('claude', 'at-1');
    const observer = await (await subscribe(arranged.socketPath, { query: '?observer=true' })).synchronized();
    refresh(arranged, 'at-2');
    await observer.until(({ data }) => JSON.stringify(data).includes('at-2'));
    expect(await detailOf(arranged)).toMatchObject({ total: 0, each: [] });
  });

  test('and the generation that each was sent or says it has: 3 of 5 are behind', async () => {
    const arranged = await arrange();
    arranged.daemon.load('claude', 'at-1');
    for (const name of ['a', 'b', 'c']) {
      await (await subscribe(arranged.socketPath, { query: `?consumer=${name}` })).synchronized();
      await acknowledge(arranged, name, GENERATION);
    }
    const unnamed = await (await subscribe(arranged.socketPath)).synchronized();
    await arranged.get('/v1/tokens/claude?consumer=poller');
    refresh(arranged, 'at-2');
    await unnamed.until(({ data }) => data.access_token === 'at-2');
    await acknowledge(arranged, 'a', GENERATION + 1);
    const { each, ...numbers } = await detailOf(arranged);
    expect(numbers).toEqual({ total: 5, behind: 3, behind_on: [{ generation: GENERATION, consumers: 3 }] });
    expect(each).toEqual([
      { consumer: 'b', subscribed: true, sent: GENERATION + 1, acknowledged: GENERATION },
      { consumer: 'c', subscribed: true, sent: GENERATION + 1, acknowledged: GENERATION },
      { consumer: 'poller', subscribed: false, sent: GENERATION, acknowledged: null },
      { consumer: 'a', subscribed: true, sent: GENERATION + 1, acknowledged: GENERATION + 1 },
      { consumer: null, subscribed: true, sent: GENERATION + 1, acknowledged: null },
    ]);
    const list = bodyOf(await arranged.get('/v1/credentials')).credentials as { consumers: ConsumersBody }[];
    expect(list[0]?.consumers).toEqual(numbers);
  });

  test('two connections of one consumer are one', async () => {
    const arranged = await arrange();
    arranged.daemon.load('claude', 'at-1');
    for (let n = 0; n < 2; n += 1) {
      await (await subscribe(arranged.socketPath, { query: '?consumer=twin' })).synchronized();
    }
    expect(await detailOf(arranged)).toMatchObject({ total: 1 });
  });

  test('one that listed other credentials is no consumer of this one', async () => {
    const arranged = await arrange();
    arranged.daemon.load('claude', 'at-1');
    arranged.daemon.load('mail', 'mt-1');
    await (await subscribe(arranged.socketPath, { query: '?credential=mail' })).synchronized();
    expect([(await detailOf(arranged)).total, (await detailOf(arranged, 'mail')).total]).toEqual([0, 1]);
  });

  test('one that reads slowly is behind although it was told', async () => {
    const arranged = await arrange();
    arranged.daemon.load('claude', 'at-1');
    const mute = await subscribe(arranged.socketPath, { mute: true, query: '?consumer=slow' });
    await until(() => arranged.daemon.listeners === 2);
    const witness = await (await subscribe(arranged.socketPath)).synchronized();
    for (let round = 0; round < 12; round += 1) {
      const token = `${'x'.repeat(60_000)}-${round}`;
      refresh(arranged, token);
      await witness.until(({ data }) => data.access_token === token);
    }
    const { behind, each } = await detailOf(arranged);
    expect([behind, each[0]?.consumer]).toEqual([1, 'slow']);
    expect(mute.socket.destroyed).toBe(false);
  });

  test('one that left is forgotten, with what it said; one that only reads, after an hour', async () => {
    const arranged = await arrange();
    arranged.daemon.load('claude', 'at-1');
    const subscriber = await (await subscribe(arranged.socketPath, { query: '?consumer=a' })).synchronized();
    await acknowledge(arranged, 'a', GENERATION);
    await arranged.get('/v1/tokens/claude?consumer=poller');
    expect(await detailOf(arranged)).toMatchObject({ total: 2 });
    subscriber.socket.destroy();
    let { total } = await detailOf(arranged);
    while (total > 1) ({ total } = await detailOf(arranged));
    arranged.daemon.advance(HOUR_MS + 1);
    expect(await detailOf(arranged)).toMatchObject({ total: 0, each: [] });
  });

  test('whoever reads by the name of a chain is a consumer of that chain', async () => {
    const arranged = await arrange();
    arranged.daemon.load('claude', 'at-1');
    await arranged.daemon.addChain('any', 'claude');
    const generation = arranged.daemon.chains.state('any')?.generation ?? 0;
    await arranged.get('/v1/tokens/any?consumer=poller');
    expect([(await detailOf(arranged)).total, await detailOf(arranged, 'any')]).toEqual([
      0,
      {
        total: 1,
        behind: 0,
        behind_on: [],
        each: [{ consumer: 'poller', subscribed: false, sent: generation, acknowledged: null }],
      },
    ]);
  });

  test('a claim to have what never existed is none', async () => {
    const arranged = await arrange();
    arranged.daemon.load('claude', 'at-1');
    arranged.daemon.load('gone', null);
    await acknowledge(arranged, 'liar', GENERATION + 999);
    await arranged.get('/v1/tokens/nobody?consumer=liar');
    const { each } = await detailOf(arranged);
    expect(each.map(({ acknowledged }) => acknowledged)).toEqual([null]);
  });

  test('a flood of names costs a bounded number of them, the longest silent first', () => {
    const daemon = createFakeDaemon();
    for (let n = 0; n < 10; n += 1) daemon.load(`c${n}`, `at-${n}`);
    const consumers = createConsumers(daemon, { count: 0, readersOf: () => [] });
    for (let n = 0; n < 20_000; n += 1) {
      for (const credential of daemon.names())
        consumers.noteRead(`f-${n}`, credential, { sent: GENERATION, acknowledged: null });
    }
    const totals = daemon.names().map((credential) => consumers.detail(credential).total);
    expect(Math.max(...totals)).toBeLessThanOrEqual(10_000);
    expect(totals.reduce((sum, total) => sum + total)).toBe(50_000);
    const { each } = consumers.detail('c9');
    expect(each).toHaveLength(100);
    expect(each.map(({ consumer }) => consumer)).not.toContain('f-0');
  });

  test('a list that would take long to count says so instead', () => {
    const daemon = createFakeDaemon();
    daemon.load('claude', 'at-1');
    const consumers = createConsumers(daemon, { count: 60, readersOf: () => [] });
    const looks = { left: 100 };
    expect(consumers.summary('claude', looks)).toEqual({ total: 0, behind: 0, behind_on: [] });
    expect(consumers.summary('claude', looks)).toBe(null);
  });
});
