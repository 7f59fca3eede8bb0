/**
 * One HTTP request over the daemon's Unix socket.
 *
 * Rule: no retries and no opinion about statuses; a failure to get an answer is a TransportError. On `node:net`, because
 * `node:http` costs a short command a third of its time: asked in HTTP/1.0, a server answers unchunked and closes, so that
 * an answer is a head, an empty line, and the rest.
 */
import { connect } from 'node:net';

export interface TransportRequest {
  readonly socketPath: string;
  readonly method: 'GET' | 'POST';
  readonly path: string;
  /** Sent as JSON. */
  readonly body?: object;
  readonly accept?: 'application/json' | 'text/plain';
  /** For the whole exchange. */
  readonly timeoutMs: number;
  /** Aborting it ends the exchange at once, as `cancelled`. */
  readonly signal?: AbortSignal;
  /** Does not keep the process alive. */
  readonly isBackground?: boolean;
}

export interface TransportResponse {
  readonly status: number;
  /** By lower-case name. */
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
}

/** `no_daemon`: nobody listens there, or there is no socket. */
export type TransportErrorCode =
  | 'no_daemon'
  | 'permission_denied'
  | 'timeout'
  | 'cancelled'
  | 'answer_too_large'
  | 'broken';

export class TransportError extends Error {
  override readonly name = 'TransportError';
  readonly code: TransportErrorCode;
  constructor(message: string, options: { code: TransportErrorCode; cause?: unknown }) {
    super(message, { cause: options.cause });
    this.code = options.code;
  }
}

/**
 * Sends one request and reads the whole answer.
 * @throws TransportError; the promise settles within `timeoutMs`
 */
export function request(options: TransportRequest): Promise<TransportResponse> {
  const { socketPath, timeoutMs, signal, isBackground = false } = options;
  return new Promise((resolve, reject) => {
    const socket = connect(socketPath);
    const settle = (act: () => void): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', cancel);
      socket.destroy();
      act();
    };
    const fail = (message: string, code: TransportErrorCode, cause?: unknown): void =>
      settle(() => reject(new TransportError(message, { code, cause })));
    const timer = setTimeout(
      () => fail(`no answer from ${socketPath} within ${timeoutMs / 1000} s`, 'timeout'),
      timeoutMs,
    );
    if (isBackground) {
      socket.unref();
      timer.unref();
    }
    const cancel = (): void => fail('the caller wanted no answer any more', 'cancelled');
    if (signal?.aborted) return cancel();
    signal?.addEventListener('abort', cancel);

    const chunks: Buffer[] = [];
    let bytes = 0;
    socket.on('data', (chunk) => {
      bytes += chunk.length;
      if (bytes <= ANSWER_BYTES_MAX) chunks.push(chunk);
      else fail('the answer is larger than any the daemon gives', 'answer_too_large');
    });
    socket.on('end', () => {
      const response = parseResponse(Buffer.concat(chunks));
      if (response === null) fail(`the answer from ${socketPath} broke off, or is not HTTP`, 'broken');
      else settle(() => resolve(response));
    });
    socket.on('error', (error: Error & { code?: string }) => {
      // A refusal may be on its way before the request was taken in whole; it says more than a broken pipe.
      const response = parseResponse(Buffer.concat(chunks));
      settle(() => (response === null ? reject(transportTrouble(error, socketPath)) : resolve(response)));
    });
    socket.write(requestText(options));
  });
}

function requestText({ method, path, body, accept = 'application/json' }: TransportRequest): string {
  const payload = body === undefined ? '' : JSON.stringify(body);
  const head = [`${method} ${path} HTTP/1.0`, `Accept: ${accept}`];
  if (payload !== '') head.push('Content-Type: application/json', `Content-Length: ${Buffer.byteLength(payload)}`);
  return `${head.join('\r\n')}\r\n\r\n${payload}`;
}

/** @returns null for what is no HTTP answer, or not a whole one */
export function parseResponse(answer: Buffer): TransportResponse | null {
  const headEnd = answer.indexOf('\r\n\r\n');
  if (headEnd === -1) return null;
  const [statusLine = '', ...lines] = answer.toString('latin1', 0, headEnd).split('\r\n');
  const status = /^HTTP\/1\.[01] (\d{3})/.exec(statusLine)?.[1];
  if (status === undefined) return null;
  const headers: Record<string, string> = {};
  for (const line of lines) {
    const colon = line.indexOf(':');
    headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim();
  }
  const body = answer.subarray(headEnd + 4);
  if (Number(headers['content-length'] ?? body.length) !== body.length) return null;
  return { status: Number(status), headers, text: body.toString('utf8') };
}

/** What an error of the connection means. */
export function transportTrouble(error: Error & { code?: string }, socketPath: string): TransportError {
  const [message, code] = troubleOf(error.code ?? error.message, socketPath);
  return new TransportError(message, { code, cause: error });
}

function troubleOf(code: string, socketPath: string): [message: string, code: TransportErrorCode] {
  switch (code) {
    case 'ENOENT':
    case 'ENOTDIR':
    case 'ECONNREFUSED':
      return [`nobody listens on ${socketPath}`, 'no_daemon'];
    case 'EACCES':
    case 'EPERM':
      return [`this user may not open ${socketPath}`, 'permission_denied'];
    default:
      return [`the connection to ${socketPath} broke (${code})`, 'broken'];
  }
}

/** Ten thousand credentials described at about a kilobyte each come to 10 MB. */
const ANSWER_BYTES_MAX = 64 * 1024 * 1024;
