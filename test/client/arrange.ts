/** A client of the library on a real socket, over the real API and a fake daemon; and a server that looks at tokens. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';
import { type Client, type ConnectOptions, connect } from '../../src/index.ts';
import { type Arranged, arrange } from '../api/arrange.ts';
import { MINUTE_MS } from '../api/fake-daemon.ts';

/** The fake daemon's clock stands still in 2026; tokens must outlive the real one, which the client looks at. */
export const LONG_MS = 100 * 365 * 24 * 3_600_000;

export interface ArrangedClient extends Arranged {
  readonly client: Client;
}

export async function connectTo(socketPath: string, options: ConnectOptions = {}): Promise<Client> {
  const client = await connect({ socketPath, consumer: 'test', ...options });
  onTestFinished(() => client.close());
  return client;
}

/** @param tokens by credential */
export async function arrangeClient(
  tokens: Readonly<Record<string, string>> = { claude: 'at-1' },
  options: ConnectOptions = {},
): Promise<ArrangedClient> {
  const arranged = await arrange();
  for (const [name, token] of Object.entries(tokens)) arranged.daemon.load(name, token, LONG_MS);
  arranged.daemon.advance(2 * MINUTE_MS);
  return { ...arranged, client: await connectTo(arranged.socketPath, options) };
}

/** A refresh that an operator asked for. */
export function refresh({ daemon }: Pick<Arranged, 'daemon'>, credential: string, accessToken: string): void {
  daemon.advance(MINUTE_MS);
  daemon.dispatch(credential, { type: 'refresh_requested', cause: 'operator', force: true });
  daemon.succeed(credential, accessToken, LONG_MS);
}

/** Resolves with the first detail of that event for which this holds. */
export function heard<Name extends 'token' | 'phase' | 'chain' | 'alert' | 'connected' | 'disconnected'>(
  client: Client,
  event: Name,
  isWanted: (detail: Parameters<Parameters<typeof client.on<Name>>[1]>[0]) => boolean = () => true,
): Promise<Parameters<Parameters<typeof client.on<Name>>[1]>[0]> {
  return new Promise((resolve) => {
    const stop = client.on(event, (detail) => {
      if (!isWanted(detail)) return;
      stop();
      resolve(detail);
    });
  });
}

export interface Resource {
  readonly url: string;
  /** Tokens that are let in. */
  readonly good: Set<string>;
  /** Of every request: the token, and the status of the answer. */
  readonly seen: { token: string; status: number; body: string }[];
}

/** Answers 200 to good tokens, 401 to others, or as told. */
export async function startResource(
  good: readonly string[],
  refuse: (response: ServerResponse, request: IncomingMessage) => void = (response) => response.writeHead(401).end(),
): Promise<Resource> {
  const resource = { url: '', good: new Set(good), seen: [] as Resource['seen'] };
  const server = createServer((request, response) => {
    const token = request.headers.authorization?.replace(/^Bearer /, '') ?? '';
    let body = '';
    request.setEncoding('utf8').on('data', (text: string) => {
      body += text;
    });
    request.on('end', () => {
      if (resource.good.has(token)) response.end('ok');
      else refuse(response, request);
      resource.seen.push({ token, status: response.statusCode, body });
    });
  });
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  resource.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  return resource;
}
