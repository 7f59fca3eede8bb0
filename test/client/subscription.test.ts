import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { HEARTBEAT_SECONDS } from '../../src/api/protocol.ts';
import type { FreshdError } from '../../src/client/errors.ts';
import { openEventStream, type StreamEvent } from '../../src/client/event-stream.ts';
import type { Runtime } from '../../src/client/runtime.ts';
import { keepSubscribed } from '../../src/client/subscription.ts';
import { connect } from '../../src/index.ts';
import { temporaryDirectory, until } from '../api/arrange.ts';

/** Time passes, and chance falls, as the test says. */
function createTestRuntime() {
  const timers: { delayMs: number; run: () => void }[] = [];
  const chance = { value: 0 };
  let nowMs = 0;
  const runtime: Runtime = {
    nowMs: () => nowMs,
    random: () => chance.value,
    after(delayMs, run) {
      const timer = { delayMs, run };
      timers.push(timer);
      const cancel = () => void timers.splice(timers.indexOf(timer), 1);
      return { cancel, ref: () => undefined, unref: () => undefined };
    },
  };
  return {
    runtime,
    chance,
    timers,
    pass(byMs: number) {
      nowMs += byMs;
      for (const { run } of timers.splice(0)) run();
    },
  };
}

async function listen(talk: (socket: Socket) => void): Promise<string> {
  const socketPath = join(temporaryDirectory(), 't.sock');
  const server = createServer((socket) => {
    onTestFinished(() => void socket.destroy());
    talk(socket.on('error', () => socket.destroy()));
  });
  onTestFinished(() => void server.close());
  await new Promise<void>((resolve) => server.listen(socketPath, resolve));
  return socketPath;
}

function subscribe(places: readonly string[]) {
  const world = createTestRuntime();
  const downs: FreshdError[] = [];
  const opened: number[] = [];
  const subscription = keepSubscribed({
    places,
    names: null,
    consumer: 'test',
    runtime: world.runtime,
    onBegin: () => opened.push(opened.length),
    onEvent: () => undefined,
    onUp: () => undefined,
    onDown: (reason) => downs.push(reason),
  });
  onTestFinished(() => subscription.close());
  return { ...world, subscription, downs, opened };
}

describe('the pauses between tries', () => {
  test('grow to a bound, and stay there', async () => {
    const { chance, timers, downs, pass } = subscribe(['/nonexistent/freshd.sock']);
    chance.value = 1;
    const pausesMs: number[] = [];
    for (let tries = 1; tries <= 12; tries += 1) {
      await until(() => downs.length === tries);
      pausesMs.push(timers[0]?.delayMs ?? 0);
      pass(pausesMs.at(-1) ?? 0);
    }
    expect(pausesMs).toEqual([100, 200, 400, 800, 1_600, 3_200, ...Array.from({ length: 6 }, () => 5_000)]);
  });

  test('differ by chance, by half at most: clients of one daemon do not come at once', async () => {
    const { chance, timers, downs } = subscribe(['/nonexistent/freshd.sock']);
    chance.value = 0;
    await until(() => downs.length === 1);
    expect(timers.map(({ delayMs }) => delayMs)).toEqual([50]);
  });

  test('are as long as the daemon says, where it says so', async () => {
    const refusal = '{"error":"too_many_subscribers","error_description":"full","retry_after":60}';
    const socketPath = await listen((socket) => {
      socket.end(`HTTP/1.1 503 Service Unavailable\r\ncontent-length: ${refusal.length}\r\n\r\n${refusal}`);
    });
    const { timers, downs } = subscribe([socketPath]);
    await until(() => downs.length === 1);
    expect([downs[0]?.code, timers.at(-1)?.delayMs]).toEqual(['too_many_subscribers', 60_000]);
  });

  test('end with the subscription', async () => {
    const { timers, downs, opened, subscription, pass } = subscribe(['/nonexistent/freshd.sock']);
    await until(() => downs.length === 1);
    subscription.close();
    pass(10_000);
    expect([timers.length, opened.length]).toEqual([0, 1]);
  });
});

test('the next place is tried where nobody listens, and the one that answered is the first from then on', async () => {
  const socketPath = await listen((socket) => {
    socket.write('HTTP/1.1 200 OK\r\n\r\nevent: synchronized\ndata: {"resumed":false}\n\n');
  });
  const { subscription } = subscribe(['/nonexistent/a.sock', socketPath, '/nonexistent/b.sock']);
  await until(() => subscription.places()[0] === socketPath);
  expect(subscription.places()).toEqual([socketPath, '/nonexistent/a.sock', '/nonexistent/b.sock']);
});

