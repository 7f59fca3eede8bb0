/** Calls that name a chain: read like a credential, answered by the member in use. */
import { describe, expect, test } from 'vitest';
import { arrange, bodyOf, until } from './arrange.ts';
import { HOUR_MS, MINUTE_MS } from './fake-daemon.ts';

/** A refreshable credential, and a key that nobody here can refresh, in a chain. */
async function arrangeChain() {
  const arranged = await arrange();
  const { daemon } = arranged;
  daemon.add('claude');
  daemon.add('key', { method: 'static' });
  await daemon.addChain('any', 'claude', 'key');
  daemon.load('claude', 'at-1', 2 * HOUR_MS);
  daemon.load('key', 'k-1', 10_000 * HOUR_MS);
  const chainGeneration = () => daemon.chains.state('any')?.generation ?? 0;
  const report = (body: object, query = '') => arranged.post(`/v1/tokens/any/rejections${query}`, body);
  return { ...arranged, chainGeneration, report };
}

/** The first member's token has expired, and its refresh has failed. */
async function arrangeFallback() {
  const arranged = await arrangeChain();
  arranged.daemon.advance(90 * MINUTE_MS);
  arranged.daemon.fail('claude');
  arranged.daemon.advance(31 * MINUTE_MS);
  arranged.daemon.fail('claude');
  return arranged;
}

describe('a read by the name of a chain', () => {
  test('C2: brings the token of the member in use, says whose it is, and has the generation of the chain', async () => {
    const { daemon, get, chainGeneration } = await arrangeChain();
    const { status, text } = await get('/v1/tokens/any');
    expect([status, JSON.parse(text)]).toMatchObject([
      200,
      { credential: 'claude', chain: 'any', access_token: 'at-1', generation: chainGeneration(), refreshable: true },
    ]);
    expect((await get('/v1/tokens/any', 'text/plain')).text).toBe('at-1');
    expect(bodyOf(await get('/v1/tokens/claude')).chain).toBeUndefined();
    expect(daemon.events.map(({ event }) => event.type)).not.toContain('refresh_requested');
  });

  test('C3: turns to the fallback in the very moment of an expiry, before any alarm has rung', async () => {
    const { daemon, get } = await arrangeChain();
    daemon.sleep(2 * HOUR_MS);
    for (const path of ['/v1/tokens/any', '/v1/tokens/any?min_valid_seconds=1']) {
      expect(bodyOf(await get(path))).toMatchObject({ credential: 'key', access_token: 'k-1' });
    }
  });

  test('A7: a demand is made of the member in use where there is time for that', async () => {
    const { daemon, get } = await arrangeChain();
    const demand = `/v1/tokens/any?min_valid_seconds=${3 * 3600}`;
    const waiting = get(`${demand}&wait_seconds=30`);
    await until(() => daemon.count('claude', 'begin_attempt') === 1);
    daemon.succeed('claude', 'at-2');
    expect(bodyOf(await waiting)).toMatchObject({ access_token: 'at-2', chain: 'any' });
    expect(daemon.count('key', 'begin_attempt')).toBe(0);
  });

  test('A7: else another member that lives so long answers, under its own name and generation', async () => {
    const { daemon, get, report } = await arrangeChain();
    const demand = `/v1/tokens/any?min_valid_seconds=${3 * 3600}`;
    const own = { credential: 'key', access_token: 'k-1', generation: daemon.state('key')?.generation };
    const now = bodyOf(await get(demand));
    expect(now).toMatchObject(own);
    expect(now.chain).toBeUndefined();
    expect(daemon.chains.state('any')?.inUse?.credential).toBe('claude');

    const waiting = get(`${demand}&wait_seconds=30`);
    await until(() => daemon.count('claude', 'begin_attempt') === 1);
    daemon.fail('claude');
    expect(bodyOf(await waiting)).toMatchObject(own);
    expect(bodyOf(await get(`${demand}&wait_seconds=30`))).toMatchObject(own);
    expect(bodyOf(await get(`/v1/tokens/any?min_valid_seconds=${20_000 * 3600}`))).toMatchObject({
      error: 'temporarily_unavailable',
      credential: 'claude',
      chain: 'any',
    });
    expect(bodyOf(await report({ generation: own.generation, credential: 'key' }))).toMatchObject({
      credential: 'key',
      outcome: 'not_refreshable',
    });
    expect(bodyOf(await get(demand))).toMatchObject({ error: 'temporarily_unavailable', reason: 'min_valid' });
  });

  test('after_generation waits for another generation of the chain, also by another member', async () => {
    const { daemon, get, chainGeneration } = await arrangeChain();
    const before = chainGeneration();
    expect((await get(`/v1/tokens/any?after_generation=${before}`)).status).toBe(503);
    const waiting = get(`/v1/tokens/any?after_generation=${before}&wait_seconds=30`);
    await until(() => daemon.listeners > 0);
    daemon.advance(2 * HOUR_MS);
    const body = bodyOf(await waiting);
    expect(body).toMatchObject({ credential: 'key', generation: chainGeneration() });
    expect(Number(body.generation)).toBeGreaterThan(before);
  });

  test('with nothing usable it says what each member lacks, and what helps', async () => {
    const { daemon, get } = await arrangeFallback();
    daemon.load('key', null);
    daemon.advance(10_001 * HOUR_MS);
    const { status, text } = await get('/v1/tokens/any');
    const body = JSON.parse(text);
    expect([status, body]).toMatchObject([
      503,
      {
        error: 'temporarily_unavailable',
        chain: 'any',
        reason: 'no_usable_member',
        members: [
          { credential: 'claude', reason: 'expired', code: 'timeout', remedy: null },
          { credential: 'key', reason: 'expired', remedy: 'freshd login key' },
        ],
      },
    ]);
    expect(body.error_description).toMatch(
      /^any has no usable member: claude: expired \(timeout\); key: .*freshd login key/,
    );
    expect(body.retry_after).toBeGreaterThan(0);
  });

  test('E5: with nothing usable and every member in need of a person it is a 409', async () => {
    const { daemon, get } = await arrange();
    daemon.add('claude');
    await daemon.addChain('any', 'claude');
    daemon.load('claude', 'at-1', 2 * HOUR_MS);
    daemon.advance(90 * MINUTE_MS);
    daemon.fail('claude', { code: 'invalid_grant', class: 'terminal' });
    expect((await get('/v1/tokens/any')).status).toBe(200);
    daemon.advance(HOUR_MS);
    const { status, text } = await get('/v1/tokens/any?wait_seconds=30');
    expect([status, JSON.parse(text)]).toMatchObject([
      409,
      { error: 'reauthorization_required', members: [{ credential: 'claude', remedy: 'freshd login claude' }] },
    ]);
  });

  test('a wait with nothing usable brings the recovery of every member forward', async () => {
    const { daemon, get } = await arrange();
    for (const name of ['claude', 'mail']) daemon.add(name);
    await daemon.addChain('any', 'claude', 'mail');
    for (const name of ['claude', 'mail']) daemon.load(name, null);
    const waiting = get('/v1/tokens/any?wait_seconds=30');
    await until(() => daemon.events.filter(({ event }) => event.type === 'refresh_requested').length === 2);
    daemon.load('mail', 'mt-1');
    expect(bodyOf(await waiting)).toMatchObject({ credential: 'mail', access_token: 'mt-1' });
  });
});

