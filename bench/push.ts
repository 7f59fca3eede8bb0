/**
 * How long a push takes: from the moment at which the core has a new token (its step is done, which is the commit's share),
 * until the last of many subscribers in another process has it.
 *
 * Rule: the program's own API server over the real core; a bare fan-out writes the same bytes to as many other subscribers of
 * the same process. Rounds are interleaved.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { join, resolve } from 'node:path';
import { startApiServer } from '../src/api/server.ts';
import { systemTimers } from '../src/api/timers.ts';
import type { Event } from '../src/core/event.ts';
import { step } from '../src/core/lifecycle.ts';
import { initialState } from '../src/core/memory.ts';
import { epochMs, type Fingerprint, type Grant, monotonicMs, type Now } from '../src/core/token.ts';
import type { DaemonPort } from '../src/daemon/ports.ts';
import { createSite, ENVIRONMENT } from './daemon.ts';
import { policyOf } from './policy.ts';
import { type Finding, median } from './table.ts';

export async function measurePush(): Promise<readonly Finding[]> {
  const { directory } = createSite({ credentials: 0 });
  const paths = { api: join(directory, 'api.sock'), bare: join(directory, 'bare.sock') };
  const source = createSource();
  // No heartbeats: they are the same for both, and would be taken for news.
  const timers = { ...systemTimers, every: () => () => undefined };
  const log = { write: () => undefined };
  const server = await startApiServer({ daemon: source.daemon, socketPath: paths.api, log, timers });
  const bytes = await bytesOfOneChange(paths.api, source);
  const bare = await startBareFanOut(paths.bare, bytes);
  const findings: Finding[] = [];
  for (const { count, rounds } of SCALES) {
    const subscribers = fork(resolve('bench/subscribers.js'), { env: ENVIRONMENT });
    for (const name of ['api', 'bare'] as const) {
      const ready = answerOf(subscribers, 'subscribed', name);
      subscribers.send({ type: 'subscribe', name, socketPath: paths[name], count });
      await ready;
    }
    const timesUs = { api: [] as number[], bare: [] as number[] };
    for (let round = 0; round < rounds + WARM_UP_ROUNDS; round += 1) {
      const bareUs = await timeRound(subscribers, 'bare', bare.tell);
      source.step();
      const apiUs = await timeRound(subscribers, 'api', source.tell);
      if (round < WARM_UP_ROUNDS) continue;
      timesUs.bare.push(bareUs);
      timesUs.api.push(apiUs);
    }
    const exited = once(subscribers, 'exit');
    subscribers.kill('SIGKILL');
    await exited;
    findings.push(...findingsOf(count, median(timesUs.api), median(timesUs.bare)));
  }
  await Promise.all([server.close(), bare.close()]);
  return findings;
}

function findingsOf(count: number, apiUs: number, bareUs: number): readonly Finding[] {
  const figure = (us: number) => (us < 10_000 ? `${us.toFixed(0)} us` : `${(us / 1000).toFixed(1)} ms`);
  const last = count === 1 ? 'the only subscriber' : `the last of ${count} subscribers`;
  return [
    { what: `bare fan-out of the same bytes to ${last}`, figure: figure(bareUs), ratio: null, ratioMax: null },
    { what: `push to ${last}, to that`, figure: figure(apiUs), ratio: apiUs / bareUs, ratioMax: 1.5 },
  ];
}

/** @returns the time from right before `tell` until the last has heard, by the clock that all processes share */
async function timeRound(subscribers: ChildProcess, name: string, tell: () => void): Promise<number> {
  const expecting = answerOf(subscribers, 'expecting', name);
  subscribers.send({ type: 'expect', name, events: EVENTS_PER_CHANGE });
  await expecting;
  const heard = answerOf(subscribers, 'heard', name);
  const began = process.hrtime.bigint();
  tell();
  const { atNs } = await heard;
  return Number(BigInt(atNs) - began) / 1000;
}

interface Answer {
  readonly type: string;
  readonly name: string;
  readonly atNs: string;
  readonly message?: string;
}

function answerOf(subscribers: ChildProcess, type: string, name: string): Promise<Answer> {
  return new Promise((found, lost) => {
    const look = (answer: Answer) => {
      if (answer.type === 'failed') lost(new Error(`${answer.name}: ${answer.message}`));
      if (answer.type !== type || answer.name !== name) return;
      subscribers.off('message', look);
      found(answer);
    };
    subscribers.on('message', look);
  });
}