test('a present state that broke off is told anew: resumed in the middle, what exists no more would stay', async () => {
  const asked: string[] = [];
  const socketPath = await listen((socket) => {
    socket.once('data', (head) => {
      asked.push(/Last-Event-ID: (\S+)/.exec(String(head))?.[1] ?? 'none');
      const phase = `event: phase\nid: b-${asked.length}\ndata: {}\n\n`;
      const end = asked.length === 2 ? `event: synchronized\nid: b-7\ndata: {"resumed":false}\n\n` : '';
      socket.end(`HTTP/1.1 200 OK\r\n\r\n${phase}${end}`);
    });
  });
  const { downs, pass } = subscribe([socketPath]);
  for (const tries of [1, 2, 3]) {
    await until(() => downs.length === tries);
    pass(10_000);
  }
  await until(() => asked.length >= 3);
  expect(asked.slice(0, 3)).toEqual(['none', 'none', 'b-7']);
});

describe('a stream', () => {
  function open(socketPath: string) {
    const world = createTestRuntime();
    const events: StreamEvent[] = [];
    const ends: FreshdError[] = [];
    const stream = openEventStream({
      socketPath,
      path: '/v1/events',
      lastEventId: 'a-1',
      runtime: world.runtime,
      onEvent: (event) => events.push(event),
      onEnd: (reason) => ends.push(reason),
    });
    onTestFinished(() => stream.close());
    return { ...world, events, ends };
  }

  test('is read in whatever pieces it comes, comments and unknown fields aside', async () => {
    const text =
      'HTTP/1.1 200 OK\r\nX: y\r\n\r\n:\n\nevent: token\ndata: {"ä":\ndata: 1}\n\nretry: 5\nevent: a\nid: 7\ndata:x\n\ndata: z\n\n';
    const bytes = Buffer.from(text);
    const socketPath = await listen((socket) => {
      socket.setNoDelay();
      const next = (at: number): void => {
        if (at < bytes.length) socket.write(bytes.subarray(at, at + 1), () => setImmediate(next, at + 1));
      };
      next(0);
    });
    const { events } = open(socketPath);
    await until(() => events.length === 3);
    expect(events).toEqual([
      { type: 'token', data: '{"ä":\n1}', id: null },
      { type: 'a', data: 'x', id: '7' },
      { type: 'message', data: 'z', id: '7' },
    ]);
  });

  test('of a daemon that says nothing for two heartbeats and a half is over; one that beats is not', async () => {
    let heard: Socket | null = null;
    const socketPath = await listen((socket) => {
      heard = socket;
      socket.write('HTTP/1.1 200 OK\r\n\r\nevent: a\ndata: x\n\n');
    });
    const { events, ends, timers, pass } = open(socketPath);
    await until(() => events.length === 1);
    pass(HEARTBEAT_SECONDS * 1_000);
    expect(ends).toEqual([]);
    (heard as Socket | null)?.write(':\n\nevent: b\ndata: y\n\n');
    await until(() => events.length === 2);
    pass(HEARTBEAT_SECONDS * 2_000);
    expect([ends, timers.length]).toEqual([[], 1]);
    pass(HEARTBEAT_SECONDS * 500);
    expect(ends.map(({ code }) => code)).toEqual(['broken']);
  });

  test('with an event that is no JSON is over, and the program of whoever listens is not', async () => {
    const socketPath = await listen((socket) => socket.write('HTTP/1.1 200 OK\r\n\r\nevent: token\ndata: {x\n\n'));
    await expect(connect({ socketPath })).rejects.toMatchObject({ code: 'broken' });
  });

  test('with an event that never ends is over before it fills the memory', async () => {
    const socketPath = await listen((socket) => {
      socket.write('HTTP/1.1 200 OK\r\n\r\ndata: ');
      const pour = (): void => {
        while (!socket.destroyed && socket.write('x'.repeat(65_536)));
      };
      socket.on('drain', pour);
      pour();
    });
    const { ends } = open(socketPath);
    await until(() => ends.length === 1);
    expect(ends[0]?.message).toContain('larger than any the daemon sends');
  });
});
