/**
 * A connection to an authorization server: directly or through a proxy's tunnel, encrypted unless it is on this machine.
 *
 * Rule: no byte of a request passes here, so whatever fails here was surely not sent. That is why this is done by hand: a
 * library that connects and sends in one call cannot say which of the two failed.
 */
import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import { isIP, connect as netConnect, type Socket } from 'node:net';
import { connect as tlsConnect } from 'node:tls';
import { errnoOf } from '../port-error.ts';
import { type Limit, within } from './limit.ts';
import { NoAnswer } from './no-answer.ts';
import { bareHost, type Environment, type ProxyServer, portOf, proxyFor } from './proxy.ts';

export interface ConnectOptions {
  /** Where the proxy variables are looked up. */
  readonly environment: Environment;
  /** Certificates in PEM that are trusted instead of the built-in ones; null: those. */
  readonly ca: string | null;
  readonly limits: readonly Limit[];
}

/**
 * @returns a socket to which a request can be written; for https the server's certificate has been verified
 * @throws NoAnswer, never sent
 */
export async function connectTo(url: URL, options: ConnectOptions): Promise<Socket> {
  const proxy = url.protocol === 'https:' ? proxyFor(url, options.environment) : null;
  const host = bareHost(url.hostname);
  const stage = proxy === null ? `connect to ${url.host}` : `connect to ${url.host} through the proxy`;
  let socket: Socket | null = null;
  const take = (next: Socket): Socket => {
    // Whoever waits is told by a promise; an error when nobody waits any more must not end the process.
    socket = next.on('error', () => undefined);
    return next;
  };
  const end = () => socket?.destroy(new Error('ended'));
  return await within(options.limits, { isSent: false, end }, async () => {
    try {
      const first = take(netConnect(proxy === null ? { host, port: portOf(url) } : proxy));
      await established(first, 'connect');
      const way = proxy === null ? first : take(await tunnel(first, url, { proxy, ca: options.ca }));
      return url.protocol === 'https:' ? take(await encrypted(way, host, options.ca)) : way;
    } catch (error) {
      socket?.destroy();
      throw error instanceof NoAnswer ? error : connectFailure(error, stage);
    }
  });
}

/** RFC 9110 §9.3.6: asks the proxy for a tunnel; what comes back is as good as a direct connection. */
async function tunnel(direct: Socket, url: URL, to: { readonly proxy: ProxyServer; readonly ca: string | null }) {
  const { proxy, ca } = to;
  const socket = proxy.isSecure ? await encrypted(direct, proxy.host, ca) : direct;
  const authority = `${url.hostname}:${portOf(url)}`;
  const request = httpRequest({
    method: 'CONNECT',
    path: authority,
    headers: {
      host: authority,
      ...(proxy.authorization === null ? {} : { 'proxy-authorization': proxy.authorization }),
    },
    createConnection: () => socket,
  });
  const answered = new Promise<number>((resolve, reject) => {
    request.once('error', reject);
    request.once('response', (response) => resolve(response.statusCode ?? 0));
    request.once('connect', (response) => resolve(response.statusCode ?? 0));
  });
  request.end();
  const status = await answered;
  // RFC 9110 §9.3.6: any of them opens it.
  if (status >= 200 && status < 300) return socket;
  socket.destroy();
  const remedy = status === 407 ? 'put user and password into its address' : 'ask who runs it';
  throw unsent(`expected the proxy to open a tunnel to ${url.host}, got status ${status}; ${remedy}`, {
    code: status === 407 ? 'proxy_authentication_required' : 'proxy_refused',
  });
}

async function encrypted(socket: Socket, host: string, ca: string | null): Promise<Socket> {
  const secure = tlsConnect({
    socket,
    host,
    // RFC 6066 §3: a server name is never an address.
    ...(isIP(host) === 0 ? { servername: host } : {}),
    ...(ca === null ? {} : { ca }),
    minVersion: 'TLSv1.2',
  });
  try {
    await established(secure, 'secureConnect');
    return secure;
  } catch (error) {
    secure.destroy();
    if (error instanceof NoAnswer) throw error;
    const code = errnoOf(error) ?? 'no code';
    throw unsent(`expected an encrypted connection to ${host}, got ${code}; ${tlsRemedy(code)}`, {
      code: 'tls_failed',
    });
  }
}

/** Waits for the event; an end without an error, as a server makes that hangs up in a handshake, is one too. */
async function established(socket: Socket, event: 'connect' | 'secureConnect'): Promise<void> {
  const settled = new AbortController();
  const { signal } = settled;
  try {
    await Promise.race([
      once(socket, event, { signal }),
      once(socket, 'close', { signal }).then(() => {
        throw Object.assign(new Error('closed'), { code: 'ECONNRESET' });
      }),
    ]);
  } finally {
    settled.abort();
  }
}

function tlsRemedy(code: string): string {
  if (/CERT|SIGNATURE|ISSUER|ALTNAME/.test(code)) {
    return 'check the address, the clock and, for a private authority, "caFile"';
  }
  return 'see whether something between here and there breaks connections';
}

function connectFailure(error: unknown, stage: string): NoAnswer {
  const errno = errnoOf(error) ?? 'no errno';
  const code = CONNECT_CODES[errno] ?? 'connection_failed';
  return unsent(`could not ${stage} (${errno}); nothing was sent`, { code });
}

function unsent(message: string, { code }: { readonly code: string }): NoAnswer {
  return new NoAnswer(message, { code, isSent: false });
}

const CONNECT_CODES: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection_refused',
  ENOTFOUND: 'dns_failed',
  EAI_AGAIN: 'dns_failed',
  EHOSTUNREACH: 'no_route',
  ENETUNREACH: 'no_route',
  ENETDOWN: 'no_route',
  ETIMEDOUT: 'connect_timeout',
};
