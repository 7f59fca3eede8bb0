import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { ROUTES } from '../../src/api/routes.ts';
import { arrange, bodyOf, until } from './arrange.ts';
import { HOUR_MS, MINUTE_MS, START_MS } from './fake-daemon.ts';

const GENERATION = START_MS / 1000 + 1;

describe('rejections', () => {
  test('A6: the first report of a 401 starts a refresh at once', async () => {
    const { daemon, post } = await arrange();
    daemon.load('claude', 'at-1');
    daemon.advance(MINUTE_MS);
    const response = await post('/v1/tokens/claude/rejections', { generation: GENERATION, http_status: 401 });
    expect([response.status, bodyOf(response)]).toEqual([202, { credential: 'claude', outcome: 'refresh_started' }]);
    expect(daemon.count('claude', 'begin_attempt')).toBe(1);
  });

  test('A11: a hundred reports start one refresh', async () => {
    const { daemon, post } = await arrange();
    daemon.load('claude', 'at-1');
    daemon.advance(MINUTE_MS);
    const reports = Array.from({ length: 100 }, (_, n) =>
      post('/v1/tokens/claude/rejections', { generation: GENERATION, consumer: `worker-${n}` }),
    );
    const outcomes = (await Promise.all(reports)).map((response) => bodyOf(response).outcome);
    expect(outcomes.filter((outcome) => outcome === 'refresh_started')).toHaveLength(1);
    expect(outcomes.filter((outcome) => outcome === 'joined')).toHaveLength(99);
    expect(daemon.count('claude', 'begin_attempt')).toBe(1);
  });

  test('of an older generation is superseded and starts nothing', async () => {
    const { daemon, post } = await arrange();
    daemon.load('claude', 'at-1');
    const response = await post('/v1/tokens/claude/rejections', { generation: GENERATION - 1 });
    expect(bodyOf(response)).toEqual({ credential: 'claude', outcome: 'superseded' });
    expect(daemon.count('claude', 'begin_attempt')).toBe(0);
  });

  test.each([403, 402, 429, 500])(
    'A13: of a %i says nothing about the token, so it changes nothing',
    async (status) => {
      const { daemon, post } = await arrange();
      daemon.load('claude', 'at-1');
      const before = daemon.events.length;
      const response = await post('/v1/tokens/claude/rejections', { generation: GENERATION, http_status: status });
      expect(bodyOf(response)).toEqual({ credential: 'claude', outcome: 'ignored' });
      expect(daemon.events.length).toBe(before);
    },
  );

  test('A13: of another status count where a provider is known to refuse tokens that way, and only by its code', async () => {
    const { daemon, post } = await arrange();
    daemon.load('grok', 'at-1');
    daemon.advance(MINUTE_MS);
    const report = async (http_status: number, body: object | string) => {
      const text = typeof body === 'string' ? body : JSON.stringify(body);
      const path = '/v1/tokens/grok/rejections';
      return bodyOf(await post(path, { generation: GENERATION, http_status, body: text })).outcome;
    };
    expect(await report(403, { code: 'permission_denied', error: 'no such plan' })).toBe('ignored');
    expect(await report(403, 'unauthenticated:bad-credentials, says the agent; status 401')).toBe('ignored');
    expect(await report(403, { error: { message: 'invalid token in the code that you sent' } })).toBe('ignored');
    expect(await report(503, { error: 'overloaded_error' })).toBe('ignored');
    expect(daemon.count('grok', 'begin_attempt')).toBe(0);
    expect(await report(403, { code: 'unauthenticated:bad-credentials', error: 'The token is bad.' })).toBe(
      'refresh_started',
    );
  });

  test('of generations that never existed, in a flood and from everybody, start nothing', async () => {
    const { daemon, post } = await arrange();
    daemon.load('claude', 'at-1');
    daemon.advance(MINUTE_MS);
    const reports = Array.from({ length: 200 }, (_, n) =>
      post('/v1/tokens/claude/rejections', { generation: GENERATION + 1 + n * 1e6, consumer: `flood-${n}` }),
    );
    const outcomes = (await Promise.all(reports)).map((response) => bodyOf(response).outcome);
    expect(new Set(outcomes)).toEqual(new Set(['ignored']));
    expect(daemon.count('claude', 'begin_attempt')).toBe(0);
  });

  test('of one credential say nothing about another, and of none are told the nearest', async () => {
    const { daemon, post } = await arrange();
    daemon.load('claude', 'at-1');
    daemon.load('mail', 'mt-1');
    daemon.advance(MINUTE_MS);
    await post('/v1/tokens/claude/rejections', { generation: GENERATION });
    expect([daemon.count('claude', 'begin_attempt'), daemon.count('mail', 'begin_attempt')]).toEqual([1, 0]);
    const response = await post('/v1/tokens/mial/rejections', { generation: GENERATION });
    expect([response.status, bodyOf(response).nearest]).toEqual([404, 'mail']);
  });

  test('that can wait get the next token instead of an outcome', async () => {
    const { daemon, post } = await arrange();
    daemon.load('claude', 'old');
    daemon.advance(MINUTE_MS);
    const reporting = post('/v1/tokens/claude/rejections?wait_seconds=30', { generation: GENERATION });
    await until(() => daemon.count('claude', 'begin_attempt') === 1);
    daemon.succeed('claude', 'new');
    const response = await reporting;
    expect([response.status, bodyOf(response)]).toMatchObject([200, { access_token: 'new' }]);
  });

  test('of a credential that nothing here can refresh come back with the remedy', async () => {
    const { daemon, post } = await arrange();
    daemon.add('key', { method: 'static' });
    daemon.load('key', 'at-1');
    const response = await post('/v1/tokens/key/rejections?wait_seconds=30', { generation: GENERATION });
    expect(bodyOf(response)).toEqual({ credential: 'key', outcome: 'not_refreshable', remedy: 'freshd login key' });
  });

  test.each([
    ['no generation', {}],
    ['an unknown member', { generation: 1, token: 'secret' }],
    ['a consumer with a line break', { generation: 1, consumer: 'a\nb' }],
    ['an impossible status', { generation: 1, http_status: 9 }],
  ])('with %s are a 400 that repeats no value', async (_, body) => {
    const { daemon, post } = await arrange();
    daemon.load('claude', 'at-1');
    const response = await post('/v1/tokens/claude/rejections', body);
    expect([response.status, bodyOf(response).error]).toEqual([400, 'invalid_request']);
    expect(response.text).not.toContain('secret');
  });
});

