/** Rules about readers, over real sockets: who is at the other end is what the test says. */
import { once } from 'node:events';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { CONNECTION_LIMITS } from '../../src/api/connections.ts';
import { type AccessSources, startApiServer } from '../../src/api/server.ts';
import { request } from '../../src/client/transport.ts';
import type { AllowRule, ReaderFacts } from '../../src/core/access.ts';
import { arrange, bodyOf, temporaryDirectory, until } from './arrange.ts';
import { createFakeDaemon, createRecordedLog, MINUTE_MS, START_MS } from './fake-daemon.ts';
import { subscribe } from './subscriber.ts';

const GENERATION = START_MS / 1000 + 1;
const only = (...uids: number[]): AllowRule => ({ uids, gids: null, executables: null });

interface Readers {
  reader: ReaderFacts | null;
  become(changes: Partial<ReaderFacts>): void;
  rule(credential: string, rule: AllowRule | null): void;
  readonly access: AccessSources;
}

/** Connections come from whoever `reader` is when they first ask. */
function createReaders(): Readers {
  const rules = new Map<string, AllowRule>();
  const listeners = new Set<(credentials: readonly string[]) => void>();
  const readers: Readers = {
    reader: { uid: 1_000, pid: 42, groups: () => [], executable: () => '/usr/bin/app' },
    become(changes: Partial<ReaderFacts>) {
      readers.reader = { uid: 1_000, pid: 42, groups: () => [], executable: () => '/usr/bin/app', ...changes };
    },
    rule(credential: string, rule: AllowRule | null) {
      if (rule === null) rules.delete(credential);
      else rules.set(credential, rule);
      for (const listener of listeners) listener([credential]);
    },
    access: {
      peers: { readerOf: () => readers.reader },
      ruleOf: (credential) => rules.get(credential) ?? null,
      onRulesChanged(listener) {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
    },
  };
  return readers;
}

async function arrangeRules() {
  const readers = createReaders();
  const arranged = await arrange({ access: readers.access });
  arranged.daemon.load('mail', 'mail-token');
  arranged.daemon.load('open', 'open-token');
  return { ...arranged, readers };
}

describe('a rule about readers', () => {
  test('F62: answers 403 with the rule to everybody else, and writes the denial down without the token', async () => {
    const { get, readers, log } = await arrangeRules();
    readers.rule('mail', only(1_001));
    const denied = await get('/v1/tokens/mail');
    expect(denied.status).toBe(403);
    expect(bodyOf(denied)).toEqual({
      error: 'not_allowed',
      error_description:
        'mail may be read by uid 1001 (allow.uids), and this is uid 1000; its owner can change the rule in the configuration',
      credential: 'mail',
      reason: 'allow.uids',
    });
    expect((await get('/v1/tokens/mail', 'text/plain')).text).not.toContain('mail-token');
    expect((await get('/v1/tokens/open')).status).toBe(200);
    readers.become({ uid: 1_001 });
    expect(bodyOf(await get('/v1/tokens/mail'))).toMatchObject({ access_token: 'mail-token' });
    expect(log.records.filter(({ event }) => event === 'read_denied')).toEqual([
      {
        level: 'warn',
        event: 'read_denied',
        fields: { credential: 'mail', rule: 'allow.uids', uid: 1_000, executable: '/usr/bin/app', pid: 42, count: 1 },
      },
    ]);
    expect(JSON.stringify(log.records)).not.toContain('-token');
  });

  test('holds for a read with conditions, and one who may not read makes nothing refresh', async () => {
    const { daemon, get, post, readers } = await arrangeRules();
    readers.rule('mail', only(1_001));
    expect((await get('/v1/tokens/mail?min_valid_seconds=10')).status).toBe(403);
    expect((await get('/v1/tokens/mail?min_valid_seconds=999999&wait_seconds=30')).status).toBe(403);
    expect((await post('/v1/tokens/mail/rejections', { generation: GENERATION })).status).toBe(403);
    expect(daemon.state('mail')?.phase.kind).toBe('fresh');
    expect(daemon.state('mail')?.rejection).toBeNull();
  });

  test('ends the wait of a reader that lost its right meanwhile', async () => {
    const { daemon, get, readers, timers } = await arrangeRules();
    const waits = get(`/v1/tokens/mail?after_generation=${GENERATION}&wait_seconds=30`);
    await until(() => timers.pending.length > 0);
    readers.rule('mail', only(1_001));
    daemon.advance(MINUTE_MS);
    daemon.dispatch('mail', { type: 'rejection_reported', generation: GENERATION, peer: 'test' });
    daemon.succeed('mail', 'mail-token-2');
    expect((await waits).status).toBe(403);
  });

  test('concerns the member of a chain that is returned, and none of those that are not', async () => {
    const { daemon, get, readers } = await arrangeRules();
    daemon.load('key', 'key-token');
    await daemon.addChain('both', 'mail', 'key');
    readers.rule('mail', only(1_001));
    expect((await get('/v1/tokens/both')).status).toBe(403);
    readers.rule('mail', null);
    readers.rule('key', only(1_001));
    expect(bodyOf(await get('/v1/tokens/both'))).toMatchObject({ access_token: 'mail-token' });
  });

  test('is not told by name to who subscribes to it, and the rest is told without the token', async () => {
    const { get, log, readers, socketPath } = await arrangeRules();
    readers.rule('mail', only(1_001));
    expect((await get('/v1/events?credential=mail')).status).toBe(403);
    const subscriber = await (await subscribe(socketPath)).synchronized();
    expect(subscriber.events.map(({ event, data }) => `${event} ${data.credential ?? ''}`.trim())).toEqual([
      'phase mail',
      'token open',
      'phase open',
      'synchronized',
    ]);
    expect(subscriber.text()).not.toContain('mail-token');
    // Who may not have a token has no generation of it, and is nobody to wait for.
    expect(bodyOf(await get('/v1/credentials/mail')).consumers).toMatchObject({ total: 0 });
    expect(bodyOf(await get('/v1/credentials/open')).consumers).toMatchObject({ total: 1 });
    // Asked for by name it was refused; what nobody asked for is no denial.
    expect(log.records.filter(({ event }) => event === 'read_denied')).toHaveLength(1);
  });

  test('is asked at every push, and a stream that lost its right is ended, and that is said', async () => {
    const { daemon, log, readers, socketPath } = await arrangeRules();
    readers.rule('mail', only(1_000));
    const allowed = await (await subscribe(socketPath, { query: '?credential=mail' })).synchronized();
    readers.become({ uid: 1_001 });
    const other = await (await subscribe(socketPath)).synchronized();
    daemon.advance(MINUTE_MS);
    daemon.dispatch('mail', { type: 'rejection_reported', generation: GENERATION, peer: 'test' });
    daemon.succeed('mail', 'mail-token-2');
    await allowed.until(({ data }) => data.access_token === 'mail-token-2');
    await other.until(({ event, data }) => event === 'phase' && data.generation === GENERATION + 1);
    expect(other.text()).not.toContain('mail-token');

    const ended = once(allowed.socket, 'close');
    readers.rule('mail', only(1_001));
    await ended;
    // And who got the right is told, though nothing else has changed.
    await other.until(({ data }) => data.access_token === 'mail-token-2');
    expect(log.records.filter(({ event }) => event === 'subscriber_dropped')).toEqual([
      { level: 'warn', event: 'subscriber_dropped', fields: { consumer: null, reason: 'not_allowed' } },
    ]);
  });

  test('takes one name from whoever listens to several: it comes back, and hears of the others', async () => {
    const { readers, socketPath } = await arrangeRules();
    const query = '?credential=mail&credential=open';
    const before = await (await subscribe(socketPath, { query })).synchronized();
    const lastEventId = before.events.at(-1)?.id ?? '';
    const ended = once(before.socket, 'close');
    readers.rule('mail', only(1_001));
    await ended;
    const again = await (await subscribe(socketPath, { query, lastEventId: `other-${lastEventId}` })).synchronized();
    expect(again.text()).toContain('open-token');
    expect(again.text()).not.toContain('mail-token');
    for (const shutOut of [{ query }, { query: '?credential=mail', lastEventId }]) {
      const refused = await subscribe(socketPath, shutOut);
      await until(() => refused.text().includes('"not_allowed"'));
    }
  });
});

test('a reader that asks without end is answered 429 with when to go on, on the quick way too, and others go on', async () => {
  const readers = createReaders();
  const [daemon, socketPath] = [createFakeDaemon(), join(temporaryDirectory(), 'freshd.sock')];
  daemon.load('mail', 'mail-token');
  const limits = { ...CONNECTION_LIMITS, readerUnitsMax: 250 };
  const server = await startApiServer({ daemon, socketPath, log: createRecordedLog(), access: readers.access, limits });
  onTestFinished(() => server.close());
  const get = (path: string) => request({ socketPath, method: 'GET', path, timeoutMs: 10_000 });
  for (let call = 0; call < 2; call++) expect((await get('/v1/health/live')).status).toBe(200);
  const refused = await get('/v1/health/live');
  expect(refused.status).toBe(429);
  expect(bodyOf(refused)).toMatchObject({ error: 'too_many_requests', retry_after: 1 });
  for (let read = 0; read < 50; read++) expect((await get('/v1/tokens/mail')).status).toBe(200);
  expect((await get('/v1/tokens/mail')).status).toBe(429);
  readers.become({ uid: 1_001 });
  expect((await get('/v1/tokens/mail')).status).toBe(200);
});

test('rejections are told apart by who sends them, whatever name they give themselves', async () => {
  const { daemon, post, readers } = await arrangeRules();
  await post('/v1/tokens/mail/rejections', { generation: GENERATION, consumer: 'a' });
  expect(daemon.state('mail')?.rejection?.peer).toBe('uid:1000/pid:42');
  readers.become({ uid: 1_001, pid: null });
  await post('/v1/tokens/open/rejections', { generation: GENERATION, consumer: 'a' });
  expect(daemon.state('open')?.rejection?.peer).toBe('uid:1001');
});

test('reads are written down once for each reader and credential, and then counted', async () => {
  const { get, log, readers, timers } = await arrangeRules();
  const reads = () =>
    log.records.filter(({ event }) => event === 'token_read').map(({ fields }) => [fields.uid, fields.count]);
  for (let read = 0; read < 5; read++) await get('/v1/tokens/mail');
  await get('/v1/tokens/mail?min_valid_seconds=1');
  expect(reads()).toEqual([[1_000, 1]]);
  timers.tick();
  expect(reads()).toEqual([
    [1_000, 1],
    [1_000, 5],
  ]);
  timers.tick();
  readers.become({ uid: 1_001 });
  await get('/v1/tokens/mail');
  expect(reads().at(-1)).toEqual([1_001, 1]);
});

test('a thousand programs that read leave a bounded number of records', async () => {
  const { get, log, readers } = await arrangeRules();
  for (let program = 0; program < 400; program++) {
    readers.become({ executable: () => `/tmp/${program}` });
    await get('/v1/tokens/mail');
  }
  expect(log.records.filter(({ event }) => event === 'token_read')).toHaveLength(257);
});
