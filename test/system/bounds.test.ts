/** What a daemon takes of the machine, however much is asked of it: memory and descriptors of the real process. */
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { expect, onTestFinished, type TestContext, test } from 'vitest';
import { configure, demo, eventually, refreshed, seed, startServer } from './arrange.ts';
import { createWorkshop, type RunningDaemon } from './workshop.ts';

const KEY = { static: '$' + '{env:DEMO_KEY}', tokenFile: false };

function needsProc(context: TestContext): void {
  if (process.platform !== 'linux') context.skip('reads /proc, which only Linux has');
}

/** Of the process, in MB; `VmHWM` is the most it ever had. */
function memoryMb({ pid }: RunningDaemon, field: 'VmRSS' | 'VmHWM'): number {
  const kilobytes = new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kilobytes) / 1024;
}

const descriptors = ({ pid }: RunningDaemon): number => readdirSync(`/proc/${pid}/fd`).length;

test('F60: a request of 200 MB is refused, and costs no memory', async (context) => {
  needsProc(context);
  const workshop = createWorkshop();
  configure(workshop, { key: KEY });
  const daemon = await workshop.start().ready();
  const before = memoryMb(daemon, 'VmHWM');
  const chunk = Buffer.alloc(1024 * 1024, '{');
  const answers: (number | string | undefined)[] = [];
  for (const headers of [{ 'content-length': 200 * chunk.length }, { 'transfer-encoding': 'chunked' }]) {
    const call = request({
      socketPath: workshop.path('freshd.sock'),
      path: '/v1/tokens/key/rejections',
      method: 'POST',
      headers,
    });
    const answered = once(call, 'response').then(([{ statusCode }]) => statusCode);
    const cutOff = new Promise<void>((resolve) => call.once('close', resolve));
    call.on('error', () => undefined);
    const send = async () => {
      for (let sent = 0; sent < 200 && !call.destroyed; sent += 1) {
        if (!call.write(chunk)) await Promise.race([once(call, 'drain'), cutOff]);
      }
      call.end();
    };
    void send().catch(() => undefined);
    answers.push(await Promise.race([answered, cutOff.then(() => 'cut off')]).catch(() => 'cut off'));
    call.destroy();
  }
  expect(answers.filter((answer) => answer !== 413 && answer !== 'cut off')).toEqual([]);
  expect((await workshop.get('/v1/tokens/key')).status).toBe(200);
  expect(memoryMb(daemon, 'VmHWM') - before).toBeLessThan(60);
});

test('F60: five thousand connections that send nothing keep no reader waiting, and leave nothing behind', async (context) => {
  needsProc(context);
  const hard = /^Max open files\s+\d+\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];
  if (Number(hard) < 7_000) context.skip(`a process may have only ${hard} open files here`);
  const workshop = createWorkshop();
  configure(workshop, { key: KEY });
  const daemon = await workshop.start().ready();
  expect((await workshop.get('/v1/tokens/key')).status).toBe(200);
  const before = { descriptors: descriptors(daemon), memory: memoryMb(daemon, 'VmRSS') };
  const sockets: Socket[] = [];
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
  });
  for (let index = 0; index < 5_000; index += 1) {
    const socket = connect(workshop.path('freshd.sock'));
    socket.on('error', () => undefined);
    sockets.push(socket);
    // The kernel lets only so many wait to be accepted.
    if (index % 100 === 0) await once(socket, 'connect');
  }
  await eventually(
    () => descriptors(daemon) >= before.descriptors + 5_000 - 10 || sockets.some(({ closed }) => closed),
  );
  expect((await workshop.get('/v1/tokens/key')).status).toBe(200);
  expect(memoryMb(daemon, 'VmRSS') - before.memory).toBeLessThan(150);
  for (const socket of sockets) socket.destroy();
  await eventually(() => descriptors(daemon) <= before.descriptors + 1);
});

test('F64: descriptors stay as many as they are over refreshes, streams and reads', async (context) => {
  needsProc(context);
  const server = await startServer(2);
  const workshop = createWorkshop();
  configure(workshop, { demo: demo(server) });
  seed(workshop, server);
  const daemon = await workshop.start().ready();
  const few = async (from: number, to: number): Promise<number> => {
    let fewest = Number.POSITIVE_INFINITY;
    for (let count = from; count <= to; count += 1) {
      await daemon.until(() => daemon.records.filter(refreshed).length >= count);
      await workshop.get('/v1/tokens/demo?min_valid_seconds=1&wait_seconds=5');
      fewest = Math.min(fewest, descriptors(daemon));
    }
    return fewest;
  };
  const atFirst = await few(2, 5);
  await few(6, 14);
  // One left open by each of a dozen refreshes would be a dozen; an attempt under way has a few.
  expect(await few(15, 18)).toBeLessThan(atFirst + 5);
}, 120_000);
