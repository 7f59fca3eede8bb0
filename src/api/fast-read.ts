/**
 * The hot path: a plain read of a token that is there, answered without the framework.
 *
 * Rule: only what needs neither parsing nor a decision; everything else, every error included, is left to the routes.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { DaemonPort } from '../daemon/ports.ts';
import type { Access } from './access.ts';
import { readNamed } from './named-token.ts';
import { READ_COST } from './throttle.ts';
import { tokenOnWire } from './wire.ts';

/** @returns whether the request was answered */
export type FastRead = (request: IncomingMessage, response: ServerResponse) => boolean;

/** @param noteRead told the name of each that was answered here */
export function createFastRead(daemon: DaemonPort, access: Access, noteRead: (name: string) => void): FastRead {
  return (request, response) => {
    const { method, url } = request;
    if (method !== 'GET' || url === undefined || !url.startsWith(PREFIX)) return false;
    // A query or a further path segment is no part of any name, so this finds nothing for them.
    const name = url.slice(PREFIX.length);
    const read = readNamed(daemon, name);
    if (read?.kind !== 'token') return false;
    const asker = access.asker(request.socket);
    if (asker.charge(READ_COST, daemon.now().monotonicMs) !== null || asker.denialOf(read.credential) !== null)
      return false;
    asker.noteRead(read.credential);
    noteRead(name);
    const isText = wantsText(request.headers.accept);
    const body = isText ? read.accessToken : JSON.stringify(tokenOnWire(read, read));
    response.writeHead(200, [
      'content-type',
      isText ? TEXT_TYPE : JSON_TYPE,
      'cache-control',
      'no-store',
      'content-length',
      String(Buffer.byteLength(body)),
    ]);
    response.end(body);
    return true;
  };
}

export const wantsText = (accept: string | undefined): boolean =>
  accept?.includes('text/plain') === true && !accept.includes('application/json');

export const JSON_TYPE = 'application/json; charset=utf-8';
export const TEXT_TYPE = 'text/plain; charset=utf-8';

const PREFIX = '/v1/tokens/';
