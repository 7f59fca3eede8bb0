/** Where the endpoints are, when only the issuer is configured: both kinds of documents, and servers that have one of them. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { native } from '../refresh/oauth-arrange.ts';
import { failureOf } from '../refresh/running-script.ts';

interface Page {
  readonly status?: number;
  readonly type?: string;
  readonly location?: string;
  readonly body?: string | object;
}

const HTML: Page = { type: 'text/html', body: '<html>' };

/** A server with these pages, and a token endpoint at /token. @returns what was asked for */
async function serverWith(pages: (url: string) => Readonly<Record<string, Page>>) {
  const asked: string[] = [];
  const server = createServer((request: IncomingMessage, response: ServerResponse) => {
    const path = request.url ?? '';
    asked.push(path);
    const found = path === '/token' ? { body: { access_token: 'at_1' } } : pages(url)[path];
    const { status = 200, type = 'application/json', location, body = '' }: Page = found ?? { status: 404 };
    response.writeHead(status, { 'content-type': type, ...(location === undefined ? {} : { location }) });
    request.resume().on('end', () => response.end(typeof body === 'string' ? body : JSON.stringify(body)));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { url, asked };
}

const OPENID = '/.well-known/openid-configuration';
const OAUTH = '/.well-known/oauth-authorization-server';

describe('a document', () => {
  test.each([
    ['of OpenID Connect', '', OPENID],
    ['of OpenID Connect below a path', '/tenant/one', `/tenant/one${OPENID}`],
    ['of RFC 8414', '', OAUTH],
    ['of RFC 8414, whose path comes last', '/tenant/one', `${OAUTH}/tenant/one`],
  ])('%s is found', async (_name, path, place) => {
    const { url, asked } = await serverWith((at) => ({
      [place]: { body: { issuer: `${at}${path}`, token_endpoint: `${at}/token` } },
    }));
    expect((await native({ issuer: `${url}${path}` }).run('rt')).kind).toBe('response');
    expect(asked.slice(-2)).toEqual([place, '/token']);
  });

  test.each<[string, Page]>([
    ['a page', HTML],
    ['a refusal', { status: 403, ...HTML }],
    ['a method not allowed', { status: 405 }],
    ['a redirect to a login', { status: 302, location: 'https://elsewhere.example/' }],
    ['JSON that is none', { body: { error: 'unknown' } }],
  ])('of RFC 8414 is found behind %s at the place of the other one', async (_name, page) => {
    const { url } = await serverWith((at) => ({
      [OPENID]: page,
      [OAUTH]: { body: { issuer: at, token_endpoint: `${at}/token` } },
    }));
    expect((await native({ issuer: url }).run('rt')).kind).toBe('response');
  });

  test.each(['text/plain', 'application/jrd+json; charset=utf-8', 'application/octet-stream'])(
    'counts by what is in it, although it comes as %s',
    async (type) => {
      const { url } = await serverWith((at) => ({
        [OPENID]: { type, body: { issuer: at, token_endpoint: `${at}/token` } },
      }));
      expect((await native({ issuer: url }).run('rt')).kind).toBe('response');
    },
  );

  test('of another issuer is a matter of configuration, also when the other place has none', async () => {
    const { url } = await serverWith(() => ({
      [OPENID]: { body: { issuer: 'https://other.example', token_endpoint: 'https://other.example/token' } },
    }));
    const failure = failureOf(await native({ issuer: url }).run('rt'));
    expect(failure).toMatchObject({ class: 'config', code: 'issuer_mismatch', unsent: true });
  });

  test('is not followed elsewhere, and its server is asked for no token', async () => {
    const other = await serverWith((at) => ({ [OPENID]: { body: { issuer: at, token_endpoint: `${at}/token` } } }));
    const { url, asked } = await serverWith(() => ({ [OPENID]: { status: 301, location: `${other.url}${OPENID}` } }));
    const failure = failureOf(await native({ issuer: url }).run('rt'));
    expect(failure).toMatchObject({ class: 'transient', code: 'discovery_failed', unsent: true, doubt: false });
    expect([asked, other.asked]).toEqual([[OPENID, OAUTH], []]);
  });

  test('is not asked for where the endpoint is given', async () => {
    const { url, asked } = await serverWith(() => ({}));
    expect((await native({ issuer: url, tokenEndpoint: `${url}/token` }).run('rt')).kind).toBe('response');
    expect(asked).toEqual(['/token']);
  });

  test.each([
    ['a number', 7],
    ['nothing', undefined],
    ['another scheme', 'ftp://127.0.0.1/token'],
  ])('whose endpoint is %s is a matter of configuration', async (_name, token_endpoint) => {
    const { url } = await serverWith((at) => ({ [OPENID]: { body: { issuer: at, token_endpoint } } }));
    const failure = failureOf(await native({ issuer: url }).run('rt'));
    expect(failure).toMatchObject({ class: 'config', unsent: true, doubt: false });
  });
});
