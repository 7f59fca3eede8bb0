/**
 * Serves where there is no file of ours to keep: a socket that was opened for us, a named pipe of Windows.
 *
 * Rule: nothing is made private, looked after or removed here; who may connect is the business of whoever made it.
 */
import type { Server } from 'node:http';
import { PortError } from '../daemon/ports.ts';
import { endServer } from './connections.ts';
import { codeOf, listen, listenError } from './socket-file.ts';
import type { SocketKeeper, SocketKeeperOptions } from './socket-keeper.ts';

type ServingParts = Pick<SocketKeeperOptions, 'createServer' | 'timers' | 'log'>;

/**
 * Serves a socket that was opened by whoever started this process; connections wait in it while no daemon runs.
 * @throws PortError `passed_socket_unusable`; `passed_socket_unsafe` for a socket of the network: every token would be for
 *   everybody there
 */
export async function servePassedSocket(fd: number, parts: ServingParts): Promise<SocketKeeper> {
  const server = parts.createServer();
  await listen(server, { fd }, (error) => passedSocketUnusable(fd, error));
  // A Unix socket that came as a descriptor has no address that Node would know.
  if (typeof server.address() === 'object' && server.address() !== null) {
    await endServer(server, { mayUnlink: true, timers: parts.timers });
    throw passedSocketUnsafe(fd);
  }
  return keeperOf(server, parts);
}

/**
 * Serves a named pipe of Windows.
 * @throws PortError `socket_in_use`, `socket_unusable`
 */
export async function servePipe(socketPath: string, parts: ServingParts): Promise<SocketKeeper> {
  const server = parts.createServer();
  await listen(server, { path: socketPath }, (error) => listenError(socketPath, error));
  return keeperOf(server, parts);
}

/** There is nothing to unlink, whoever owns the path. */
function keeperOf(server: Server, { timers, log }: ServingParts): SocketKeeper {
  server.on('error', (error) => log.write('error', 'socket_error', { code: codeOf(error) }));
  return { close: () => endServer(server, { mayUnlink: true, timers }) };
}

function passedSocketUnsafe(fd: number): PortError {
  const remedy = 'give the socket unit a path in ListenStream=';
  return new PortError(`passed socket (descriptor ${fd}): expected a Unix socket, got one of the network; ${remedy}`, {
    code: 'passed_socket_unsafe',
    remedy,
  });
}

function passedSocketUnusable(fd: number, cause: unknown): PortError {
  const remedy = 'correct the socket unit: ListenStream= with a path';
  const message = `passed socket (descriptor ${fd}): expected one that listens, got ${codeOf(cause)}; ${remedy}`;
  return new PortError(message, { code: 'passed_socket_unusable', remedy, cause });
}