describe('a report by the name of a chain', () => {
  test('B2, B3: goes to the member that the generation stood for, and the next read gets another', async () => {
    const { daemon, get, chainGeneration, report } = await arrangeChain();
    const { status, text } = await report({ generation: chainGeneration(), credential: 'claude' });
    expect([status, JSON.parse(text)]).toEqual([
      202,
      { credential: 'claude', chain: 'any', outcome: 'refresh_started' },
    ]);
    expect(daemon.state('claude')?.rejection?.generation).toBe(daemon.state('claude')?.generation);
    expect(bodyOf(await get('/v1/tokens/any'))).toMatchObject({ credential: 'key' });
    daemon.succeed('claude', 'at-2');
    expect(bodyOf(await get('/v1/tokens/any'))).toMatchObject({ credential: 'key' });
    daemon.advance(10_000);
    expect(bodyOf(await get('/v1/tokens/any'))).toMatchObject({ credential: 'claude', access_token: 'at-2' });
  });

  test('with a wait it is answered with the token of the fallback, at once', async () => {
    const { chainGeneration, report } = await arrangeChain();
    const { status, text } = await report({ generation: chainGeneration() }, '?wait_seconds=30');
    expect([status, JSON.parse(text)]).toMatchObject([200, { credential: 'key', access_token: 'k-1' }]);
  });

  test('a late one still finds its member; one about nobody, or somebody else, changes nothing', async () => {
    const { daemon, chainGeneration, report } = await arrangeFallback();
    const { credential, generation } = daemon.chains.state('any')?.bindings[0] ?? { credential: '', generation: 0 };
    expect(credential).toBe('claude');
    expect(bodyOf(await report({ generation }))).toMatchObject({ credential: 'claude' });
    const before = daemon.events.length;
    expect(bodyOf(await report({ generation: 1 }))).toEqual({ credential: 'key', chain: 'any', outcome: 'superseded' });
    expect(bodyOf(await report({ generation: chainGeneration() + 9 }))).toMatchObject({ outcome: 'ignored' });
    const wrong = { generation: chainGeneration(), credential: 'claude' };
    expect(bodyOf(await report(wrong))).toMatchObject({ outcome: 'ignored' });
    expect(daemon.events.length).toBe(before);
  });

  test('of the last resort is believed, and the token stays in use', async () => {
    const { daemon, get, chainGeneration, report } = await arrangeFallback();
    const refused = { generation: chainGeneration() };
    expect(bodyOf(await report(refused, '?wait_seconds=30'))).toMatchObject({ outcome: 'not_refreshable' });
    expect(daemon.chains.state('any')?.inUse?.credential).toBe('key');
    expect((await get('/v1/tokens/any')).status).toBe(200);
  });

  test('A13: what is no 401 is ignored', async () => {
    const { chainGeneration, report, daemon } = await arrangeChain();
    expect(bodyOf(await report({ generation: chainGeneration(), http_status: 403 }))).toMatchObject({
      outcome: 'ignored',
    });
    expect(daemon.chains.state('any')?.inUse?.credential).toBe('claude');
  });
});

