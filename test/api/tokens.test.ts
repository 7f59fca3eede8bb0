import { describe, expect, test } from 'vitest';
import { arrange, bodyOf, until } from './arrange.ts';
import { HOUR_MS, MINUTE_MS, START_MS } from './fake-daemon.ts';

const GENERATION = START_MS / 1000 + 1;

describe('a plain read', () => {
  test('B5: says the token, when it ends and which generation it is', async () => {
    const { daemon, get } = await arrange();
    daemon.load('claude', 'at-1', 8 * HOUR_MS);
    const response = await get('/v1/tokens/claude');
    expect(response.status).toBe(200);
    expect(response.headers).toMatchObject({
      'content-type': 'application/json; charset=utf-8',
      'cache-control': 'no-store',
    });
    expect(bodyOf(response)).toEqual({
      credential: 'claude',
      access_token: 'at-1',
      token_type: 'Bearer',
      scheme: 'bearer',
      expires_in: 28_800,
      expires_at: '2026-11-22T20:00:00.000Z',
      generation: GENERATION,
      refreshable: true,
      durable: true,
    });
  });

  test('is the bare token for who asks for text, on the quick way and through the routes', async () => {
    const { daemon, get } = await arrange();
    daemon.load('claude', 'at-1');
    for (const path of ['/v1/tokens/claude', '/v1/tokens/claude?min_valid_seconds=1']) {
      const response = await get(path, 'text/plain');
      expect([response.status, response.headers['content-type'], response.text]).toEqual([
        200,
        'text/plain; charset=utf-8',
        'at-1',
      ]);
    }
  });

  test('answers the same through the routes as on the quick way', async () => {
    const { daemon, get } = await arrange();
    daemon.load('claude', 'at-1');
    const [quick, routed] = await Promise.all([get('/v1/tokens/claude'), get('/v1/tokens/claude?wait_seconds=0')]);
    expect(routed.text).toBe(quick.text);
    expect(routed.headers['content-type']).toBe(quick.headers['content-type']);
    expect(routed.headers['cache-control']).toBe(quick.headers['cache-control']);
  });

  test('starts nothing, whatever the state of the credential', async () => {
    const { daemon, get } = await arrange();
    daemon.load('fresh', 'at-1');
    daemon.load('gone', null);
    const before = daemon.events.length;
    await get('/v1/tokens/fresh');
    await get('/v1/tokens/fresh?min_valid_seconds=999999');
    await get('/v1/tokens/gone');
    await get('/v1/tokens/nobody');
    expect(daemon.events.length).toBe(before);
  });

  test('of an unknown name is a 404 with the nearest one', async () => {
    const { daemon, get } = await arrange();
    daemon.load('claude', 'at-1');
    const response = await get('/v1/tokens/cluade');
    expect(response.status).toBe(404);
    expect(bodyOf(response)).toEqual({
      error: 'unknown_credential',
      error_description: 'no credential cluade among the 1 configured; did you mean claude?',
      credential: 'cluade',
      nearest: 'claude',
    });
  });

  test.each(['UPPER', '..%2f..%2fetc', `${'a'.repeat(64)}`, '%00', '-dash'])(
    'of a name that can be none (%s) is a 400',
    async (name) => {
      const { get } = await arrange();
      const response = await get(`/v1/tokens/${name}`);
      expect([response.status, bodyOf(response).error]).toEqual([400, 'invalid_request']);
    },
  );

  test('of a credential without a token is a 503 that says when to ask again', async () => {
    const { daemon, get } = await arrange();
    daemon.load('claude', 'at-1', 2 * HOUR_MS);
    daemon.advance(90 * MINUTE_MS);
    daemon.fail('claude');
    daemon.advance(HOUR_MS);
    const response = await get('/v1/tokens/claude');
    expect(response.status).toBe(503);
    expect(bodyOf(response)).toMatchObject({ error: 'temporarily_unavailable', credential: 'claude' });
    expect(Number(response.headers['retry-after'])).toBe(bodyOf(response).retry_after);
    expect(response.text).not.toContain('at-1');
  });

  test('of a credential that never had a token is a 503 that says when to ask again, and what to do', async () => {
    const { daemon, get } = await arrange();
    daemon.load('claude', null);
    const response = await get('/v1/tokens/claude');
    expect(response.status).toBe(503);
    expect(bodyOf(response)).toEqual({
      error: 'temporarily_unavailable',
      error_description: 'claude has no usable token at the moment (none); freshd login claude',
      credential: 'claude',
      reason: 'none',
      remedy: 'freshd login claude',
      // The next look at the store.
      retry_after: Number(response.headers['retry-after']),
    });
  });

  test.each(['/v1/tokens/%E0%A4%A', '/%zz', '/v1/credentials/%C0'])(
    'of a path that cannot be decoded (%s) is a 400 in the shape of all errors',
    async (path) => {
      const { get } = await arrange();
      const response = await get(path);
      expect(response.status).toBe(400);
      expect(bodyOf(response)).toEqual({
        error: 'invalid_request',
        error_description: `path: expected percent-encoded UTF-8, got ${path}`,
      });
    },
  );

  test('of a credential that needs a person is a 200 while its token is valid, and a 409 with the remedy after', async () => {
    const { daemon, get } = await arrange();
    daemon.load('claude', 'at-1', 2 * HOUR_MS);
    daemon.advance(90 * MINUTE_MS);
    daemon.fail('claude', { code: 'invalid_grant', class: 'terminal' });
    const during = await get('/v1/tokens/claude');
    expect([during.status, bodyOf(during)]).toMatchObject([200, { access_token: 'at-1', refreshable: false }]);
    daemon.advance(HOUR_MS);
    const after = await get('/v1/tokens/claude');
    expect([after.status, bodyOf(after)]).toMatchObject([
      409,
      { error: 'reauthorization_required', credential: 'claude', remedy: 'freshd login claude' },
    ]);
  });

  test.each(['wait_seconds=61', 'wait_seconds=-1', 'wait_seconds=soon', 'after_generation=1.5', 'min_valid=5'])(
    'with %s is a 400',
    async (query) => {
      const { daemon, get } = await arrange();
      daemon.load('claude', 'at-1');
      const response = await get(`/v1/tokens/claude?${query}`);
      expect([response.status, bodyOf(response).error]).toEqual([400, 'invalid_request']);
    },
  );
});

