/**
 * One HTTP server with limits on all that a client can do, and a bounded end.
 *
 * Rule: a client that sends nothing, half, too much or junk costs one connection for a limited time and nothing else.
 */
import { readFileSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { Socket } from 'node:net';
import { codeOf } from './socket-file.ts';
import type { Timers } from './timers.ts';

export interface ConnectionLimits {
  readonly headerBytesMax: number;
  readonly headersMs: number;
  readonly requestMs: number;
  readonly idleMs: number;
  readonly checkIntervalMs: number;
  readonly connectionsMax: number;
  readonly readerUnitsMax: number;
}

export const CONNECTION_LIMITS: ConnectionLimits = {
  // Our longest path and a few headers need a tenth of it.
  headerBytesMax: 8 * 1024,
  // A local client writes its request at once; ten seconds forgive a machine that is busy. Counts from the connection on.
  headersMs: 10_000,
  // The whole request, body included; the answer may take longer, since a reader may wait.
  requestMs: 30_000,
  // A consumer that reads once a minute keeps its connection.
  idleMs: 75_000,
  // How late the limits above may strike.
  checkIntervalMs: 5_000,
  // Far above what one machine's consumers need, well below the descriptors that a service has.
  connectionsMax: 6_000,
  // A fleet that starts: two million reads at once, or twenty thousand other calls. See throttle.ts.
  readerUnitsMax: 2_000_000,
};

export function createLimitedServer(handle: RequestListener, limits: ConnectionLimits): Server {
  const server = createServer(
    {
      maxHeaderSize: limits.headerBytesMax,
      headersTimeout: limits.headersMs,
      requestTimeout: limits.requestMs,
      keepAliveTimeout: limits.idleMs,
      connectionsCheckingInterval: limits.checkIntervalMs,
    },
    handle,
  );
  server.maxConnections = admittedConnections(limits);
  server.on('clientError', refuseJunk);
  return server;
}

/** How many connections are admitted here: the limit, or fewer where the system gives the process less. */
export const admittedConnections = ({ connectionsMax }: ConnectionLimits): number =>
  Math.min(connectionsMax, connectionsFor(descriptorLimit()));

/**
 * How many clients fit beside what the daemon needs for itself.
 * @param descriptorsMax the process's limit; null where the system does not say
 */
export function connectionsFor(descriptorsMax: number | null): number {
  if (descriptorsMax === null) return Number.POSITIVE_INFINITY;
  return Math.max(CONNECTIONS_MIN, descriptorsMax - OWN_DESCRIPTORS);
}

/** Stores, journal, spools, watches, publications: clients that take these too would stop every refresh (EMFILE). */
const OWN_DESCRIPTORS = 512;

/** Even a service with a tiny limit must answer `freshd status`. */
const CONNECTIONS_MIN = 16;

function descriptorLimit(): number | null {
  let limits: string;
  try {
    limits = readFileSync('/proc/self/limits', 'utf8');
  } catch {
    // Only Linux has this file; elsewhere the fixed limit has to do.
    return null;
  }
  const soft = /^Max open files\s+(\d+)/m.exec(limits)?.[1];
  return soft === undefined ? null : Number(soft);
}

/** What cannot be parsed as HTTP, or came too late, gets one line and no connection. */
function refuseJunk(error: Error, socket: Socket): void {
  if (codeOf(error) === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const status = JUNK_STATUS[codeOf(error)] ?? '400 Bad Request';
  const body = '{"error":"invalid_request","error_description":"expected one HTTP/1.1 request within the limits"}';
  const head = [
    `HTTP/1.1 ${status}`,
    'content-type: application/json; charset=utf-8',
    `content-length: ${body.length}`,
    'connection: close',
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`, () => socket.destroy());
}

const JUNK_STATUS: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
};

/**
 * Stops listening; what is being answered may finish within the bound.
 * @param options `mayUnlink`: closing unlinks the path of the socket, whoever owns it by now; a server that must not do
 *   that keeps its descriptor until the process ends
 */
export function endServer(
  server: Server,
  options: { readonly mayUnlink: boolean; readonly timers: Timers },
): Promise<void> {
  if (!options.mayUnlink && server.listening) {
    server.unref();
    server.closeAllConnections();
    return Promise.resolve();
  }
  const { timers } = options;
  return new Promise((resolve) => {
    // A kept connection becomes idle only when its last answer is out, and nothing tells of that moment.
    const stopSweeping = timers.every(IDLE_SWEEP_INTERVAL_MS, () => server.closeIdleConnections());
    const cancelTimer = timers.after(CLOSE_MS_MAX, () => server.closeAllConnections());
    server.close(() => {
      stopSweeping();
      cancelTimer();
      resolve();
    });
  });
}

/** Shorter than any supervisor's patience, longer than any answer but a wait, and waits are ended first. */
const CLOSE_MS_MAX = 2_000;

/** Often enough that a stop feels instant. */
const IDLE_SWEEP_INTERVAL_MS = 20;