describe('the refresh that an operator asks for', () => {
  test('starts one when less than half of the life remains', async () => {
    const { daemon, post } = await arrange();
    daemon.load('claude', 'at-1');
    daemon.advance(5 * HOUR_MS);
    const response = await post('/v1/credentials/claude/refresh');
    expect([response.status, bodyOf(response)]).toEqual([202, { credential: 'claude', outcome: 'refresh_started' }]);
  });

  test('is not needed while more than half remains, unless it is forced', async () => {
    const { daemon, post } = await arrange();
    daemon.load('claude', 'at-1');
    daemon.advance(MINUTE_MS);
    expect(bodyOf(await post('/v1/credentials/claude/refresh', { force: false })).outcome).toBe('not_needed');
    expect(daemon.count('claude', 'begin_attempt')).toBe(0);
    expect(bodyOf(await post('/v1/credentials/claude/refresh', { force: true })).outcome).toBe('refresh_started');
    expect(bodyOf(await post('/v1/credentials/claude/refresh', { force: true })).outcome).toBe('joined');
    expect(daemon.count('claude', 'begin_attempt')).toBe(1);
  });

  test('inside the floor is scheduled, with when', async () => {
    const { daemon, post } = await arrange();
    daemon.load('claude', 'at-1');
    daemon.advance(MINUTE_MS);
    await post('/v1/credentials/claude/refresh', { force: true });
    daemon.fail('claude');
    const body = bodyOf(await post('/v1/credentials/claude/refresh', { force: true }));
    expect(body).toEqual({
      credential: 'claude',
      outcome: 'scheduled',
      in_seconds: 10,
      at: '2026-11-22T12:01:10.000Z',
    });
  });
});

