/**
 * One request to an authorization server and its answer, with the one thing known that the in-doubt rule needs: was it sent?
 *
 * Rule: one connection for one exchange; redirects are never followed; an answer is kept whole or not at all, and a
 * document that is whole although its connection broke is an answer.
 */
import { request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import type { Socket } from 'node:net';
import { errnoOf } from '../port-error.ts';
import { connectTo } from './connect.ts';
import { unpack } from './content-coding.ts';
import { objectIn } from './json.ts';
import { type Limit, timeLimit, within } from './limit.ts';
import { NoAnswer } from './no-answer.ts';
import type { Environment } from './proxy.ts';

export interface ExchangeOptions {
  readonly environment: Environment;
  readonly ca: string | null;
  /** For name, route, tunnel and handshake. */
  readonly connectTimeoutMs: number;
  /** On the whole, over several exchanges where there are several. */
  readonly limits: readonly Limit[];
}

export interface OutgoingRequest {
  readonly method: 'GET' | 'POST';
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | null;
}

/** @throws NoAnswer */
export async function exchange(url: URL, outgoing: OutgoingRequest, options: ExchangeOptions): Promise<Response> {
  const { environment, ca, connectTimeoutMs, limits } = options;
  const expected = `expected a connection to ${url.host} within ${connectTimeoutMs} ms, got none; nothing was sent`;
  const connecting = [...limits, timeLimit(connectTimeoutMs, 'connect_timeout', expected)];
  const socket = await connectTo(url, { environment, ca, limits: connecting });
  try {
    return await within(limits, { isSent: true, end: () => socket.destroy(new Error('ended')) }, () =>
      send(socket, url, outgoing),
    );
  } finally {
    socket.destroy();
  }
}

async function send(socket: Socket, url: URL, { method, headers, body }: OutgoingRequest): Promise<Response> {
  const options: RequestOptions = {
    method,
    path: `${url.pathname}${url.search}`,
    headers: {
      ...headers,
      host: url.host,
      connection: 'close',
      'accept-encoding': 'identity',
      ...(body === null ? {} : { 'content-length': String(Buffer.byteLength(body)) }),
    },
    createConnection: () => socket,
  };
  try {
    const incoming = await new Promise<IncomingMessage>((resolve, reject) => {
      httpRequest(options, resolve).on('error', reject).end(body);
    });
    const answer = await bodyOf(incoming);
    // A body that only the end of its connection delimits looks whole when we have cut it off ourselves.
    if (socket.errored !== null && objectIn(answer) === null) throw socket.errored;
    return responseOf(incoming, answer);
  } catch (error) {
    if (error instanceof NoAnswer) throw error;
    const errno = errnoOf(error) ?? '';
    if (errno.startsWith('HPE_')) throw sent('malformed_answer', 'expected an HTTP answer, got something else');
    throw sent('connection_lost', `the connection to ${url.host} broke before the answer was whole (${errno})`);
  }
}

/** @throws NoAnswer, or the error of the connection when what came is no whole document */
async function bodyOf(incoming: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of incoming) {
      chunks.push(chunk);
      bytes += chunk.length;
      if (bytes > ANSWER_BYTES_MAX) throw sent('answer_too_large', 'expected a token response, got over 1 MiB');
    }
  } catch (error) {
    if (error instanceof NoAnswer) throw error;
    const text = textOf(chunks, incoming);
    // An object that closes is whole: a part of one never does.
    if (objectIn(text) !== null) return text;
    throw error;
  }
  return textOf(chunks, incoming);
}

/** @throws NoAnswer when it is far larger than it was on the way */
function textOf(chunks: readonly Buffer[], { headers }: IncomingMessage): string {
  const unpacked = unpack(Buffer.concat(chunks), headers['content-encoding'], ANSWER_BYTES_MAX);
  if (unpacked.kind === 'bytes') return unpacked.bytes.toString('utf8');
  throw sent('answer_too_large', 'expected a token response, got over 1 MiB');
}

function responseOf(incoming: IncomingMessage, body: string): Response {
  const status = incoming.statusCode ?? 0;
  if (status < 200 || status > 599) throw sent('malformed_answer', `expected an HTTP status, got ${status}`);
  const headers = new Headers();
  for (const [name, value] of Object.entries(incoming.headersDistinct)) {
    for (const each of value ?? []) headers.append(name, each);
  }
  return new Response(BODILESS.has(status) ? null : body, { status, headers });
}

function sent(code: string, message: string): NoAnswer {
  return new NoAnswer(message, { code, isSent: true });
}

// RFC 9110 §6.4.1: these have no body, and Response refuses one.
const BODILESS: ReadonlySet<number> = new Set([204, 205, 304]);

// As much as a script may print; the largest known token responses have some ten KiB.
const ANSWER_BYTES_MAX = 1024 * 1024;
