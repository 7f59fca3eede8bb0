import type { ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import type { TokenBody } from '../../src/api/protocol.ts';
import { createAsking } from '../../src/client/asking.ts';
import { type FetchParts, fetchWithToken } from '../../src/client/fetch.ts';
import { createHoldings } from '../../src/client/holdings.ts';
import { FreshdError } from '../../src/index.ts';
import { until } from '../api/arrange.ts';
import { HOUR_MS, MINUTE_MS, START_MS } from '../api/fake-daemon.ts';
import { arrangeClient, connectTo, heard, LONG_MS, startResource } from './arrange.ts';

const GENERATION = START_MS / 1000 + 1;

/** A server that has had enough of the first token and takes the second. */
async function arrangeExpired(tokens?: Record<string, string>) {
  const arranged = await arrangeClient(tokens);
  return { ...arranged, resource: await startResource(['at-2']) };
}

const tokenBody = (accessToken: string): TokenBody => ({
  credential: 'claude',
  access_token: accessToken,
  token_type: 'Bearer',
  scheme: 'bearer',
  expires_in: 3600,
  expires_at: new Date(START_MS + HOUR_MS).toISOString(),
  generation: 1,
  refreshable: true,
  durable: true,
});

describe('client.fetch', () => {
  test('puts the token into the header, beside what the caller put there', async () => {
    const { client } = await arrangeClient();
    const resource = await startResource(['at-1']);
    const response = await client.fetch('claude', resource.url, { method: 'POST', body: 'x', headers: { 'x-a': 'b' } });
    expect([response.status, await response.text()]).toEqual([200, 'ok']);
    expect(resource.seen).toEqual([{ token: 'at-1', status: 200, body: 'x' }]);
  });

  test('A6, B2: a 401 is reported at once, and the request sent once more with the new token', async () => {
    const { daemon, client, resource } = await arrangeExpired();
    const fetching = client.fetch('claude', resource.url, { method: 'POST', body: 'job 7' });
    await until(() => daemon.count('claude', 'begin_attempt') === 1);
    daemon.succeed('claude', 'at-2', LONG_MS);
    expect((await fetching).status).toBe(200);
    expect(resource.seen).toEqual([
      { token: 'at-1', status: 401, body: 'job 7' },
      { token: 'at-2', status: 200, body: 'job 7' },
    ]);
    expect(daemon.events.filter(({ event }) => event.type === 'rejection_reported')).toMatchObject([
      { credential: 'claude', event: { generation: GENERATION, peer: 'test' } },
    ]);
  });

  test('A6: of which the refusal breaks off while the next token is on its way is answered all the same', async () => {
    const { daemon, client } = await arrangeClient();
    const [resource, witness] = [
      await startResource(['at-2'], (response) => void refuse(response)),
      await startResource([]),
    ];
    const refuse = async (response: ServerResponse) => {
      response.writeHead(401, { 'content-length': '1000' }).write('{"error":');
      await until(() => daemon.count('claude', 'begin_attempt') === 1);
      response.destroy();
      // Whoever has this answer has had the break before.
      await fetch(witness.url);
      daemon.succeed('claude', 'at-2', LONG_MS);
    };
    expect((await client.fetch('claude', resource.url)).status).toBe(200);
    expect(resource.seen.map(({ token }) => token)).toEqual(['at-1', 'at-2']);
  });

  test('F68: a 401 of another host, to which the token was not taken along, is no word about it', async () => {
    const { daemon, client } = await arrangeClient();
    const other = await startResource([]);
    const resource = await startResource([], (response) => response.writeHead(302, { location: other.url }).end());
    expect((await client.fetch('claude', resource.url)).status).toBe(401);
    expect(other.seen.map(({ token }) => token)).toEqual(['']);
    expect(daemon.events.filter(({ event }) => event.type === 'rejection_reported')).toEqual([]);
  });

  test('is never sent a third time, whatever the second answer', async () => {
    const { daemon, client } = await arrangeExpired();
    const resource = await startResource([]);
    const fetching = client.fetch('claude', resource.url);
    await until(() => daemon.count('claude', 'begin_attempt') === 1);
    daemon.succeed('claude', 'at-2', LONG_MS);
    expect((await fetching).status).toBe(401);
    expect(resource.seen.map(({ token }) => token)).toEqual(['at-1', 'at-2']);
  });

  test('B3: a hundred 401s of one process are one report, one refresh, and a hundred answers', async () => {
    const { daemon, client, resource } = await arrangeExpired();
    const fetching = Array.from({ length: 100 }, () => client.fetch('claude', resource.url));
    await until(() => resource.seen.length === 100);
    await until(() => daemon.count('claude', 'begin_attempt') === 1);
    daemon.succeed('claude', 'at-2', LONG_MS);
    expect(new Set((await Promise.all(fetching)).map(({ status }) => status))).toEqual(new Set([200]));
    expect(daemon.count('claude', 'begin_attempt')).toBe(1);
    expect(daemon.events.filter(({ event }) => event.type === 'rejection_reported').length).toBeLessThan(100);
  });

  test('B3: whoever comes while a refused token is being replaced waits for the new one', async () => {
    const { daemon, client, resource } = await arrangeExpired();
    daemon.dispatch('claude', { type: 'rejection_reported', generation: GENERATION, peer: 'another' });
    await heard(client, 'phase', ({ rejectionPending }) => rejectionPending);
    const fetching = client.fetch('claude', resource.url);
    daemon.succeed('claude', 'at-2', LONG_MS);
    expect((await fetching).status).toBe(200);
    expect(resource.seen.map(({ token }) => token)).toEqual(['at-2']);
  });

  test('with a stream as body is not sent again, but the refusal is reported', async () => {
    const { daemon, client, resource } = await arrangeExpired();
    const body = Readable.toWeb(Readable.from(['a', 'b'])) as ReadableStream;
    const response = await client.fetch('claude', resource.url, {
      method: 'POST',
      body,
      duplex: 'half',
    } as RequestInit);
    expect(response.status).toBe(401);
    expect(daemon.count('claude', 'begin_attempt')).toBe(1);
    expect(resource.seen).toEqual([{ token: 'at-1', status: 401, body: 'ab' }]);
  });

  test('of a Request: its body is a stream; without one it is sent again', async () => {
    const { daemon, client, resource } = await arrangeExpired();
    const withBody = new Request(resource.url, { method: 'POST', body: 'text' });
    expect((await client.fetch('claude', withBody)).status).toBe(401);
    const without = client.fetch('claude', new Request(resource.url, { headers: { 'x-a': 'b' } }));
    daemon.succeed('claude', 'at-2', LONG_MS);
    expect((await without).status).toBe(200);
  });

  test.each([
    ['text', 'abc'],
    ['bytes', new TextEncoder().encode('abc')],
    ['a buffer', new TextEncoder().encode('abc').buffer],
    ['a blob', new Blob(['abc'])],
    ['parameters', new URLSearchParams({ a: 'b' })],
    ['a form', formOf('a', 'b')],
  ])('sends %s again, whole', async (_, body) => {
    const { daemon, client, resource } = await arrangeExpired();
    const fetching = client.fetch('claude', resource.url, {
      method: 'PUT',
      body: body as NonNullable<RequestInit['body']>,
    });
    await until(() => daemon.count('claude', 'begin_attempt') === 1);
    daemon.succeed('claude', 'at-2', LONG_MS);
    expect((await fetching).status).toBe(200);
    const [first, second] = resource.seen.map((seen) => seen.body.replaceAll(/-{4}[-\w]+/g, 'boundary'));
    expect(first).not.toBe('');
    expect(second).toBe(first);
  });

  test.each([400, 402, 404, 429, 500, 503])('gives a %i back as it is, and reports nothing', async (status) => {
    const { daemon, client } = await arrangeClient();
    const resource = await startResource([], (response) => response.writeHead(status).end('no'));
    const response = await client.fetch('claude', resource.url);
    expect([response.status, await response.text(), resource.seen.length]).toEqual([status, 'no', 1]);
    expect(daemon.events.filter(({ event }) => event.type === 'rejection_reported')).toEqual([]);
  });

  test('B1: gives a 403 back whole, and refreshes only where a provider refuses tokens that way', async () => {
    const { daemon, client } = await arrangeClient();
    let body: object = { error: { code: 'permission_denied', message: 'not in this organisation, code 401' } };
    const resource = await startResource(['at-2'], (response) => {
      response.writeHead(403, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    });
    const refused = await client.fetch('claude', resource.url);
    expect([refused.status, await refused.json()]).toEqual([403, body]);
    expect(daemon.count('claude', 'begin_attempt')).toBe(0);
    body = { code: 'unauthenticated:bad-credentials', error: 'The token could not be validated.' };
    const fetching = client.fetch('claude', resource.url);
    await until(() => daemon.count('claude', 'begin_attempt') === 1);
    daemon.succeed('claude', 'at-2', LONG_MS);
    expect((await fetching).status).toBe(200);
  });

  test('a 403 of which the body breaks off is the caller’s, with the break', async () => {
    const { client } = await arrangeClient();
    const resource = await startResource([], (response) => {
      response.writeHead(403, { 'content-type': 'application/json', 'content-length': '1000' });
      response.write('{"error":', () => response.destroy());
    });
    const response = await client.fetch('claude', resource.url);
    expect(response.status).toBe(403);
    await expect(response.text()).rejects.toThrow();
  });

  test('a 403 of which the body does not end is the caller’s when its time is over, with all that comes', async () => {
    const resource = await startResource([], (response) => {
      response.writeHead(403, { 'content-type': 'application/json' });
      response.write('{"error":');
      // The rest comes once the caller has the answer.
      finish = () => response.end('"late"}');
    });
    let finish = (): void => undefined;
    const holdings = createHoldings(() => START_MS);
    holdings.takeToken(tokenBody('at-1'));
    const limits: number[] = [];
    const parts: FetchParts = {
      holdings,
      asking: createAsking({ places: () => [], consumer: 'test' }),
      waitForToken: () => Promise.reject(new Error('nobody waits')),
      connections: () => 0,
      take: () => undefined,
      runtime: {
        nowMs: () => START_MS,
        after(delayMs, run) {
          limits.push(delayMs);
          setImmediate(run);
          return { cancel: () => undefined, ref: () => undefined, unref: () => undefined };
        },
      },
    };
    const response = await fetchWithToken(parts, { name: 'claude', input: resource.url, init: {} }, {});
    expect([response.status, limits]).toEqual([403, [5_000]]);
    finish();
    expect(await response.text()).toBe('{"error":"late"}');
  });

  test('a 403 of two megabytes is the caller’s, whole', async () => {
    const { client } = await arrangeClient();
    const text = JSON.stringify({ error: 'x'.repeat(2_000_000) });
    const resource = await startResource([], (response) => {
      response.writeHead(403, { 'content-type': 'application/json' }).end(text);
    });
    const response = await client.fetch('claude', resource.url);
    expect((await response.text()).length).toBe(text.length);
  });

  test('gives the refusal back when the time is up, also where the daemon takes the report and says nothing', async () => {
    const resource = await startResource([]);
    const holdings = createHoldings(() => START_MS);
    holdings.takeToken(tokenBody('at-1'));
    let elapsedMs = 0;
    const waits: (number | undefined)[] = [];
    const parts: FetchParts = {
      holdings,
      asking: { ...createAsking({ places: () => [], consumer: 'test' }), report: () => new Promise(() => undefined) },
      waitForToken(name, { timeoutMs }) {
        waits.push(timeoutMs);
        return Promise.reject(new FreshdError(`no token of ${name}`, { code: 'timeout' }));
      },
      connections: () => 0,
      take: () => undefined,
      runtime: {
        nowMs: () => elapsedMs,
        after(delayMs, run) {
          elapsedMs += delayMs;
          setImmediate(run);
          return { cancel: () => undefined, ref: () => undefined, unref: () => undefined };
        },
      },
    };
    const response = await fetchWithToken(parts, { name: 'claude', input: resource.url, init: {} }, { waitMs: 7_000 });
    expect([response.status, waits]).toEqual([401, [0]]);
  });

  test('F68: refused again and again by its own fault reports no more than it asks, and others keep their token', async () => {
    const { daemon, client } = await arrangeExpired();
    const resource = await startResource([]);
    const first = client.fetch('claude', resource.url);
    await until(() => daemon.count('claude', 'begin_attempt') === 1);
    daemon.succeed('claude', 'at-2', LONG_MS);
    await first;
    for (let call = 0; call < 5; call += 1) expect((await client.fetch('claude', resource.url)).status).toBe(401);
    expect(daemon.count('claude', 'begin_attempt')).toBe(1);
    expect(client.token('claude').accessToken).toBe('at-2');
  });

  test('F69: one false 401 while no refresh works gives the answer back, and the token is used again', async () => {
    const { daemon, client } = await arrangeClient();
    const resource = await startResource([]);
    const fetching = client.fetch('claude', resource.url, {}, { waitMs: 200 });
    await until(() => daemon.count('claude', 'begin_attempt') === 1);
    daemon.fail('claude');
    expect((await fetching).status).toBe(401);
    resource.good.add('at-1');
    expect((await client.fetch('claude', resource.url)).status).toBe(200);
  });

  test('E5: is not even sent while a person must act and there is no token', async () => {
    const { daemon, socketPath } = await arrangeClient();
    daemon.load('dead', 'dt-1', HOUR_MS);
    daemon.advance(50 * MINUTE_MS);
    daemon.fail('dead', { code: 'invalid_grant', class: 'terminal' });
    daemon.advance(HOUR_MS);
    const client = await connectTo(socketPath);
    const resource = await startResource([]);
    await expect(client.fetch('dead', resource.url)).rejects.toMatchObject({ code: 'reauthorization_required' });
    expect(resource.seen).toEqual([]);
  });

  test('goes on with the last token while the daemon is away', async () => {
    const { client, server } = await arrangeClient();
    const resource = await startResource(['at-1']);
    const disconnected = heard(client, 'disconnected');
    await server.close();
    await disconnected;
    expect((await client.fetch('claude', resource.url)).status).toBe(200);
    resource.good.clear();
    expect((await client.fetch('claude', resource.url, {}, { waitMs: 50 })).status).toBe(401);
  });

  test('ends when its signal says so, also while it waits for a token', async () => {
    const { daemon, client, resource } = await arrangeExpired();
    const aborting = new AbortController();
    const fetching = client.fetch('claude', resource.url, { signal: aborting.signal });
    await until(() => daemon.count('claude', 'begin_attempt') === 1);
    aborting.abort(new Error('enough'));
    daemon.fail('claude');
    await expect(fetching).rejects.toThrow('enough');
  });
});

function formOf(name: string, value: string): FormData {
  const form = new FormData();
  form.set(name, value);
  return form;
}