describe('a read that waits', () => {
  test('A7: a dying token is not handed out to who demands more; the refresh is awaited', async () => {
    const { daemon, get } = await arrange();
    daemon.load('claude', 'old', 3 * HOUR_MS);
    const reading = get('/v1/tokens/claude?min_valid_seconds=14400&wait_seconds=30');
    await until(() => daemon.count('claude', 'begin_attempt') === 1);
    daemon.succeed('claude', 'new');
    expect(bodyOf(await reading)).toMatchObject({ access_token: 'new', generation: GENERATION + 1 });
  });

  test('A11: two hundred demands at once start one refresh, on one subscription', async () => {
    const { daemon, get, timers } = await arrange();
    daemon.load('claude', 'old', 3 * HOUR_MS);
    const readings = Array.from({ length: 200 }, () =>
      get('/v1/tokens/claude?min_valid_seconds=14400&wait_seconds=30'),
    );
    await until(() => timers.pending.length === 200);
    expect(daemon.count('claude', 'begin_attempt')).toBe(1);
    expect(daemon.listeners).toBe(1);
    daemon.succeed('claude', 'new');
    const answers = await Promise.all(readings);
    expect(new Set(answers.map((answer) => bodyOf(answer).access_token))).toEqual(new Set(['new']));
    expect(timers.pending).toEqual([]);
  });

  test('that demands more than any fresh token has asks once, and then never again', async () => {
    const { daemon, get } = await arrange();
    daemon.load('claude', 'old', HOUR_MS);
    const first = get('/v1/tokens/claude?min_valid_seconds=86400&wait_seconds=30');
    await until(() => daemon.count('claude', 'begin_attempt') === 1);
    daemon.succeed('claude', 'new', HOUR_MS);
    expect((await first).status).toBe(503);
    daemon.advance(MINUTE_MS);
    const second = await get('/v1/tokens/claude?min_valid_seconds=86400&wait_seconds=30');
    expect([second.status, bodyOf(second).error]).toEqual([503, 'min_valid_unattainable']);
    expect(daemon.count('claude', 'begin_attempt')).toBe(1);
  });

  test('that demands more than the last fresh token had is granted once tokens live longer', async () => {
    const { daemon, get } = await arrange();
    daemon.load('claude', 'old', HOUR_MS);
    const first = get('/v1/tokens/claude?min_valid_seconds=7200&wait_seconds=30');
    await until(() => daemon.count('claude', 'begin_attempt') === 1);
    daemon.succeed('claude', 'short', HOUR_MS);
    await first;
    daemon.advance(45 * MINUTE_MS);
    daemon.succeed('claude', 'long', 8 * HOUR_MS);
    daemon.advance(7 * HOUR_MS);
    const second = get('/v1/tokens/claude?min_valid_seconds=7200&wait_seconds=30');
    await until(() => daemon.count('claude', 'begin_attempt') === 3);
    daemon.succeed('claude', 'longer', 8 * HOUR_MS);
    expect(bodyOf(await second)).toMatchObject({ access_token: 'longer' });
  });

  test('of a token that nothing here can refresh is told so', async () => {
    const { daemon, get, timers } = await arrange();
    daemon.add('key', { method: 'static' });
    daemon.load('key', 'at-1', HOUR_MS);
    const reading = get('/v1/tokens/key?min_valid_seconds=7200&wait_seconds=30');
    await until(() => timers.pending.length === 1);
    timers.expire(30_000);
    const response = await reading;
    expect([response.status, bodyOf(response).error]).toEqual([503, 'min_valid_unattainable']);
  });

  test('ends in a 503 when its time is up', async () => {
    const { daemon, get, timers } = await arrange();
    daemon.load('claude', 'old', 3 * HOUR_MS);
    const reading = get('/v1/tokens/claude?min_valid_seconds=14400&wait_seconds=30');
    await until(() => timers.pending.length === 1);
    timers.expire(30_000);
    const response = await reading;
    expect([response.status, bodyOf(response).error]).toEqual([503, 'temporarily_unavailable']);
    expect(response.headers['retry-after']).toMatch(/^\d+$/);
  });

  test('for another generation gets it when it comes, and asks for nothing meanwhile', async () => {
    const { daemon, get, timers } = await arrange();
    daemon.load('claude', 'old', HOUR_MS);
    const before = daemon.events.length;
    const reading = get(`/v1/tokens/claude?after_generation=${GENERATION}&wait_seconds=60`);
    await until(() => timers.pending.length === 1);
    expect(daemon.events.length).toBe(before);
    daemon.advance(45 * MINUTE_MS);
    daemon.succeed('claude', 'new');
    expect(bodyOf(await reading)).toMatchObject({ access_token: 'new', generation: GENERATION + 1 });
  });

  test('for another generation is told at once when a person must act first', async () => {
    const { daemon, get } = await arrange();
    daemon.load('claude', 'old', 2 * HOUR_MS);
    daemon.advance(90 * MINUTE_MS);
    daemon.fail('claude', { code: 'invalid_grant', class: 'terminal' });
    const response = await get(`/v1/tokens/claude?after_generation=${GENERATION}&wait_seconds=60`);
    expect([response.status, bodyOf(response).error]).toEqual([409, 'reauthorization_required']);
  });

  test('for another generation answers at once when there is one already', async () => {
    const { daemon, get } = await arrange();
    daemon.load('claude', 'at-1');
    const response = await get(`/v1/tokens/claude?after_generation=${GENERATION - 7}&wait_seconds=60`);
    expect(bodyOf(response)).toMatchObject({ access_token: 'at-1' });
  });

  test('without a wait, for another generation, is a 503 rather than the same token again', async () => {
    const { daemon, get } = await arrange();
    daemon.load('claude', 'at-1');
    const response = await get(`/v1/tokens/claude?after_generation=${GENERATION}`);
    expect([response.status, bodyOf(response).error]).toEqual([503, 'no_newer_token']);
  });

  test('is resumed when a missing token appears', async () => {
    const { daemon, get, timers } = await arrange();
    daemon.load('claude', null);
    const reading = get('/v1/tokens/claude?wait_seconds=30', 'text/plain');
    await until(() => timers.pending.length === 1);
    daemon.load('claude', 'appeared');
    expect((await reading).text).toBe('appeared');
  });

  test('of a credential that a reload removes is a 404', async () => {
    const { daemon, get, timers } = await arrange();
    daemon.load('claude', null);
    const reading = get('/v1/tokens/claude?wait_seconds=30');
    await until(() => timers.pending.length === 1);
    daemon.remove('claude');
    timers.expire(30_000);
    expect((await reading).status).toBe(404);
  });
});
