/**
 * The API server: the application, the quick way past it, and the socket they are reached by.
 *
 * Rule: only puts the parts together; each of them is told all it needs.
 */
import type { Server } from 'node:http';
import type { DaemonPort, LogPort } from '../daemon/ports.ts';
import type { MetricsPort } from '../daemon/ports-metrics.ts';
import { type AccessSources, createAccess, OPEN_TO_ALL } from './access.ts';
import { createApp } from './app.ts';
import { admittedConnections, CONNECTION_LIMITS, type ConnectionLimits, createLimitedServer } from './connections.ts';
import { createConsumers } from './consumers.ts';
import { createEvents } from './events.ts';
import { createFastRead } from './fast-read.ts';
import { createFigures } from './figures.ts';
import { servePassedSocket, servePipe } from './fileless-sockets.ts';
import { createOperators, type Operators } from './operators.ts';
import { checkSocketPath, groupId, isOpenToOthers } from './socket-file.ts';
import { keepSocket, type SocketKeeper, type SocketKeeperOptions } from './socket-keeper.ts';
import { systemTimers, type Timers } from './timers.ts';
import { createWaiting } from './waiting.ts';

export type { AccessSources } from './access.ts';

export interface ApiServerOptions {
  readonly daemon: DaemonPort;
  readonly socketPath: string;
  /** Descriptor of a listening socket to serve in place of one at that path. */
  readonly passedSocket?: number | null;
  /** That path names a pipe of Windows. */
  readonly isPipe?: boolean;
  readonly log: LogPort;
  readonly onSocketRemoved?: SocketKeeperOptions['onRemoved'];
  /** Without them there is nothing to be had at `/metrics`. */
  readonly metrics?: MetricsPort;
  /** Those of the runtime when left out. */
  readonly timers?: Timers;
  /** `CONNECTION_LIMITS` when left out. */
  readonly limits?: ConnectionLimits;
  /** `OPEN_TO_ALL` when left out. */
  readonly access?: AccessSources;
  /** Name or number of a group that may connect too; operators' calls are then answered on `control.sock` beside it. */
  readonly group?: string | null;
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
  const { daemon, group = null, socketPath, passedSocket = null, log, metrics = null } = options;
  const { timers = systemTimers, limits = CONNECTION_LIMITS } = options;
  if (passedSocket === null && options.isPipe !== true) checkSocketPath(socketPath);
  const access = createAccess(options.access ?? OPEN_TO_ALL, { log, timers, unitsMax: limits.readerUnitsMax });
  const waiting = createWaiting(daemon, timers);
  const subscribersMax = Math.floor(admittedConnections(limits) * SUBSCRIBERS_SHARE);
  const onLeft = (consumer: string) => consumers.forget(consumer);
  const events = createEvents({ daemon, access, timers, log, subscribersMax, onLeft });
  const consumers = createConsumers(daemon, events);
  const figures = createFigures(daemon, { consumers, metrics });
  try {
    // Who opened a socket for us may have shared it without a word in the configuration.
    const isShared = group !== null || (passedSocket !== null && isOpenToOthers(socketPath));
    const operators = createOperators({ socketPath, isShared: isShared && options.isPipe !== true });
    const app = await createApp({ daemon, waiting, events, consumers, figures, access, operators, log });
    const readFast = createFastRead(daemon, access, figures.noteRead);
    const createServer = () =>
      createLimitedServer((request, response) => {
        if (!readFast(request, response)) app.routing(request, response);
      }, limits);
    const sockets = await openSockets(options, { operators, createServer, timers });
    return {
      async close() {
        // Readers first: they get an answer, and their connections end with it.
        waiting.close();
        events.close();
        await Promise.all(sockets.map((socket) => socket.close()));
        await app.close();
        access.close();
      },
    };
  } catch (error) {
    waiting.close();
    events.close();
    access.close();
    throw error;
  }
}

/** Both, or none. */
async function openSockets(
  { socketPath, passedSocket = null, isPipe = false, group = null, log, onSocketRemoved }: ApiServerOptions,
  { operators, createServer, timers }: { operators: Operators; createServer: () => Server; timers: Timers },
): Promise<readonly SocketKeeper[]> {
  const parts = { createServer, timers, log, onRemoved: onSocketRemoved };
  if (isPipe) return [await servePipe(socketPath, parts)];
  const readers = await (passedSocket === null
    ? keepSocket({ socketPath, group: group === null ? null : groupId(group), ...parts })
    : servePassedSocket(passedSocket, parts));
  if (operators.socketPath === null) return [readers];
  try {
    const createTheirs = () => operators.own(createServer());
    const theirs = { socketPath: operators.socketPath, group: null, mayBeOpen: true, createServer: createTheirs };
    return [readers, await keepSocket({ ...parts, ...theirs })];
  } catch (error) {
    await readers.close();
    throw error;
  }
}

/** The rest is for those who read, report and ask how things are, however many subscribe. */
const SUBSCRIBERS_SHARE = 0.9;