describe('descriptions', () => {
  test('A10: hold no token, in any of their forms', async () => {
    const { daemon, get } = await arrange();
    daemon.load('claude', 'at-secret');
    daemon.advance(MINUTE_MS);
    for (const path of ['/v1/credentials', '/v1/credentials/claude', '/v1/health/ready', '/v1/health/live']) {
      const response = await get(path);
      expect(response.status).toBe(200);
      expect(response.text).not.toContain('secret');
    }
  });

  test('of one credential say what comes next and why', async () => {
    const { daemon, get } = await arrange();
    daemon.load('claude', 'at-1', 2 * HOUR_MS);
    const body = bodyOf(await get('/v1/credentials/claude'));
    expect(body).toMatchObject({
      credential: 'claude',
      phase: 'fresh',
      status: 'usable',
      refreshable: true,
      generation: GENERATION,
      expires_at: '2026-11-22T14:00:00.000Z',
      next: { what: 'refresh', at: '2026-11-22T13:30:00.000Z', in_seconds: 5400 },
      failures: 0,
      remedy: null,
      fault: null,
    });
    expect(body.explanation).toEqual(expect.arrayContaining([expect.any(String)]));
  });

  test('of all credentials name the daemon that gives them', async () => {
    const { daemon, get } = await arrange();
    daemon.load('claude', 'at-1');
    daemon.load('mail', null);
    const body = bodyOf(await get('/v1/credentials'));
    expect(body).toMatchObject({
      daemon: { version: daemon.version, started_at: '2026-11-22T12:00:00.000Z' },
      credentials: [{ credential: 'claude' }, { credential: 'mail', status: 'none' }],
    });
  });
});

describe('reload', () => {
  test('says what changed', async () => {
    const { daemon, post } = await arrange();
    daemon.reloadResult = { ok: true, added: ['mail'], changed: [], removed: ['old'] };
    const response = await post('/v1/reload');
    expect([response.status, bodyOf(response)]).toEqual([200, { added: ['mail'], changed: [], removed: ['old'] }]);
  });

  test('of a configuration with problems is a 422 with all of them', async () => {
    const { daemon, post } = await arrange();
    daemon.reloadResult = { ok: false, problems: ['a: expected b, got c; do d'] };
    const response = await post('/v1/reload');
    expect([response.status, bodyOf(response)]).toMatchObject([
      422,
      { error: 'invalid_configuration', problems: ['a: expected b, got c; do d'] },
    ]);
  });
});

describe('health', () => {
  test('is live while it answers, whatever the credentials are like', async () => {
    const { daemon, get } = await arrange();
    daemon.load('claude', null);
    daemon.advance(MINUTE_MS);
    expect(bodyOf(await get('/v1/health/live'))).toEqual({
      status: 'live',
      version: daemon.version,
      uptime_seconds: 60,
      overdue_seconds: null,
    });
  });

  test('D4: is not live while its scheduler stands still, though it answers, and live again once that wakes up', async () => {
    const { daemon, get } = await arrange();
    daemon.load('claude', 'at-1');
    daemon.sleep(MINUTE_MS);
    expect((await get('/v1/health/live')).status).toBe(200);
    daemon.sleep(MINUTE_MS);
    const stalled = await get('/v1/health/live');
    expect([stalled.status, bodyOf(stalled)]).toEqual([
      503,
      { status: 'stalled', version: daemon.version, uptime_seconds: 120, overdue_seconds: 90 },
    ]);
    expect((await get('/v1/tokens/claude')).status).toBe(200);
    daemon.advance(0);
    expect((await get('/v1/health/live')).status).toBe(200);
  });

  test('is not ready while a credential that counts is unusable, and says which and why', async () => {
    const { daemon, get } = await arrange();
    daemon.load('claude', 'at-1');
    daemon.load('mail', null);
    const response = await get('/v1/health/ready');
    expect([response.status, bodyOf(response)]).toMatchObject([
      503,
      {
        ready: false,
        credentials: [
          { credential: 'claude', ready: true, reason: null },
          { credential: 'mail', ready: false, reason: expect.any(String) },
        ],
      },
    ]);
  });

  test('is ready without one that is optional', async () => {
    const { daemon, get } = await arrange();
    daemon.load('claude', 'at-1');
    daemon.add('spare', { optional: true });
    daemon.load('spare', null);
    const response = await get('/v1/health/ready');
    expect([response.status, bodyOf(response).ready]).toEqual([200, true]);
  });

  test('is not ready while a bug keeps a credential from being tended', async () => {
    const { daemon, get } = await arrange();
    daemon.load('claude', 'at-1');
    daemon.faults.claude = 'step_threw';
    const response = await get('/v1/health/ready');
    expect([response.status, bodyOf(response)]).toMatchObject([503, { credentials: [{ reason: 'step_threw' }] }]);
  });
});