describe('what is said of a chain', () => {
  test('C2: the list and the detail say who is in use, since when, and instead of whom', async () => {
    const { get } = await arrangeFallback();
    const { chains } = bodyOf(await get('/v1/credentials')) as { chains: object[] };
    expect(chains).toMatchObject([
      {
        chain: 'any',
        credential: 'key',
        since: expect.stringMatching(/^\d{4}-/),
        instead_of: { credential: 'claude', reason: 'expired', code: 'timeout' },
        members: [
          { credential: 'claude', standing: 'unusable', reason: 'expired', remedy: null, settles_in_seconds: null },
          { credential: 'key', standing: 'usable', reason: null },
        ],
      },
    ]);
    const detail = bodyOf(await get('/v1/credentials/any')) as { explanation: string[] };
    expect(detail.explanation.slice(1)).toEqual([
      'instead of claude: expired (timeout)',
      'claude: expired (timeout); skipped',
      'key: in use',
    ]);
    expect(JSON.stringify([chains, detail])).not.toMatch(/at-1|k-1/);
  });

  test('the way back is announced with the time it takes', async () => {
    const { daemon, get } = await arrangeFallback();
    daemon.advance(30 * MINUTE_MS);
    daemon.succeed('claude', 'at-2');
    daemon.advance(4_000);
    const { explanation, members } = bodyOf(await get('/v1/credentials/any')) as {
      explanation: string[];
      members: object[];
    };
    expect(members[0]).toMatchObject({ standing: 'usable', settles_in_seconds: 6 });
    expect(explanation).toContain('claude: usable again; taken in 6 s if it stays so');
  });

  test('it is ready with any member that serves; without one it is not, and only then nor is the daemon', async () => {
    const { daemon, get } = await arrangeFallback();
    const ready = await get('/v1/health/ready');
    expect([ready.status, JSON.parse(ready.text)]).toMatchObject([
      200,
      {
        ready: true,
        chains: [{ chain: 'any', credential: 'key', ready: true, optional: false }],
        credentials: [{ credential: 'claude', ready: false, chains: ['any'] }, {}],
      },
    ]);
    daemon.advance(10_001 * HOUR_MS);
    const down = await get('/v1/health/ready');
    expect([down.status, JSON.parse(down.text)]).toMatchObject([
      503,
      { ready: false, chains: [{ credential: null, ready: false, reason: 'no_usable_member' }] },
    ]);
  });

  test('a bug in it is said, and makes the daemon not ready', async () => {
    const { daemon, get } = await arrangeChain();
    daemon.faults.any = 'TypeError';
    expect((await get('/v1/health/ready')).status).toBe(503);
    expect(bodyOf(await get('/v1/credentials/any')).fault).toBe('TypeError');
  });

  test('its name is suggested to whoever misspells it, and a refresh names its members instead', async () => {
    const { get, post } = await arrangeChain();
    expect(bodyOf(await get('/v1/tokens/anyy'))).toMatchObject({ error: 'unknown_credential', nearest: 'any' });
    const { status, text } = await post('/v1/credentials/any/refresh');
    expect([status, JSON.parse(text)]).toMatchObject([404, { chain: 'any', nearest: 'claude' }]);
    expect(JSON.parse(text).error_description).toContain('claude, key');
  });
});
