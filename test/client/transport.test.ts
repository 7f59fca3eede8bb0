import { chmodSync } from 'node:fs';
import { createServer as createHttpServer, type RequestListener } from 'node:http';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { request } from '../../src/client/transport.ts';
import { temporaryDirectory } from '../api/arrange.ts';

const ask = (socketPath: string, options: { timeoutMs?: number; signal?: AbortSignal } = {}) =>
  request({ socketPath, method: 'GET', path: '/', timeoutMs: 10_000, ...options });

function listen(server: ReturnType<typeof createServer>): Promise<string> {
  const socketPath = join(temporaryDirectory(), 't.sock');
  onTestFinished(() => void server.close());
  return new Promise((resolve) => server.listen(socketPath, () => resolve(socketPath)));
}

const raw = (talk: (socket: Socket) => void): Promise<string> =>
  listen(
    createServer((socket) => {
      socket.on('error', () => socket.destroy());
      onTestFinished(() => void socket.destroy());
      talk(socket);
    }),
  );

const http = (handle: RequestListener): Promise<string> => listen(createHttpServer(handle));

describe('one request', () => {
  test('sends its body as JSON and reads status, headers and text', async () => {
    const socketPath = await http((incoming, response) => {
      incoming.setEncoding('utf8').on('data', (text) => {
        response.writeHead(202, { 'X-Seen': `${incoming.method} ${incoming.url} ${incoming.headers['content-type']}` });
        response.end(`got ${text} ✓`);
      });
    });
    const response = await request({ socketPath, method: 'POST', path: '/p', body: { ä: 1 }, timeoutMs: 10_000 });
    expect([response.status, response.headers['x-seen'], response.text]).toEqual([
      202,
      'POST /p application/json',
      'got {"ä":1} ✓',
    ]);
  });

  test('reads an answer that comes in pieces and without a length', async () => {
    const socketPath = await http((_, response) => {
      response.write('a'.repeat(100_000));
      setImmediate(() => response.end('b'));
    });
    expect((await ask(socketPath)).text).toHaveLength(100_001);
  });

  test('fails when nobody listens', async () => {
    await expect(ask('/nonexistent/t.sock')).rejects.toMatchObject({ name: 'TransportError', code: 'no_daemon' });
  });

  test('fails when this user may not open the socket', async (ctx) => {
    if (process.getuid?.() === 0) ctx.skip('root may open every socket');
    const socketPath = await raw(() => undefined);
    chmodSync(socketPath, 0o000);
    await expect(ask(socketPath)).rejects.toMatchObject({ code: 'permission_denied' });
  });

  test('fails when no answer comes in time', async () => {
    const socketPath = await raw(() => undefined);
    await expect(ask(socketPath, { timeoutMs: 20 })).rejects.toMatchObject({ code: 'timeout' });
  });

  test('ends when the caller wants no answer any more, before or while it waits', async () => {
    const caller = new AbortController();
    const socketPath = await raw(() => caller.abort());
    for (const _ of ['while', 'before']) {
      await expect(ask(socketPath, { signal: caller.signal })).rejects.toMatchObject({ code: 'cancelled' });
    }
  });

  test.each([
    ['nothing', ''],
    ['half a head', 'HTTP/1.1 200 OK\r\nContent-Le'],
    ['half a body', 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345'],
    ['another protocol', 'SSH-2.0-OpenSSH_9\r\n\r\n'],
  ])('fails when the other side says %s and leaves', async (_, text) => {
    const socketPath = await raw((socket) => socket.end(text));
    await expect(ask(socketPath)).rejects.toMatchObject({ code: 'broken' });
  });
});
