import { once } from 'node:events';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, onTestFinished, test } from 'vitest';
import { CONNECTION_LIMITS } from '../../src/api/connections.ts';
import { HEARTBEAT_SECONDS } from '../../src/api/protocol.ts';
import { startApiServer } from '../../src/api/server.ts';
import { request } from '../../src/client/transport.ts';
import { arrange, bodyOf, temporaryDirectory, until } from './arrange.ts';
import { createFakeDaemon, createRecordedLog, HOUR_MS, MINUTE_MS, START_MS } from './fake-daemon.ts';
import { type HeardEvent, type Subscriber, subscribe } from './subscriber.ts';

const GENERATION = START_MS / 1000 + 1;
const is = (event: string) => (heard: HeardEvent) => heard.event === event;
const brings = (accessToken: string) => (heard: HeardEvent) => heard.data.access_token === accessToken;
const namesOf = ({ events }: Subscriber) => events.map(({ event, data }) => `${event} ${data.credential ?? ''}`.trim());

async function arrangeTwo() {
  const arranged = await arrange();
  arranged.daemon.load('claude', 'at-1');
  arranged.daemon.load('mail', 'mt-1');
  return { ...arranged, listen: (options = {}) => subscribe(arranged.socketPath, options) };
}

type Two = Awaited<ReturnType<typeof arrangeTwo>>;

/** A consumer reports the token, and the refresh for that brings another. */
function refresh({ daemon }: Pick<Two, 'daemon'>, credential: string, accessToken: string): void {
  daemon.advance(MINUTE_MS);
  const generation = daemon.state(credential)?.generation ?? 0;
  daemon.dispatch(credential, { type: 'rejection_reported', generation, peer: accessToken });
  daemon.succeed(credential, accessToken);
}

