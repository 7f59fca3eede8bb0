/**
 * Marked secrets, how they are found again, and the servers of others that are given some of them.
 *
 * Rule: a server records what it was told without the secrets that are its own; whatever mark is left belongs to somebody else.
 */
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';

/** Every secret begins with it. Signs that URLs encode, and letters enough to be unlikely in any other text. */
export const MARK = 'c4n4ry+T0k3n/';
export const secret = (name: string) => `${MARK}${name}-${'0123456789abcdef'.repeat(2)}`;

/** How the mark can look. Of base64 only what does not depend on what stands before and after it. */
const SHAPES = [
  MARK.slice(0, 8),
  encodeURIComponent(MARK).slice(0, 10),
  Buffer.from(MARK.slice(0, 8)).toString('hex'),
  ...[0, 1, 2].flatMap((offset) => {
    const text = Buffer.from('x'.repeat(offset) + MARK).toString('base64');
    const stable = text.slice(offset === 0 ? 0 : offset + 1, -4).slice(0, 11);
    return [stable, stable.replaceAll('+', '-').replaceAll('/', '_')];
  }),
];
export const leaks = (text: string) => SHAPES.some((shape) => text.includes(shape));

export interface Notifiers {
  /** Of a sink: an address with a secret in its path. */
  url(type: string): string;
  readonly origin: string;
  /** What each sink was told, by its type, headers too. */
  readonly told: ReadonlyMap<string, readonly string[]>;
}

/** All services of notification in one: the first part of the path says which. */
export async function startNotifiers(): Promise<Notifiers> {
  const told = new Map<string, string[]>();
  const origin = await serve(({ url, headers, body }) => {
    const type = url.split('/')[1] ?? '';
    let text = `${JSON.stringify(headers)} ${body}`;
    for (const own of OWN[type] ?? []) text = text.replaceAll(own, '').replaceAll(encodeURIComponent(own), '');
    told.set(type, [...(told.get(type) ?? []), text]);
    return { status: 200, body: {} };
  });
  return { url: (type) => `${origin}/${type}/${encodeURIComponent(secret('path'))}`, origin, told };
}

/** What a service is told beside its address, so that it knows whom it serves. */
const OWN: Readonly<Record<string, readonly string[]>> = {
  ntfy: [secret('topic'), secret('ntfy')],
  sentry: [secret('dsn')],
};

/** Logs in by the device flow: refuses the first who asks, with a secret in what it says, and every refresh. */
export async function startAuthorization(): Promise<{ readonly origin: string }> {
  let asked = 0;
  const origin = await serve(({ url, body }) => {
    const lives = { expires_in: 600, interval: 1 };
    if (url === '/device') {
      return {
        status: 200,
        body: { device_code: secret('device'), user_code: 'ABCD', verification_uri: origin, ...lives },
      };
    }
    if (!body.includes('device_code')) return { status: 503, body: { error_description: body } };
    asked += 1;
    if (asked === 1) return { status: 400, body: { error: 'access_denied', error_description: secret('described') } };
    const tokens = { access_token: secret('mine-a'), refresh_token: secret('mine-r') };
    return { status: 200, body: { ...tokens, token_type: 'Bearer', expires_in: 3_600 } };
  });
  return { origin };
}

interface Told extends Pick<IncomingMessage, 'headers'> {
  readonly url: string;
  readonly body: string;
}

async function serve(answer: (told: Told) => { readonly status: number; readonly body: object }): Promise<string> {
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    const reply = answer({ url: request.url ?? '', headers: request.headers, body });
    response.writeHead(reply.status, { 'Content-Type': 'application/json' }).end(JSON.stringify(reply.body));
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  onTestFinished(() => void server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
