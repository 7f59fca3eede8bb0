import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { CONNECTION_LIMITS, type ConnectionLimits, connectionsFor } from '../../src/api/connections.ts';
import { startApiServer } from '../../src/api/server.ts';
import { arrange, bodyOf, temporaryDirectory, until } from './arrange.ts';
import { createFakeDaemon, createRecordedLog, MINUTE_MS } from './fake-daemon.ts';

async function open(socketPath: string): Promise<Socket> {
  const socket = connect(socketPath);
  // The server ends most of these; how it does is what the tests look at.
  socket.on('error', () => socket.destroy());
  onTestFinished(() => void socket.destroy());
  await once(socket, 'connect');
  return socket;
}

async function textUntilClosed(socket: Socket): Promise<string> {
  let text = '';
  socket.on('data', (chunk) => {
    text += String(chunk);
  });
  if (!socket.closed) await once(socket, 'close');
  return text;
}

describe('F60: a client', () => {
  test('that sends nothing disturbs nobody, five hundred times over', async () => {
    const { daemon, get, socketPath } = await arrange();
    daemon.load('claude', 'at-1');
    await Promise.all(Array.from({ length: 500 }, () => open(socketPath)));
    expect((await get('/v1/tokens/claude')).status).toBe(200);
    daemon.advance(MINUTE_MS);
    expect((await get('/v1/credentials/claude')).status).toBe(200);
  });

  test('that stops in the middle of a request, or of a body, disturbs nobody', async () => {
    const { daemon, get, socketPath } = await arrange();
    daemon.load('claude', 'at-1');
    (await open(socketPath)).write('GET /v1/tokens/claude HT');
    (await open(socketPath)).write('POST /v1/reload HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{"a"');
    expect((await get('/v1/tokens/claude')).status).toBe(200);
  });

  async function startImpatient(limits: Partial<ConnectionLimits>): Promise<string> {
    const socketPath = join(temporaryDirectory(), 'freshd.sock');
    const server = await startApiServer({
      daemon: createFakeDaemon(),
      socketPath,
      log: createRecordedLog(),
      limits: { ...CONNECTION_LIMITS, checkIntervalMs: 20, ...limits },
    });
    onTestFinished(() => server.close());
    return socketPath;
  }

  test('that never finishes the head of its request is cut off at the deadline', async () => {
    const socketPath = await startImpatient({ headersMs: 60 });
    const silent = await open(socketPath);
    const half = await open(socketPath);
    half.write('GET / HT');
    for (const text of await Promise.all([silent, half].map(textUntilClosed))) {
      expect(text).toMatch(/^HTTP\/1\.1 408 Request Timeout\r\n/);
    }
  });

  test('that sends its body byte by byte is cut off at the deadline', async () => {
    const socketPath = await startImpatient({ headersMs: 60, requestMs: 120 });
    const drip = await open(socketPath);
    drip.write('POST /v1/reload HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n');
    const dripping = setInterval(() => drip.writable && drip.write('x'), 10);
    onTestFinished(() => clearInterval(dripping));
    expect(await textUntilClosed(drip)).toMatch(/^HTTP\/1\.1 408 Request Timeout\r\n/);
  });

  test('that sends ten megabytes is refused with a 413, and the next one is served', async () => {
    const { daemon, get, socketPath } = await arrange();
    daemon.load('claude', 'at-1');
    const status = await new Promise((resolve, reject) => {
      const headers = { 'content-type': 'application/json', 'content-length': 10 * 1024 * 1024 };
      const outgoing = httpRequest({ socketPath, method: 'POST', path: '/v1/tokens/claude/rejections', headers });
      outgoing.on('response', (response) => {
        response.resume();
        resolve(response.statusCode);
        outgoing.destroy();
      });
      outgoing.on('error', reject);
      outgoing.write(Buffer.alloc(128 * 1024, 'x'));
    });
    expect(status).toBe(413);
    expect((await get('/v1/tokens/claude')).status).toBe(200);
  });

  test('that hides how much it sends is refused as soon as it is too much', async () => {
    const { socketPath } = await arrange();
    const socket = await open(socketPath);
    const text = textUntilClosed(socket);
    socket.write('POST /v1/reload HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n');
    socket.write(`10001\r\n${'x'.repeat(0x10001)}\r\n`);
    expect(await text).toMatch(/^HTTP\/1\.1 413 /);
  });

  test('that sends too long a head gets a 431', async () => {
    const { socketPath } = await arrange();
    const socket = await open(socketPath);
    const text = textUntilClosed(socket);
    socket.write(`GET / HTTP/1.1\r\nHost: x\r\nX-Long: ${'y'.repeat(20_000)}\r\n\r\n`);
    expect(await text).toMatch(/^HTTP\/1\.1 431 /);
  });

  test('that sends junk gets a 400 and no connection', async () => {
    const { socketPath } = await arrange();
    const socket = await open(socketPath);
    const text = textUntilClosed(socket);
    socket.write(Buffer.from([0x16, 0x03, 0x01, 0xff, 0x00, 0x0a, 0x0d]));
    expect(await text).toMatch(/^HTTP\/1\.1 400 /);
  });

  test('that leaves while it waits is forgotten', async () => {
    const { daemon, socketPath, timers } = await arrange();
    daemon.load('claude', null);
    const outgoing = httpRequest({ socketPath, path: '/v1/tokens/claude?wait_seconds=30' });
    outgoing.on('error', () => outgoing.destroy());
    outgoing.end();
    await until(() => timers.pending.length === 1);
    outgoing.destroy();
    await until(() => timers.pending.length === 0);
  });

  test('beyond the number that is admitted is turned away, and admitted once another has left', async () => {
    const socketPath = await startImpatient({ connectionsMax: 2 });
    const [first] = [await open(socketPath), await open(socketPath)];
    const third = connect(socketPath).on('error', () => third.destroy());
    await once(third, 'close');
    first.destroy();
    const asks = async (): Promise<boolean> => {
      const socket = await open(socketPath);
      const text = textUntilClosed(socket);
      socket.write('GET /v1/health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
      return (await text).startsWith('HTTP/1.1 200');
    };
    let isServed = await asks();
    while (!isServed) isServed = await asks();
    expect(isServed).toBe(true);
  });
});

test('F60: clients never take the descriptors that stores and scripts need', () => {
  expect([20_000, 1_024, 100, null].map(connectionsFor)).toEqual([19_488, 512, 16, Number.POSITIVE_INFINITY]);
});

describe('the end', () => {
  test('answers a reader that waits, at once', async () => {
    const { daemon, get, server, timers } = await arrange();
    daemon.load('claude', null);
    const reading = get('/v1/tokens/claude?wait_seconds=30');
    await until(() => timers.pending.length === 1);
    await server.close();
    const response = await reading;
    expect([response.status, bodyOf(response).error]).toEqual([503, 'temporarily_unavailable']);
    expect(daemon.listeners).toBe(0);
  });

  test('comes within its bound although a client says nothing and another is half done', async () => {
    const { server, socketPath } = await arrange();
    const silent = await open(socketPath);
    const half = await open(socketPath);
    half.write('POST /v1/reload HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{');
    await Promise.all([server.close(), textUntilClosed(silent), textUntilClosed(half)]);
  });
});
