/** A native refresh against a real authorization server, and the small servers that get in its way. */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer as createHttpServer, type IncomingMessage } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { type AddressInfo, createServer, connect as netConnect, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import {
  type AuthorizationServer,
  type AuthorizationServerOptions,
  startAuthorizationServer,
} from '../../../scripts/demo-authorization-server.js';
import { createOauthRefresh, type OauthRefreshOptions } from '../../../src/adapters/refresh/oauth.ts';
import type { Failure } from '../../../src/core/failure.ts';
import type { TokenSet } from '../../../src/core/token.ts';
import type { RefreshOutcome } from '../../../src/daemon/ports.ts';
import { requestFor, STORED } from './running-script.ts';

export const SECRET = 'client-secret-31337';

export interface Native {
  /** One attempt with this refresh token. */
  run(refreshToken: string | null): Promise<RefreshOutcome>;
  cancel(): void;
  obstacle(): Promise<Failure | null>;
  readonly logged: { readonly event: string; readonly fields: Readonly<Record<string, unknown>> }[];
}

export function native(overrides: Partial<OauthRefreshOptions>): Native {
  const logged: Native['logged'] = [];
  const refresh = createOauthRefresh({
    issuer: null,
    tokenEndpoint: null,
    authorizationEndpoint: null,
    deviceAuthorizationEndpoint: null,
    clientId: 'mail',
    clientSecret: null,
    clientAuthentication: 'none',
    body: 'form',
    caFile: null,
    connectTimeoutMs: 10_000,
    environment: {},
    scope: null,
    parameters: {},
    timeoutMs: 20_000,
    rotates: true,
    now: Date.now,
    log: (_level, event, fields) => logged.push({ event, fields }),
    ...overrides,
  });
  return {
    logged,
    run: (refreshToken) => {
      const tokens: TokenSet = { ...STORED, refreshToken };
      return refresh.run({ ...requestFor('7'), tokens }, () => undefined);
    },
    cancel: () => refresh.cancel(7),
    obstacle: () => refresh.obstacle(),
  };
}

export async function authorizationServer(options: AuthorizationServerOptions = {}): Promise<AuthorizationServer> {
  const server = await startAuthorizationServer(options);
  onTestFinished(() => server.close());
  return server;
}

/** A server that speaks no HTTP of its own: each test says what it does with a connection. */
export async function rawServer(onConnection: (socket: Socket) => void, host = '127.0.0.1'): Promise<string> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket.on('error', () => undefined));
    onConnection(socket);
  });
  await listening(server, host);
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  return `http://${host.includes(':') ? `[${host}]` : host}:${(server.address() as AddressInfo).port}/token`;
}

/** Another address of this machine for what listens at 127.0.0.1. @returns its port */
export async function forwardFrom(host: string, target: number): Promise<number> {
  const place = await rawServer((socket) => {
    const upstream = netConnect(target, '127.0.0.1').on('error', () => socket.destroy());
    socket.once('close', () => upstream.destroy());
    socket.pipe(upstream).pipe(socket);
  }, host);
  return Number(new URL(place).port);
}

/** Answers every request with these bytes, once its body is whole, and hangs up. */
export function answering(bytes: string | Buffer): Promise<string> {
  return rawServer((socket) => {
    let seen = '';
    socket.on('data', (chunk) => {
      seen += chunk.toString('latin1');
      const [head = '', body] = seen.split('\r\n\r\n');
      const length = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0);
      if (body !== undefined && body.length >= length) socket.end(bytes);
    });
  });
}

/** A port of this machine on which nobody listens. */
export async function closedPort(): Promise<number> {
  const server = createServer();
  await listening(server);
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

export interface TunnelProxy {
  readonly port: number;
  /** Of each CONNECT. */
  readonly requests: { readonly authority: string; readonly authorization: string | undefined }[];
}

/** A proxy that opens tunnels, always to `target`; with `status` it refuses, `opened` is what it says else. */
export async function tunnelProxy(options: {
  readonly target: number;
  readonly status?: number;
  readonly opened?: string;
  readonly tls?: Certificate;
}): Promise<TunnelProxy> {
  const requests: TunnelProxy['requests'] = [];
  const sockets = new Set<Socket>();
  const proxy = options.tls === undefined ? createHttpServer() : createHttpsServer(options.tls);
  const server = proxy.on('connect', (request: IncomingMessage, socket: Socket, head: Buffer) => {
    requests.push({ authority: request.url ?? '', authorization: request.headers['proxy-authorization'] });
    sockets.add(socket.on('error', () => undefined));
    if (options.status !== undefined) {
      socket.end(`HTTP/1.1 ${options.status} No\r\ncontent-type: text/html\r\ncontent-length: 4\r\n\r\n<br>`);
      return;
    }
    const upstream = netConnect(options.target, '127.0.0.1', () => {
      socket.write(`HTTP/1.1 ${options.opened ?? '200 Connection established'}\r\n\r\n`);
      upstream.write(head);
      upstream.pipe(socket).pipe(upstream);
    });
    sockets.add(upstream.on('error', () => socket.destroy()));
  });
  await listening(server);
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  return { port: (server.address() as AddressInfo).port, requests };
}

async function listening(server: Server, host = '127.0.0.1'): Promise<void> {
  server.listen(0, host);
  await once(server, 'listening');
}

export interface Certificate {
  readonly key: string;
  readonly cert: string;
  readonly path: string;
}

/** A certificate that vouches for itself; null where there is no openssl. */
export function selfSigned(
  names: readonly string[] = ['IP:127.0.0.1', 'IP:::1', 'DNS:auth.test'],
  { isExpired = false } = {},
): Certificate | null {
  const directory = mkdtempSync(join(tmpdir(), 'freshd-ca-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const [keyPath, path] = [join(directory, 'key.pem'), join(directory, 'ca.pem')];
  const subject = ['-subj', '/CN=freshd test', '-addext', `subjectAltName=${names.join(',')}`];
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
  try {
    execFileSync('openssl', ['req', '-x509', ...kind, ...subject, '-keyout', keyPath, '-out', path], { stdio: 'pipe' });
    const again = ['x509', '-in', path, '-signkey', keyPath, '-days', '-1', '-out', path];
    if (isExpired) execFileSync('openssl', again, { stdio: 'pipe' });
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw error;
  }
  return { key: readFileSync(keyPath, 'utf8'), cert: readFileSync(path, 'utf8'), path };
}
