import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  type Stats,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { acquireDaemonLock, acquireKernelLock } from '../../src/adapters/kernel-lock.ts';
import { bundleProgram, startProgram } from './child-program.ts';

/** The two ways on Linux; elsewhere the first of them is the platform's own. */
const WAYS = [
  { way: 'flock', options: {} },
  { way: 'an abstract socket', options: { flockPrograms: ['/nonexistent/flock'] } },
];

/** Takes the daemon lock of argv[2], says so, and lives until it is killed; a child of its own lives on. */
const HOLDER = `
  import { spawn } from 'node:child_process';
  import { acquireDaemonLock } from './adapters/kernel-lock.ts';
  try {
    await acquireDaemonLock(process.argv[2]);
    const child = spawn('sleep', ['120'], { detached: true, stdio: 'ignore' });
    child.once('spawn', () => console.log('holds', child.pid));
    setInterval(() => {}, 60_000);
  } catch (error) {
    console.log(error.code, error.message);
  }
`;

let directory: string;
let path: string;
const children: number[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'freshd-lock-'));
  path = join(directory, 'lock');
});
afterEach(() => {
  for (const pid of children.splice(0)) process.kill(pid, 'SIGKILL');
  rmSync(directory, { recursive: true, force: true });
});

async function startHolder(program: string): Promise<{ child: ChildProcess; line: string }> {
  const started = await startProgram(program, [directory]);
  const grandchild = /^holds (\d+)$/.exec(started.line)?.[1];
  if (grandchild !== undefined) children.push(Number(grandchild));
  return started;
}

/** `fstat` of every open file. */
async function spyOnStat() {
  const handle = await open(path, 'w');
  const prototype = Object.getPrototypeOf(handle) as { stat(): Promise<Stats> };
  await handle.close();
  const { stat: original } = prototype;
  return Object.assign(vi.spyOn(prototype, 'stat'), { original });
}

async function kill(child: ChildProcess): Promise<void> {
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
}