/** One credential of the real core; each change is another token that is known to be stored. */
function createSource(): { readonly daemon: DaemonPort; readonly step: () => void; readonly tell: () => void } {
  const began = performance.now();
  const startMs = Date.now();
  const now = (): Now => {
    const passedMs = performance.now() - began;
    return { wallMs: epochMs(startMs + passedMs), monotonicMs: monotonicMs(passedMs) };
  };
  const policy = policyOf('c0');
  const listeners = new Set<Parameters<DaemonPort['onStep']>[0]>();
  let state = initialState({ name: 'c0', policy, targets: [], memory: null }, now());
  let changes = 0;
  const take = (event: Event): void => {
    state = step(state, event, now()).state;
  };
  take({ type: 'token_loaded', grant: grantOf(changes, startMs) });
  const daemon: DaemonPort = {
    version: 'bench',
    startedAt: epochMs(startMs),
    configPath: '/dev/null',
    names: () => ['c0'],
    state: (name) => (name === 'c0' ? state : undefined),
    remedy: () => 'freshd login c0',
    variable: () => null,
    now,
    pulse: () => null,
    dispatch: (_name, event) => take(event),
    onStep(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    chains: {
      names: () => [],
      state: () => undefined,
      of: () => [],
      standIns: () => [],
      onStep: () => () => undefined,
    },
    reload: () => Promise.resolve({ ok: false, problems: [] }),
  };
  return {
    daemon,
    step() {
      changes += 1;
      take({ type: 'store_changed', grant: grantOf(changes, startMs), attempt: null });
    },
    tell() {
      for (const listener of listeners) listener('c0', state);
    },
  };
}

function grantOf(change: number, startMs: number): Grant {
  const accessToken = `bench-${'x'.repeat(100)}-${change}`;
  const expiresAt = epochMs(startMs + 8 * 3_600_000);
  return {
    token: {
      accessToken,
      tokenType: 'Bearer',
      fingerprint: `a${change}` as Fingerprint,
      obtainedAt: epochMs(startMs),
      notBefore: null,
      expiry: { kind: 'known', expiresAt },
    },
    fingerprint: `r${change}` as Fingerprint,
    hasRefreshToken: true,
    refreshTokenExpiresAt: null,
    account: null,
  };
}

/** What the API writes for one change. */
async function bytesOfOneChange(socketPath: string, source: ReturnType<typeof createSource>): Promise<Buffer> {
  const socket = connect(socketPath);
  let heard = '';
  const until = (isWhole: (text: string) => boolean) =>
    new Promise<void>((resolve) => {
      socket.on('data', () => isWhole(heard) && resolve());
    });
  socket.setEncoding('latin1').on('data', (text: string) => {
    heard += text;
  });
  const synchronized = until((text) => /event: synchronized\n(?:.+\n)*\n$/.test(text));
  socket.write('GET /v1/events HTTP/1.1\r\nHost: freshd\r\n\r\n');
  await synchronized;
  heard = '';
  const whole = until((text) => text.split('\n\n').length > EVENTS_PER_CHANGE);
  source.step();
  source.tell();
  await whole;
  socket.destroy();
  return Buffer.from(heard, 'latin1');
}

/** The floor: sockets in a list, and one write of the same buffer to each. */
async function startBareFanOut(
  socketPath: string,
  bytes: Buffer,
): Promise<{ readonly tell: () => void; readonly close: () => void }> {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => socket.destroy()).on('close', () => sockets.splice(sockets.indexOf(socket), 1));
    socket.once('data', () => socket.write('HTTP/1.1 200 OK\r\n\r\nevent: synchronized\n\n')).resume();
  });
  await new Promise<void>((found) => server.listen({ path: socketPath, backlog: BACKLOG }, found));
  return {
    tell: () => {
      for (const socket of sockets) socket.write(bytes);
    },
    close: () => void server.close(),
  };
}

const SCALES = [
  { count: 1, rounds: 300 },
  { count: 1_000, rounds: 40 },
  { count: 5_000, rounds: 20 },
];

const WARM_UP_ROUNDS = 5;

/** A token and how its credential is. */
const EVENTS_PER_CHANGE = 2;

const BACKLOG = 4_096;
