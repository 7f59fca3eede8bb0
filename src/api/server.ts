/**
 * The API server: the application, the quick way past it, and the socket they are reached by.
 *
 * Rule: only puts the parts together; each of them is told all it needs.
 */
import type { DaemonPort, LogPort } from '../daemon/ports.ts';
import { createApp } from './app.ts';
import { admittedConnections, CONNECTION_LIMITS, type ConnectionLimits, createLimitedServer } from './connections.ts';
import { createConsumers } from './consumers.ts';
import { createEvents } from './events.ts';
import { createFastRead } from './fast-read.ts';
import { checkSocketPath } from './socket-file.ts';
import { keepSocket, servePassedSocket } from './socket-keeper.ts';
import { systemTimers, type Timers } from './timers.ts';
import { createWaiting } from './waiting.ts';

export interface ApiServerOptions {
  readonly daemon: DaemonPort;
  readonly socketPath: string;
  /** Descriptor of a listening socket to serve in place of one at that path. */
  readonly passedSocket?: number | null;
  readonly log: LogPort;
  /** Those of the runtime when left out. */
  readonly timers?: Timers;
  /** `CONNECTION_LIMITS` when left out. */
  readonly limits?: ConnectionLimits;
}

export interface ApiServer {
  /** Answers what is under way, ends every connection within two seconds, removes the socket. */
  close(): Promise<void>;
}

/**
 * Listens. The caller holds the daemon's kernel lock.
 * @throws PortError `socket_path_too_long`, `socket_directory_unsafe`, `socket_directory_unusable`, `socket_in_use`,
 *   `socket_path_taken`, `socket_unusable`, `passed_socket_unsafe`, `passed_socket_unusable`
 */
export async function startApiServer(options: ApiServerOptions): Promise<ApiServer> {
  const { daemon, socketPath, passedSocket = null, log, timers = systemTimers, limits = CONNECTION_LIMITS } = options;
  if (passedSocket === null) checkSocketPath(socketPath);
  const waiting = createWaiting(daemon, timers);
  const subscribersMax = Math.floor(admittedConnections(limits) * SUBSCRIBERS_SHARE);
  const onLeft = (consumer: string) => consumers.forget(consumer);
  const events = createEvents({ daemon, timers, log, subscribersMax, onLeft });
  const consumers = createConsumers(daemon, events);
  try {
    const app = await createApp({ daemon, waiting, events, consumers, log });
    const readFast = createFastRead(daemon);
    const createServer = () =>
      createLimitedServer((request, response) => {
        if (!readFast(request, response)) app.routing(request, response);
      }, limits);
    const parts = { createServer, timers, log };
    const socket = await (passedSocket === null
      ? keepSocket({ socketPath, ...parts })
      : servePassedSocket(passedSocket, parts));
    return {
      async close() {
        // Readers first: they get an answer, and their connections end with it.
        waiting.close();
        events.close();
        await socket.close();
        await app.close();
      },
    };
  } catch (error) {
    waiting.close();
    events.close();
    throw error;
  }
}

/** The rest is for those who read, report and ask how things are, however many subscribe. */
const SUBSCRIBERS_SHARE = 0.9;
