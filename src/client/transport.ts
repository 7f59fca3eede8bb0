/**
 * One HTTP request over the daemon's Unix socket.
 *
 * Rule: nothing but `node:http`, no retries, no opinion about statuses; a failure to get an answer is a TransportError.
 */
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';

export interface TransportRequest {
  readonly socketPath: string;
  readonly method: 'GET' | 'POST';
  readonly path: string;
  /** Sent as JSON. */
  readonly body?: object;
  readonly accept?: 'application/json' | 'text/plain';
  /** For the whole exchange. */
  readonly timeoutMs: number;
}

export interface TransportResponse {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

/** `no_daemon`: nobody listens there, or there is no socket. */
export type TransportErrorCode = 'no_daemon' | 'permission_denied' | 'timeout' | 'answer_too_large' | 'broken';

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
  const { socketPath, method, path, body, accept = 'application/json', timeoutMs } = options;
  const payload = body === undefined ? null : JSON.stringify(body);
  return new Promise((resolve, reject) => {
    const outgoing = httpRequest({
      socketPath,
      method,
      path,
      agent: false,
      headers: {
        accept,
        connection: 'close',
        ...(payload === null
          ? {}
          : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(payload) }),
      },
    });
    const timer = setTimeout(() => {
      fail(new TransportError(`no answer from ${socketPath} within ${timeoutMs / 1000} s`, { code: 'timeout' }));
    }, timeoutMs);
    const fail = (error: TransportError): void => {
      clearTimeout(timer);
      outgoing.destroy();
      reject(error);
    };
    outgoing.on('error', (error) => fail(asTransportError(error, socketPath)));
    outgoing.on('response', (incoming) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      incoming.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes <= ANSWER_BYTES_MAX) chunks.push(chunk);
        else fail(new TransportError('the answer is larger than any the daemon gives', { code: 'answer_too_large' }));
      });
      incoming.on('error', (error) => fail(asTransportError(error, socketPath)));
      incoming.on('end', () => {
        clearTimeout(timer);
        const text = Buffer.concat(chunks).toString('utf8');
        resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, text });
      });
    });
    outgoing.end(payload ?? undefined);
  });
}

function asTransportError(error: Error & { code?: string }, socketPath: string): TransportError {
  switch (error.code) {
    case 'ENOENT':
    case 'ENOTDIR':
    case 'ECONNREFUSED':
      return new TransportError(`nobody listens on ${socketPath}`, { code: 'no_daemon', cause: error });
    case 'EACCES':
    case 'EPERM':
      return new TransportError(`this user may not open ${socketPath}`, { code: 'permission_denied', cause: error });
    default:
      return new TransportError(`the connection to ${socketPath} broke (${error.code ?? error.message})`, {
        code: 'broken',
        cause: error,
      });
  }
}

/** Ten thousand credentials described at about a kilobyte each come to 10 MB. */
const ANSWER_BYTES_MAX = 64 * 1024 * 1024;