describe.each(WAYS)('a lock by $way', ({ options }) => {
  test('excludes a second holder, who is told who holds it, until it is released', async () => {
    const lock = await acquireKernelLock(path, { timeoutMs: 0, ...options });
    const describeHolder = async (): Promise<string> => 'the daemon';
    await expect(acquireKernelLock(path, { timeoutMs: 0, describeHolder, ...options })).rejects.toMatchObject({
      name: 'PortError',
      code: 'lock_held',
      message: expect.stringContaining('the daemon holds it'),
    });
    await lock.release();
    await lock.release();
    await (await acquireKernelLock(path, { timeoutMs: 0, ...options })).release();
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  test('is waited for, and given up when the time is over', async () => {
    const lock = await acquireKernelLock(path, { timeoutMs: 0, ...options });
    await expect(acquireKernelLock(path, { timeoutMs: 60, ...options })).rejects.toMatchObject({ code: 'lock_held' });
    const waiting = acquireKernelLock(path, { timeoutMs: 20_000, ...options });
    await lock.release();
    await (await waiting).release();
  });

  test('many who want it at once get it one after the other', async () => {
    let inside = 0;
    let most = 0;
    const visit = async (): Promise<void> => {
      const lock = await acquireKernelLock(path, { timeoutMs: 20_000, ...options });
      inside += 1;
      most = Math.max(most, inside);
      await new Promise(setImmediate);
      inside -= 1;
      await lock.release();
    };
    await Promise.all(Array.from({ length: 8 }, visit));
    expect(most).toBe(1);
  });

  test('is another one for another file', async () => {
    const locks = await Promise.all(
      ['a', 'b'].map((name) => acquireKernelLock(join(directory, name), { timeoutMs: 0, ...options })),
    );
    await Promise.all(locks.map((lock) => lock.release()));
  });

  test('on a file that was replaced meanwhile is taken anew on the file that is there', async () => {
    const old = await acquireKernelLock(path, { timeoutMs: 0, ...options });
    const waiting = acquireKernelLock(path, { timeoutMs: 20_000, ...options });
    renameSync(path, join(directory, 'aside'));
    await old.release();
    const lock = await waiting;
    await expect(acquireKernelLock(path, { timeoutMs: 0, ...options })).rejects.toMatchObject({ code: 'lock_held' });
    await lock.release();
  });

  test('is given back when the disk fails at the last question about it', async () => {
    const looked = await spyOnStat();
    await (await acquireKernelLock(path, { timeoutMs: 0, ...options })).release();
    const last = looked.mock.calls.length;
    looked.mockReset();
    const failed = Object.assign(new Error('EIO: i/o error, fstat'), { code: 'EIO' });
    for (let nth = 1; nth < last; nth += 1) looked.mockImplementationOnce(looked.original);
    looked.mockRejectedValueOnce(failed);
    await expect(acquireKernelLock(path, { timeoutMs: 0, ...options })).rejects.toMatchObject({ code: 'io_error' });
    looked.mockRestore();
    await (await acquireKernelLock(path, { timeoutMs: 0, ...options })).release();
  });
});

test('what is no plain file is refused: a FIFO, a directory, a symlink, a missing directory', async () => {
  spawnSync('mkfifo', [path]);
  symlinkSync('/dev/null', join(directory, 'link'));
  mkdirSync(join(directory, 'directory'));
  const codeOf = (name: string): Promise<unknown> =>
    acquireKernelLock(join(directory, name), { timeoutMs: 0 }).catch((error: { code: string }) => error.code);
  expect(await codeOf('lock')).toBe('not_a_regular_file');
  expect(await codeOf('directory')).toBe('not_a_regular_file');
  expect(await codeOf('link')).toBe('symlink_refused');
  expect(await codeOf('gone/lock')).toBe('directory_missing');
});

describe('the daemon lock', () => {
  test('F52: a second daemon is refused and told the pid of the first', async () => {
    const program = await bundleProgram(directory, HOLDER);
    const first = await startHolder(program);
    expect(first.line).toMatch(/^holds/);
    await expect(acquireDaemonLock(directory)).rejects.toMatchObject({
      code: 'already_running',
      message: expect.stringContaining(`pid ${first.child.pid} holds its lock`),
      remedy: expect.stringContaining(`kill ${first.child.pid}`),
    });
    await kill(first.child);
  });

  test('F52: of five started at once one runs, and the others name its pid', async () => {
    const program = await bundleProgram(directory, HOLDER);
    const started = await Promise.all(Array.from({ length: 5 }, () => startHolder(program)));
    const [holder, ...more] = started.filter(({ line }) => line.startsWith('holds'));
    expect(more).toEqual([]);
    const refused = started.filter((one) => one !== holder);
    expect(refused.map(({ line }) => /^already_running .*pid (\d+) holds/.exec(line)?.[1])).toEqual(
      refused.map(() => String(holder?.child.pid)),
    );
    if (holder !== undefined) await kill(holder.child);
  });

  test('F54: SIGKILL of the holder frees it at once, although a child of it lives on', async () => {
    const program = await bundleProgram(directory, HOLDER);
    const { child, line } = await startHolder(program);
    await kill(child);
    const grandchild = Number(line.split(' ')[1]);
    expect(process.kill(grandchild, 0)).toBe(true);
    // The dead one's pid is still there, and is replaced.
    expect(readFileSync(`${path}.pid`, 'utf8')).toBe(`${child.pid}\n`);
    const lock = await acquireDaemonLock(directory);
    expect(readFileSync(`${path}.pid`, 'utf8')).toBe(`${process.pid}\n`);
    await lock.release();
    expect(() => statSync(`${path}.pid`)).toThrow('ENOENT');
  });

  test('a holder whose pid cannot be read is said to be unknown', async () => {
    const lock = await acquireKernelLock(path, { timeoutMs: 0 });
    const dead = spawn('true');
    await once(dead, 'exit');
    writeFileSync(`${path}.pid`, `${dead.pid}\n`);
    await expect(acquireDaemonLock(directory)).rejects.toMatchObject({
      code: 'already_running',
      message: expect.stringContaining('did not say its pid'),
    });
    await lock.release();
  });
});
