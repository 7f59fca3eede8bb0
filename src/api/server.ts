/**
 * The API server: one private Unix socket, its limits, its re-creation when somebody removes it, and its bounded end.
 *
 * Rule: a client that sends nothing, half, too much or junk costs one connection for a limited time and nothing else.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { DaemonPort, LogPort } from '../daemon/ports.ts';
import { PortError } from '../daemon/ports.ts';
import { createApp } from './app.ts';
import { createFastRead } from './fast-read.ts';
import {
  checkSocketPath,
  codeOf,
  type FileIdentity,
  identityOf,
  isSameFile,
  listenPrivately,
  makeRoom,
  prepareSocketDirectory,
} from './socket-file.ts';
import { systemTimers, type Timers } from './timers.ts';
import { createWaiting } from './waiting.ts';

export interface ApiServerOptions {
  readonly daemon: DaemonPort;
  readonly socketPath: string;
  readonly log: LogPort;
  /** Those of the runtime when left out. */
  readonly timers?: Timers;
}

export interface ApiServer {
  /** Answers what is under way, ends every connection within two seconds, removes the socket. */
  close(): Promise<void>;
}

/**
 * Listens. The caller holds the daemon's kernel lock.
 * @throws PortError `socket_path_too_long`, `socket_directory_unsafe`, `socket_in_use`, `socket_path_taken`, `socket_unusable`
 */
export async function startApiServer(options: ApiServerOptions): Promise<ApiServer> {
  const { daemon, socketPath, log, timers = systemTimers } = options;
  checkSocketPath(socketPath);
  const waiting = createWaiting(daemon, timers);
  const app = await createApp(daemon, waiting, log);
  const readFast = createFastRead(daemon);
  const handle = (request: IncomingMessage, response: ServerResponse): void => {
    if (!readFast(request, response)) app.routing(request, response);
  };

  async function open(): Promise<Listener> {
    const warning = prepareSocketDirectory(socketPath);
    if (warning !== null) log.write('warn', 'socket_directory_open', { detail: warning });
    await makeRoom(socketPath, timers);
    const server = createLimitedServer(handle);
    const identity = await listenPrivately(server, socketPath);
    // For example no descriptor left for a new connection: those that are there go on.
    server.on('error', (error) => log.write('error', 'socket_error', { code: codeOf(error) }));
    return { server, identity };
  }

  /** The newest first; older ones, whose file was removed, only finish the connections they have. */
  const listeners: Listener[] = [];
  try {
    listeners.push(await open());
  } catch (error) {
    waiting.close();
    throw error;
  }

  let recreation: Promise<void> | null = null;
  const stopChecking = timers.every(FILE_CHECK_INTERVAL_MS, () => {
    const [current] = listeners;
    if (recreation !== null || isSameFile(current?.identity ?? null, identityOf(socketPath))) return;
    recreation = recreate().finally(() => {
      recreation = null;
    });
  });

  async function recreate(): Promise<void> {
    log.write('warn', 'socket_removed', { path: socketPath });
    try {
      // Room first: closing a listener unlinks its path, and that must never hit a living socket of somebody else.
      await makeRoom(socketPath, timers);
      listeners[0]?.server.close();
      listeners.unshift(await open());
      log.write('warn', 'socket_recreated', { path: socketPath });
    } catch (error) {
      const isExpected = error instanceof PortError;
      log.write('error', 'socket_recreation_failed', {
        path: socketPath,
        code: codeOf(error),
        remedy: isExpected ? error.remedy : null,
      });
    }
  }

  return {
    async close() {
      stopChecking();
      await recreation;
      waiting.close();
      const isOurs = isSameFile(listeners[0]?.identity ?? null, identityOf(socketPath));
      await Promise.all(listeners.map(({ server }) => endServer(server, { mayUnlink: isOurs, timers })));
      await app.close();
    },
  };
}

interface Listener {
  readonly server: Server;
  readonly identity: FileIdentity;
}

function createLimitedServer(handle: (request: IncomingMessage, response: ServerResponse) => void): Server {
  const server = createServer(
    {
      maxHeaderSize: HEADER_BYTES_MAX,
      headersTimeout: HEADERS_MS_MAX,
      requestTimeout: REQUEST_MS_MAX,
      keepAliveTimeout: IDLE_MS_MAX,
      connectionsCheckingInterval: CONNECTIONS_CHECK_INTERVAL_MS,
    },
    handle,
  );
  server.maxConnections = CONNECTIONS_MAX;
  server.on('clientError', refuseJunk);
  return server;
}

/** What cannot be parsed as HTTP, or came too late, gets one line and no connection. */
function refuseJunk(error: Error, socket: Socket): void {
  if (codeOf(error) === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const status = JUNK_STATUS[codeOf(error)] ?? '400 Bad Request';
  const body = '{"error":"invalid_request","error_description":"expected one HTTP/1.1 request within the limits"}';
  socket.end(
    `HTTP/1.1 ${status}\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\nconnection: close\r\n\r\n${body}`,
    () => socket.destroy(),
  );
}

/**
 * Stops listening; what is being answered may finish within the bound.
 * Closing a listener unlinks its path whoever owns it by now, so one whose path is no longer ours stays open until the process ends.
 */
function endServer(server: Server, options: { mayUnlink: boolean; timers: Timers }): Promise<void> {
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

const JUNK_STATUS: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
};

/** Our longest path and a few headers need a tenth of it. */
const HEADER_BYTES_MAX = 8 * 1024;

/** A local client writes its request at once; ten seconds forgive a machine that is busy. Holds from the connection on. */
const HEADERS_MS_MAX = 10_000;

/** The whole request, body included; the answer may take longer, since a reader may wait. */
const REQUEST_MS_MAX = 30_000;

/** A consumer that reads once a minute keeps its connection. */
const IDLE_MS_MAX = 75_000;

/** How late the two limits above may strike. */
const CONNECTIONS_CHECK_INTERVAL_MS = 5_000;

/** Well below the descriptors a service usually has (65,536, or 524,288 under systemd), far above what one machine's consumers need. */
const CONNECTIONS_MAX = 6_000;

/** A cleaner of temporary files comes once a day; ten seconds without a socket are bearable, and a stat costs microseconds. */
const FILE_CHECK_INTERVAL_MS = 10_000;

/** Shorter than any supervisor's patience, longer than any answer but a wait, and waits are ended first. */
const CLOSE_MS_MAX = 2_000;

/** Often enough that a stop feels instant. */
const IDLE_SWEEP_INTERVAL_MS = 20;
