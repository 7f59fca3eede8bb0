/**
 * Who may change the daemon: everybody who connects, or, where the socket is shared with a group, those at a socket of their own.
 *
 * Rule: what counts is the socket that a connection came by, never what a request says.
 */
import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { dirname, join } from 'node:path';
import { type Reply, refused } from './reply.ts';

export interface Operators {
  /** Where they connect; null: by the one socket that there is. */
  readonly socketPath: string | null;
  /** Connections of this server are theirs. */
  own(server: Server): Server;
  /** @returns what to answer to somebody else, or null */
  refusalFor(socket: Socket): Reply | null;
}

/** @param options `isShared`: others than this user may connect to `socketPath` */
export function createOperators({
  socketPath: readers,
  isShared,
}: {
  readonly socketPath: string;
  readonly isShared: boolean;
}): Operators {
  const socketPath = isShared ? join(dirname(readers), CONTROL_NAME) : null;
  const theirs = new WeakSet<Socket>();
  return {
    socketPath,
    own: (server) => server.on('connection', (socket) => theirs.add(socket)),
    refusalFor(socket) {
      if (socketPath === null || theirs.has(socket)) return null;
      return refused(403, {
        error: 'operators_socket',
        error_description: `this socket is shared with a group; ask on ${socketPath}, as the user of the daemon`,
        socket: socketPath,
      });
    },
  };
}

const CONTROL_NAME = 'control.sock';
