/**
 * How long a read of a cached token takes over a kept connection: against a bare server, and while others misbehave.
 *
 * Rule: one client, the same for all servers, that asks again as soon as it has the whole answer. Rounds are interleaved, so
 * that whatever else the machine does meets all servers alike.
 */
import { connect, type Socket } from 'node:net';
import { join, resolve } from 'node:path';
import { createSite, end, startDaemon, startUntil } from './daemon.ts';
import { type Finding, median, quantile } from './table.ts';

export async function measureReads(): Promise<readonly Finding[]> {
  const quiet = createSite({ credentials: 1 });
  const disturbed = createSite({ credentials: 1, withHangingRefresh: true });
  const quietDaemon = await startDaemon(quiet);
  const disturbedDaemon = await startDaemon(disturbed);
  const bareSocket = join(quiet.directory, 'bare.sock');
  const input = JSON.stringify(await answerOf(quiet.socketPath));
  const bare = await startUntil('ready', [resolve('bench/bare-server.js'), bareSocket], {
    cwd: quiet.directory,
    input,
  });
  const nuisance = sendHalfRequests(disturbed.socketPath);

  const sockets = { bare: bareSocket, quiet: quiet.socketPath, disturbed: disturbed.socketPath };
  const rounds = { bare: [] as Round[], quiet: [] as Round[], disturbed: [] as Round[] };
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const name of ['bare', 'quiet', 'disturbed'] as const) rounds[name].push(await readRound(sockets[name]));
  }
  nuisance.end();
  await Promise.all([quietDaemon, disturbedDaemon, bare].map(end));

  const p50 = (name: keyof typeof rounds) => median(rounds[name].map((round) => round.p50Us));
  const p99 = (name: keyof typeof rounds) => median(rounds[name].map((round) => round.p99Us));
  const microseconds = (us: number) => `${us.toFixed(1)} us`;
  const against = (what: string, us: number, ratio: number, ratioMax: number | null): Finding => ({
    what,
    figure: microseconds(us),
    ratio,
    ratioMax,
  });
  return [
    { what: 'read, bare server, p50', figure: microseconds(p50('bare')), ratio: null, ratioMax: null },
    { what: 'read, bare server, p99', figure: microseconds(p99('bare')), ratio: null, ratioMax: null },
    against('read, p50, to the bare one', p50('quiet'), p50('quiet') / p50('bare'), 3),
    against('read, p99, to the bare one', p99('quiet'), p99('quiet') / p99('bare'), null),
    against(
      'read while a script hangs and a client stalls, p50, to quiet',
      p50('disturbed'),
      p50('disturbed') / p50('quiet'),
      null,
    ),
    against(
      'read while a script hangs and a client stalls, p99, to quiet',
      p99('disturbed'),
      p99('disturbed') / p99('quiet'),
      1.5,
    ),
  ];
}

interface Round {
  readonly p50Us: number;
  readonly p99Us: number;
}

async function readRound(socketPath: string): Promise<Round> {
  const socket = connect(socketPath);
  await timeReads(socket, WARM_UP_READS);
  const timesUs = await timeReads(socket, READS);
  socket.destroy();
  return { p50Us: quantile(timesUs, 0.5), p99Us: quantile(timesUs, 0.99) };
}

/** Asks that many times, one after the other. @returns the time of each, in microseconds */
function timeReads(socket: Socket, count: number): Promise<Float64Array> {
  const times = new Float64Array(count);
  return new Promise((resolve, reject) => {
    let index = 0;
    let seen = '';
    let askedAt = 0;
    const ask = () => {
      seen = '';
      askedAt = performance.now();
      socket.write(REQUEST);
    };
    const take = (chunk: Buffer) => {
      seen += chunk.toString('latin1');
      if (!isWhole(seen)) return;
      times[index] = (performance.now() - askedAt) * 1000;
      index += 1;
      if (index < count) return ask();
      socket.off('data', take).off('error', reject).off('close', lost);
      resolve(times);
    };
    const lost = () => reject(new Error(`the connection was closed after ${index} of ${count} reads`));
    socket.on('data', take).on('error', reject).on('close', lost);
    ask();
  });
}

function isWhole(answer: string): boolean {
  const headEnd = answer.indexOf('\r\n\r\n');
  if (headEnd === -1) return false;
  if (!answer.startsWith('HTTP/1.1 200 ')) throw new Error(`expected a token, got ${answer.slice(0, 200)}`);
  const length = /content-length: (\d+)/i.exec(answer)?.[1];
  return answer.length >= headEnd + 4 + Number(length);
}

/** What the daemon answers, for the bare server to say the same. */
function answerOf(socketPath: string): Promise<{ headers: string[]; body: string }> {
  return new Promise((resolve, reject) => {
    const socket = connect(socketPath);
    let seen = '';
    socket.on('error', reject).on('data', (chunk) => {
      seen += chunk.toString('latin1');
      if (!isWhole(seen)) return;
      socket.destroy();
      const [head = '', body = ''] = seen.split('\r\n\r\n');
      // The rest of the head is Node's own in both servers.
      const own = head.split('\r\n').filter((line) => /^(content-type|content-length|cache-control):/i.test(line));
      resolve({ headers: own.flatMap((line) => line.split(': ')), body });
    });
    socket.write(REQUEST);
  });
}

/** A client that sends half a request and waits, and comes again when it is thrown out. */
function sendHalfRequests(socketPath: string): { end(): void } {
  let socket: Socket;
  const begin = () => {
    socket = connect(socketPath);
    socket
      .on('error', () => socket.destroy())
      .on('close', again)
      .resume();
    socket.write(REQUEST.slice(0, REQUEST.length / 2));
  };
  const again = () => begin();
  begin();
  return {
    end() {
      socket.off('close', again);
      socket.destroy();
    },
  };
}

const REQUEST = 'GET /v1/tokens/c0 HTTP/1.1\r\nHost: freshd\r\nAccept: application/json\r\n\r\n';

const READS = 20_000;
const ROUNDS = 6;

// Until the compiler has seen enough of the hot path, on both sides.
const WARM_UP_READS = 2_000;