describe('a subscriber', () => {
  test('first hears the present state of everything, then that this was all of it', async () => {
    const { listen } = await arrangeTwo();
    const subscriber = await (await listen()).synchronized();
    expect(subscriber.text()).toMatch(/^HTTP\/1\.1 200 OK\r\nContent-Type: text\/event-stream; charset=utf-8\r\n/);
    expect(namesOf(subscriber)).toEqual(['token claude', 'phase claude', 'token mail', 'phase mail', 'synchronized']);
    expect(subscriber.events[0]?.data).toEqual({
      credential: 'claude',
      access_token: 'at-1',
      token_type: 'Bearer',
      scheme: 'bearer',
      expires_at: '2026-11-22T20:00:00.000Z',
      generation: GENERATION,
      refreshable: true,
      durable: true,
    });
    expect(subscriber.events[1]?.data).toEqual({
      credential: 'claude',
      phase: 'fresh',
      reason: null,
      status: 'usable',
      refreshable: true,
      generation: GENERATION,
      rejection_pending: false,
      remedy: null,
    });
    expect(subscriber.events[4]?.data).toEqual({ resumed: false });
  });

  test('hears of a new token at once, and that the old one was refused before', async () => {
    const two = await arrangeTwo();
    const subscriber = await (await two.listen()).synchronized();
    two.daemon.advance(MINUTE_MS);
    two.daemon.dispatch('claude', { type: 'rejection_reported', generation: GENERATION, peer: 'a' });
    const refused = await subscriber.until(({ data }) => data.phase === 'refreshing');
    expect(refused.data).toMatchObject({ rejection_pending: true, status: 'usable', generation: GENERATION });
    two.daemon.succeed('claude', 'at-2');
    expect((await subscriber.until(brings('at-2'))).data).toMatchObject({ generation: GENERATION + 1 });
    expect(namesOf(subscriber).slice(5)).toEqual(['phase claude', 'token claude', 'phase claude']);
  });

  test('hears nothing of a step that changes nothing for it', async () => {
    const two = await arrangeTwo();
    const subscriber = await (await two.listen()).synchronized();
    for (let tick = 0; tick < 5; tick += 1) two.daemon.advance(1_000);
    refresh(two, 'mail', 'mt-2');
    await subscriber.until(brings('mt-2'));
    expect(namesOf(subscriber).filter((name) => name.endsWith('claude'))).toEqual(['token claude', 'phase claude']);
  });

  test('E5: hears at once that a person must act, with the remedy, and again when the token has ended', async () => {
    const two = await arrangeTwo();
    const subscriber = await (await two.listen()).synchronized();
    two.daemon.advance(7.6 * HOUR_MS);
    two.daemon.fail('claude', { code: 'invalid_grant', class: 'terminal' });
    const heard = await subscriber.until(({ data }) => data.phase === 'reauthorization_required');
    expect(heard.data).toMatchObject({ status: 'expiring', refreshable: false, remedy: 'freshd login claude' });
    two.daemon.advance(HOUR_MS);
    await subscriber.until(({ data }) => data.credential === 'claude' && data.status === 'expired');
  });

  test('hears what a person is told, in words without a token', async () => {
    const { daemon, socketPath } = await arrange();
    daemon.add('claude', { alerts: ['first_failure', 'restored'] });
    daemon.load('claude', 'at-secret', 2 * HOUR_MS);
    const subscriber = await (await subscribe(socketPath)).synchronized();
    daemon.advance(95 * MINUTE_MS);
    daemon.fail('claude');
    const { data } = await subscriber.until(is('alert'));
    expect(data).toMatchObject({ credential: 'claude', kind: 'first_failure', code: 'timeout' });
    expect(data.title).toBe('freshd: claude could not be refreshed, trying again');
    expect(JSON.stringify(data)).not.toContain('secret');
    const later = await (await subscribe(socketPath)).synchronized();
    expect(later.events.filter(is('alert'))).toEqual([]);
  });

  test('that lists names hears of no others', async () => {
    const two = await arrangeTwo();
    const subscriber = await (await two.listen({ query: '?credential=mail' })).synchronized();
    refresh(two, 'claude', 'at-2');
    refresh(two, 'mail', 'mt-2');
    await subscriber.until(brings('mt-2'));
    expect(subscriber.text()).not.toContain('claude');
  });

  test('that lists a name which does not exist is told the nearest one', async () => {
    const { get } = await arrangeTwo();
    const response = await get('/v1/events?credential=mail&credential=cluade');
    expect([response.status, bodyOf(response)]).toMatchObject([404, { nearest: 'claude' }]);
    expect((await get('/v1/events?credential=..%2fetc')).status).toBe(400);
  });

  test('hears of credentials that a reload adds and removes', async () => {
    const two = await arrangeTwo();
    const subscriber = await (await two.listen()).synchronized();
    two.daemon.load('new', 'nt-1');
    await subscriber.until(brings('nt-1'));
    two.daemon.dispatch('mail', { type: 'stopping' });
    two.daemon.remove('mail');
    const { data } = await subscriber.until(({ data }) => data.phase === 'removed');
    expect(data).toMatchObject({ credential: 'mail', status: 'none', generation: null });
    const later = await (await two.listen()).synchronized();
    expect(later.text()).not.toContain('mail');
  });

  test('C2: hears of a chain under its own name: whose token, and who is in use instead of whom', async () => {
    const two = await arrangeTwo();
    await two.daemon.addChain('any', 'claude', 'mail');
    const subscriber = await (await two.listen({ query: '?credential=any' })).synchronized();
    expect(namesOf(subscriber)).toEqual(['token claude', 'chain claude', 'synchronized']);
    const generation = two.daemon.chains.state('any')?.generation ?? 0;
    expect(subscriber.events.map(({ data }) => data)).toMatchObject([
      { credential: 'claude', chain: 'any', access_token: 'at-1', generation },
      { chain: 'any', credential: 'claude', status: 'usable', generation, instead_of: null, members: [] },
      {},
    ]);
    two.daemon.advance(MINUTE_MS);
    two.daemon.dispatch('claude', { type: 'rejection_reported', generation: GENERATION, peer: 'a' });
    const { data } = await subscriber.until(({ event, data }) => event === 'chain' && data.credential === 'mail');
    expect(data).toEqual({
      chain: 'any',
      credential: 'mail',
      status: 'usable',
      generation: two.daemon.chains.state('any')?.generation,
      rejection_pending: false,
      instead_of: { credential: 'claude', reason: 'rejected', code: 'rejection_reported' },
      members: [{ credential: 'claude', reason: 'rejected', code: 'rejection_reported', remedy: null }],
    });
    expect(subscriber.events.find(brings('mt-1'))?.data).toMatchObject({ credential: 'mail', chain: 'any' });
  });

  test('costs the daemon no step, and nothing at all while there is none', async () => {
    const { daemon, listen } = await arrangeTwo();
    const before = [daemon.listeners, daemon.events.length];
    await (await listen()).synchronized();
    expect([daemon.listeners, daemon.events.length]).toEqual([(before[0] ?? 0) + 1, before[1]]);
  });

  test('is refused on a connection that still owes another answer', async () => {
    const { daemon, socketPath } = await arrangeTwo();
    daemon.load('none', null);
    const subscriber = await subscribe(socketPath, { query: '/nowhere' });
    subscriber.socket.write('GET /v1/tokens/none?wait_seconds=60 HTTP/1.1\r\nHost: x\r\n\r\n');
    subscriber.socket.write('GET /v1/events HTTP/1.1\r\nHost: x\r\n\r\n');
    await until(() => subscriber.text().includes('404'));
    daemon.load('none', 'nt');
    await until(() => subscriber.text().includes('a stream needs a connection of its own'));
  });
});

