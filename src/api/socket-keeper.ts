/**
 * Keeps one listening server behind one path: opens it, makes it again when its file is removed, closes it.
 *
 * Rule: a path is only ever taken when nobody answers there, at the start and at every later look; and closing a server
 * unlinks its path whoever owns it by now, so that happens only while the path is empty or our own.
 */
import type { Server } from 'node:http';
import { type LogPort, PortError } from '../daemon/ports.ts';
import type { SocketRemoval } from '../daemon/system-ports.ts';
import { endServer } from './connections.ts';
import {
  codeOf,
  type FileIdentity,
  identityOf,
  isSameFile,
  listenPrivately,
  makeRoom,
  prepareSocketDirectory,
  type SocketAccess,
} from './socket-file.ts';
import type { Timers } from './timers.ts';

export interface SocketKeeper {
  close(): Promise<void>;
}

export interface SocketKeeperOptions extends SocketAccess {
  readonly socketPath: string;
  readonly createServer: () => Server;
  readonly timers: Timers;
  readonly log: LogPort;
  /** Its file was removed, and made again or not. */
  readonly onRemoved?: ((removal: SocketRemoval) => void) | undefined;
}

/** @throws PortError when the socket cannot be opened now; later troubles are logged, and tried again */
export async function keepSocket(options: SocketKeeperOptions): Promise<SocketKeeper> {
  const { socketPath, timers, log } = options;
  let current = await open(options);
  /** Their file is gone; they only finish the connections they have. */
  const retired = new Set<Server>();
  let recreation: Promise<void> | null = null;
  let lastTrouble: string | null = null;

  const stopLooking = timers.every(LOOK_INTERVAL_MS, () => {
    if (recreation !== null || isSameFile(current.identity, identityOf(socketPath))) return;
    recreation = recreate().finally(() => {
      recreation = null;
    });
  });

  async function recreate(): Promise<void> {
    if (lastTrouble === null) log.write('warn', 'socket_removed', { path: socketPath });
    try {
      await makeRoom(socketPath, timers);
      retire(current.server);
      current = await open(options);
      lastTrouble = null;
      log.write('warn', 'socket_recreated', { path: socketPath });
      options.onRemoved?.({ path: socketPath, code: null, remedy: null });
    } catch (error) {
      const code = codeOf(error);
      const remedy = error instanceof PortError ? error.remedy : null;
      // Tried again at every look, said once.
      if (code !== lastTrouble) {
        log.write('error', 'socket_recreation_failed', { path: socketPath, code, remedy });
        options.onRemoved?.({ path: socketPath, code, remedy });
      }
      lastTrouble = code;
    }
  }

  function retire(server: Server): void {
    if (!server.listening) return;
    retired.add(server);
    server.close(() => retired.delete(server));
  }

  return {
    async close() {
      stopLooking();
      await recreation;
      const found = identityOf(socketPath);
      const mayUnlink = found === null || isSameFile(current.identity, found);
      const servers = [current.server, ...retired];
      await Promise.all(servers.map((server) => endServer(server, { mayUnlink, timers })));
    },
  };
}

interface Listener {
  readonly server: Server;
  readonly identity: FileIdentity;
}

async function open({ socketPath, createServer, timers, log, ...access }: SocketKeeperOptions): Promise<Listener> {
  const warning = prepareSocketDirectory(socketPath, access);
  if (warning !== null) log.write('warn', 'socket_directory_open', { detail: warning });
  await makeRoom(socketPath, timers);
  const server = createServer();
  const identity = await listenPrivately(server, socketPath, access.group);
  // For example no descriptor left for a new connection: those that are there go on.
  server.on('error', (error) => log.write('error', 'socket_error', { code: codeOf(error) }));
  return { server, identity };
}

/** A cleaner of temporary files comes once a day; ten seconds without a socket are bearable, and a look costs microseconds. */
const LOOK_INTERVAL_MS = 10_000;