describe('the OpenAPI document', () => {
  test('lists every call with what it takes and what it answers', async () => {
    const { get } = await arrange();
    const document = bodyOf(await get('/openapi.json')) as {
      paths: Record<string, Record<string, { responses: object; parameters?: { name: string }[] }>>;
      components: { schemas: object };
    };
    expect(Object.keys(document.paths)).toEqual([
      '/v1/tokens/{credential}',
      '/v1/tokens/{credential}/rejections',
      '/v1/credentials',
      '/v1/credentials/{credential}',
      '/v1/credentials/{credential}/refresh',
      '/v1/events',
      '/v1/reload',
      '/v1/health/live',
      '/v1/health/ready',
      '/metrics',
    ]);
    const read = document.paths['/v1/tokens/{credential}']?.get;
    expect(Object.keys(read?.responses ?? {})).toEqual(['200', '400', '403', '404', '409', '429', '503']);
    expect(read?.parameters?.map(({ name }) => name)).toEqual([
      'credential',
      'min_valid_seconds',
      'wait_seconds',
      'after_generation',
      'consumer',
    ]);
    for (const [, name] of JSON.stringify(document).matchAll(/#\/components\/schemas\/(\w+)/g)) {
      expect(document.components.schemas).toHaveProperty(name ?? '');
    }
  });

  test('describes each answer as it really is', async () => {
    const { daemon, get } = await arrange();
    daemon.load('claude', 'at-1', 2 * HOUR_MS);
    daemon.advance(90 * MINUTE_MS);
    daemon.fail('claude');
    await daemon.addChain('any', 'claude');
    const schemas = (bodyOf(await get('/openapi.json')) as { components: { schemas: Record<string, Shape> } })
      .components.schemas;
    const answers: [string, string][] = [
      ['/v1/tokens/any', 'Token'],
      ['/v1/credentials/claude', 'Credential'],
      ['/v1/credentials/any', 'Chain'],
      ['/v1/credentials', 'Credentials'],
      ['/v1/health/live', 'Live'],
      ['/v1/health/ready', 'Ready'],
    ];
    for (const [path, name] of answers) expectShape(bodyOf(await get(path)), schemas[name], name);
  });
});

interface Shape {
  readonly properties?: Record<string, Shape>;
  readonly items?: Shape;
}

/** The same members on both sides, all the way down. */
function expectShape(value: unknown, shape: Shape | undefined, path: string): void {
  if (Array.isArray(value)) {
    for (const item of value) expectShape(item, shape?.items, `${path}[]`);
  } else if (typeof value === 'object' && value !== null) {
    expect([path, Object.keys(value)]).toEqual([path, Object.keys(shape?.properties ?? {})]);
    for (const [key, member] of Object.entries(value)) expectShape(member, shape?.properties?.[key], `${path}.${key}`);
  }
}

test('docs/api.md shows every call with curl', () => {
  const text = readFileSync(new URL('../../docs/api.md', import.meta.url), 'utf8');
  const shown = [...text.matchAll(/^(?:TOKEN=\$\()?curl .*?(?:\\\n.*?)?http:\/\/localhost(\/[^'?\s)]*)/gm)].map(
    ([, path]) => path,
  );
  for (const { path } of ROUTES) expect(shown).toContain(path.replace(':credential', 'claude'));
  expect(shown).toContain('/openapi.json');
});

test('a call that does not exist is a 404 that names the document', async () => {
  const { get } = await arrange();
  const response = await get('/v2/anything');
  expect([response.status, bodyOf(response)]).toMatchObject([404, { error: 'not_found' }]);
});

test('a body is read as JSON whatever curl calls it, and junk is a 400', async () => {
  const { daemon, socketPath } = await arrange();
  daemon.load('claude', 'at-1');
  const { request } = await import('node:http');
  const send = (payload: string): Promise<number> =>
    new Promise((resolve, reject) => {
      const headers = { 'content-type': 'application/x-www-form-urlencoded', 'content-length': payload.length };
      request({ socketPath, method: 'POST', path: '/v1/tokens/claude/rejections', headers }, (response) => {
        response.resume();
        resolve(response.statusCode ?? 0);
      })
        .on('error', reject)
        .end(payload);
    });
  expect(await send('{"generation":1}')).toBe(202);
  expect(await send('{"generation":')).toBe(400);
  expect(await send('generation=1')).toBe(400);
  expect(await send('{"__proto__":{"a":1},"generation":1}')).toBe(400);
});