describe('a subscriber that comes back', () => {
  test('with the id of the last event hears only what changed, with all that belongs to it', async () => {
    const two = await arrangeTwo();
    const first = await (await two.listen()).synchronized();
    const id = first.events.at(-1)?.id ?? '';
    first.socket.destroy();
    refresh(two, 'claude', 'at-2');
    refresh(two, 'claude', 'at-3');
    const second = await (await two.listen({ lastEventId: id })).synchronized();
    expect(namesOf(second)).toEqual(['token claude', 'phase claude', 'synchronized']);
    expect(second.events[0]?.data).toMatchObject({ access_token: 'at-3', generation: GENERATION + 2 });
    expect(second.events[2]?.data).toEqual({ resumed: true });
  });

  test('is told what people were told meanwhile, and what a reload took out', async () => {
    const { daemon, socketPath } = await arrange();
    daemon.add('claude', { alerts: ['first_failure'] });
    daemon.load('claude', 'at-1', 2 * HOUR_MS);
    daemon.load('mail', 'mt-1');
    const first = await (await subscribe(socketPath)).synchronized();
    first.socket.destroy();
    daemon.advance(95 * MINUTE_MS);
    daemon.fail('claude');
    daemon.dispatch('mail', { type: 'stopping' });
    daemon.remove('mail');
    // Both are known by the time somebody else was told.
    const other = await (await subscribe(socketPath)).synchronized();
    other.socket.destroy();
    const second = await subscribe(socketPath, { lastEventId: first.events.at(-1)?.id ?? '' });
    await second.synchronized();
    expect(second.events.find(is('alert'))?.data).toMatchObject({ kind: 'first_failure' });
    expect(second.events.find(({ data }) => data.phase === 'removed')?.data).toMatchObject({ credential: 'mail' });
  });

  test.each(['0', 'junk', 'zzz-1', '-', '%s-9999', '%s-1e3'])(
    'with an id that means nothing (%s) hears all',
    async (id) => {
      const two = await arrangeTwo();
      const epoch = START_MS.toString(36);
      const subscriber = await two.listen({ lastEventId: id.replace('%s', epoch) });
      await subscriber.synchronized();
      expect(namesOf(subscriber)).toHaveLength(5);
      expect(subscriber.events.at(-1)?.data).toEqual({ resumed: false });
    },
  );

  test('after each event that has an id misses nothing', async () => {
    const two = await arrangeTwo();
    const first = await (await two.listen()).synchronized();
    refresh(two, 'claude', 'at-2');
    refresh(two, 'mail', 'mt-2');
    await first.until(brings('mt-2'));
    const ids = first.events.flatMap(({ id }) => id ?? []);
    expect(ids.length).toBeGreaterThan(3);
    for (const id of ids.slice(0, 3)) {
      const text = (await (await two.listen({ lastEventId: id })).synchronized()).text();
      expect([text.includes('at-2'), text.includes('mt-2')]).toEqual([true, true]);
    }
  });
});

describe('F61: a subscriber that', () => {
  /** Changes a credential until the connection of the one that never reads is full; then some more. */
  async function fill(two: Two, mute: Subscriber): Promise<string> {
    const witness = await (await two.listen({ query: '?credential=claude' })).synchronized();
    const padding = 'x'.repeat(60_000);
    let last = '';
    for (let round = 0; round < 12; round += 1) {
      last = `${padding}-${round}`;
      refresh(two, 'claude', last);
      await witness.until(brings(last));
    }
    expect(mute.socket.destroyed).toBe(false);
    return last;
  }

  test('reads late gets the latest, never a backlog', async () => {
    const two = await arrangeTwo();
    const mute = await two.listen({ mute: true });
    const last = await fill(two, mute);
    let text = '';
    mute.socket.on('data', (chunk) => {
      text += String(chunk);
    });
    mute.socket.resume();
    await until(() => text.includes(last));
    const generations = [...text.matchAll(/"access_token":"x+-(\d+)"/g)].map(([, round]) => Number(round));
    expect(generations.at(-1)).toBe(11);
    expect(generations.length).toBeLessThan(11);
  });

  test('reads nothing for two heartbeats is dropped, and said to be', async () => {
    const two = await arrangeTwo();
    const mute = await two.listen({ mute: true, query: '?consumer=sleeper' });
    await fill(two, mute);
    two.timers.tick();
    expect(two.log.records.map(({ event }) => event)).not.toContain('subscriber_dropped');
    two.timers.tick();
    expect(two.log.records.find(({ event }) => event === 'subscriber_dropped')?.fields).toEqual({
      consumer: 'sleeper',
      reason: 'takes_nothing',
    });
    mute.socket.resume();
    await once(mute.socket, 'close');
  });

  test('is slow delays nobody: others are told, and readers are answered', async () => {
    const two = await arrangeTwo();
    const mutes = await Promise.all(Array.from({ length: 20 }, () => two.listen({ mute: true })));
    await Promise.all(mutes.map((mute) => until(() => !mute.socket.connecting)));
    await fill(two, mutes[0] as Subscriber);
    const quick = await (await two.listen()).synchronized();
    refresh(two, 'mail', 'mt-2');
    await quick.until(brings('mt-2'));
    expect((await two.get('/v1/tokens/mail')).status).toBe(200);
  });

  test('has left costs nothing more', async () => {
    const two = await arrangeTwo();
    const gone = await (await two.listen()).synchronized();
    const stays = await (await two.listen()).synchronized();
    gone.socket.destroy();
    refresh(two, 'claude', 'at-2');
    await stays.until(brings('at-2'));
    const consumers = async () => bodyOf(await two.get('/v1/credentials/claude')).consumers as { total: number };
    let { total } = await consumers();
    while (total > 1) ({ total } = await consumers());
    expect(total).toBe(1);
  });

  test('hears nothing for long gets a heartbeat', async () => {
    const two = await arrangeTwo();
    const subscriber = await (await two.listen()).synchronized();
    two.timers.tick();
    await until(() => subscriber.text().endsWith('\n\n:\n\n'));
    expect(HEARTBEAT_SECONDS).toBeLessThan(60);
  });
});

test('F61: subscribers never take the connections that readers need: one too many is refused, and reads are answered', async () => {
  const daemon = createFakeDaemon();
  daemon.load('claude', 'at-1');
  const socketPath = join(temporaryDirectory(), 'freshd.sock');
  const limits = { ...CONNECTION_LIMITS, connectionsMax: 20 };
  const server = await startApiServer({ daemon, socketPath, log: createRecordedLog(), limits });
  onTestFinished(() => server.close());
  const admitted = await Promise.all(Array.from({ length: 18 }, () => subscribe(socketPath)));
  await Promise.all(admitted.map((each) => each.synchronized()));
  const get = (path: string) => request({ socketPath, method: 'GET', path, timeoutMs: 10_000 });
  const refusal = await get('/v1/events');
  expect([refusal.status, bodyOf(refusal).error, refusal.headers['retry-after']]).toEqual([
    503,
    'too_many_subscribers',
    '60',
  ]);
  expect((await get('/v1/tokens/claude')).status).toBe(200);
});

test('F61: three hundred subscribers all hear of a token, each once', async () => {
  const two = await arrangeTwo();
  const all = await Promise.all(Array.from({ length: 300 }, () => two.listen()));
  await Promise.all(all.map((each) => each.synchronized()));
  refresh(two, 'claude', 'at-2');
  await Promise.all(all.map((each) => each.until(brings('at-2'))));
  expect(all.flatMap(({ events }) => events.filter(brings('at-2')))).toHaveLength(300);
});

test('who asks while the daemon stops is not told to come back later: its connection ends, as that of all others', async () => {
  const { server, socketPath } = await arrangeTwo();
  const socket = connect(socketPath).setEncoding('latin1');
  let heard = '';
  socket.on('data', (text: string) => {
    heard += text;
  });
  const ended = once(socket, 'close');
  // In the middle of a request: an idle connection is closed at once.
  socket.write('GET /v1/events HTTP/1.1\r\n');
  await once(socket, 'connect');
  await turn();
  const closed = server.close();
  socket.write('Host: freshd\r\n\r\n');
  await Promise.all([closed, ended]);
  expect(heard).toBe('');
});

test('the end of the daemon ends every stream', async () => {
  const two = await arrangeTwo();
  const subscriber = await (await two.listen()).synchronized();
  const closed = once(subscriber.socket, 'close');
  await Promise.all([two.server.close(), closed]);
  expect(two.daemon.listeners).toBe(0);
});
