/**
 * `freshd exec` as users run it: real programs, real signals, the built freshd.
 *
 * Rule: a program says by a line on its standard output what it has seen; nothing is concluded from time that has passed.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pass } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type Arranged, arrange, temporaryDirectory } from '../api/arrange.ts';
import { HOUR_MS } from '../api/fake-daemon.ts';
import { eventually } from './arrange.ts';

const FRESHD = fileURLToPath(new URL('../../bin/freshd.js', import.meta.url));

interface Running {
  readonly process: ChildProcess;
  readonly lines: readonly string[];
  stderr(): string;
  /** The nth line of standard output, once it is there. */
  line(nth: number): Promise<string>;
  ended(): Promise<number | NodeJS.Signals | null>;
}

function run({ socketPath }: Arranged, argv: readonly string[], stdin: string | null = null): Running {
  const child = spawn(process.execPath, [FRESHD, 'exec', '--socket', socketPath, ...argv], {
    env: { PATH: process.env.PATH, HOME: '/nonexistent/home' },
    stdio: 'pipe',
  });
  const exit = once(child, 'close');
  onTestFinished(() => void child.kill('SIGKILL'));
  if (stdin !== null) child.stdin.end(stdin);
  const lines: string[] = [];
  let stderr = '';
  createInterface({ input: child.stdout }).on('line', (line) => lines.push(line));
  child.stderr.on('data', (text) => {
    stderr += String(text);
  });
  return {
    process: child,
    lines,
    stderr: () => stderr,
    async line(nth) {
      await eventually(() => lines.length > nth || child.exitCode !== null);
      return lines[nth] ?? `ended first: ${stderr}`;
    },
    async ended() {
      const [code, signal] = (await exit) as [number | null, NodeJS.Signals | null];
      return code ?? signal;
    },
  };
}

/** A program of a few lines of shell, with its end tied to the test's. */
const shell = (script: string, ...words: string[]): string[] => ['--', 'sh', '-c', script, 'sh', ...words];

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0) && !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch (error) {
    if (error instanceof Error && 'code' in error) return false;
    throw error;
  }
};

describe('a program under freshd exec', () => {
  test('has the token in its environment, and nobody has it in an argument', async () => {
    const arranged = await arrange();
    arranged.daemon.load('claude', 'at-secret');
    const running = run(
      arranged,
      ['claude', ...shell('echo "$CLAUDE_TOKEN"; tr "\\0" " " </proc/$PPID/cmdline; echo; cat')],
      'x',
    );
    expect(await running.line(0)).toBe('at-secret');
    expect(await running.line(1)).toContain('exec');
    expect(await running.line(1)).not.toContain('at-secret');
    expect([await running.ended(), running.stderr()]).toEqual([0, '']);
  });

  test('has none of the settings that freshd run gives itself, also where one of its own words is `run`', async () => {
    const arranged = await arrange();
    arranged.daemon.load('claude', 'at-1');
    const running = run(arranged, ['claude', ...shell('echo "threads: $(printenv UV_THREADPOOL_SIZE)"', 'run')]);
    expect(await running.line(0)).toBe('threads: ');
  });

  test('has the streams as they are: bytes in, bytes out, and the end of input', async () => {
    const arranged = await arrange();
    arranged.daemon.load('claude', 'at-1');
    const bytes = `${'line\n'.repeat(20_000)}end`;
    const running = run(arranged, ['claude', '--', 'wc', '-c'], bytes);
    expect((await running.line(0)).trim()).toBe(String(bytes.length));
    expect(await running.ended()).toBe(0);
  });

  test.each([
    ['exit 0', 0],
    ['exit 7', 7],
    ['exit 255', 255],
    ['kill -TERM $$', 143],
    ['kill -KILL $$', 137],
  ])('`%s` ends freshd with %i', async (script, exitCode) => {
    const arranged = await arrange();
    arranged.daemon.load('claude', 'at-1');
    expect(await run(arranged, ['claude', ...shell(script)], '').ended()).toBe(exitCode);
  });

  test.each(['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2'] as const)(
    'gets %s once, and its answer to it is what freshd ends with',
    async (signal) => {
      const arranged = await arrange();
      arranged.daemon.load('claude', 'at-1');
      const name = signal.slice(3);
      // The second line would tell of a signal that came twice.
      const script = `trap 'echo got ${name}' ${name}; echo ready; while [ ! -e "$1" ]; do sleep 0.02; done; exit 9`;
      const file = join(temporaryDirectory(), 'enough');
      const running = run(arranged, ['claude', ...shell(script, file)], '');
      expect(await running.line(0)).toBe('ready');
      running.process.kill(signal);
      expect(await running.line(1)).toBe(`got ${name}`);
      writeFileSync(file, '');
      expect([await running.ended(), running.lines.length, running.stderr()]).toEqual([9, 2, '']);
    },
  );

  test('gets the keys of a terminal once, and may read from it', async (ctx) => {
    const arranged = await arrange();
    arranged.daemon.load('claude', 'at-1');
    // Reading would stop the program if it were not in the terminal's foreground group.
    const program = `let caught = 0;
      process.on('SIGINT', () => console.log('caught', ++caught));
      process.on('SIGUSR2', () => console.log('relayed'));
      process.stdin.once('data', (line) => { console.log('read', String(line).trim(), caught); process.exit(); });
      console.log('under', process.ppid, 'ready');`;
    const argv = [
      process.execPath,
      FRESHD,
      'exec',
      '--socket',
      arranged.socketPath,
      'claude',
      '--',
      process.execPath,
      '-e',
      program,
    ];
    const terminal = spawn('python3', ['-c', TERMINAL, ...argv], { env: { PATH: process.env.PATH }, stdio: 'pipe' });
    onTestFinished(() => void terminal.kill('SIGKILL'));
    let screen = '';
    terminal.stdout.on('data', (text) => {
      screen += String(text);
    });
    const failed = await Promise.race([once(terminal, 'error'), eventually(() => screen.includes('ready'))]);
    if (failed !== undefined) return ctx.skip(`python3 cannot be run: ${String(failed[0])}`);
    // Freshd stands still until the program has had the key, so that a second signal could not melt into the first.
    const freshd = Number(/under (\d+)/.exec(screen)?.[1]);
    process.kill(freshd, 'SIGSTOP');
    terminal.stdin.write('\x03');
    await eventually(() => screen.includes('caught 1'));
    // What is relayed comes in the order of the signals' numbers: once this one is here, the key's would be too.
    process.kill(freshd, 'SIGUSR2');
    process.kill(freshd, 'SIGCONT');
    await eventually(() => screen.includes('relayed'));
    terminal.stdin.write('hello\n');
    await eventually(() => screen.includes('read hello'));
    expect(screen).toContain('read hello 1');
    terminal.stdin.end();
    await once(terminal, 'close');
  });

  test('of a script without permission is 126, also where the kernel says so', async () => {
    const arranged = await arrange();
    arranged.daemon.load('claude', 'at-1');
    const script = join(temporaryDirectory(), 'script');
    writeFileSync(script, '#!/nonexistent/interpreter\n');
    expect(await run(arranged, ['claude', '--', script]).ended()).toBe(126);
    chmodSync(script, 0o700);
    const running = run(arranged, ['claude', '--', script]);
    expect(await running.ended()).toBe(127);
    expect(running.stderr()).toContain('its interpreter is missing');
  });
});

describe('--restart-on-refresh', () => {
  const REFRESHED = ['--restart-on-refresh', '--debounce', '0.05', '--grace', '20'];
  /** Says its token, and its end by SIGTERM. */
  const PROGRAM = shell(
    'trap "echo stopped $A_TOKEN; exit 0" TERM; echo "runs $A_TOKEN $B_TOKEN"; while :; do sleep 0.02; done',
  );

  async function arrangeTwo() {
    const arranged = await arrange();
    arranged.daemon.load('a', 'a1', 2 * HOUR_MS);
    arranged.daemon.load('b', 'b1', 2 * HOUR_MS);
    return arranged;
  }

  function refresh({ daemon }: Arranged, credential: string, token: string): void {
    daemon.dispatch(credential, { type: 'refresh_requested', cause: 'operator', force: true });
    daemon.succeed(credential, token, 2 * HOUR_MS);
  }

  test('stops the program gracefully and starts it with the new token', async () => {
    const arranged = await arrangeTwo();
    const running = run(arranged, ['a', ...REFRESHED, ...PROGRAM]);
    expect(await running.line(0)).toBe('runs a1 ');
    refresh(arranged, 'a', 'a2');
    expect(await running.line(1)).toBe('stopped a1');
    expect(await running.line(2)).toBe('runs a2 ');
    expect(running.stderr()).toMatch(/^freshd: exec: a has a new token \(generation \d+\); restarting "sh"$/m);
    running.process.kill('SIGTERM');
    expect(await running.line(3)).toBe('stopped a2');
    expect([await running.ended(), running.lines.length]).toEqual([0, 4]);
  });

  test('restarts once for tokens that come together', async () => {
    const arranged = await arrangeTwo();
    const running = run(arranged, ['a', 'b', '--restart-on-refresh', '--debounce', '2', ...PROGRAM]);
    expect(await running.line(0)).toBe('runs a1 b1');
    refresh(arranged, 'a', 'a2');
    // As far apart as two refreshes are, and long enough for a restart that did not wait.
    await pass(500);
    refresh(arranged, 'b', 'b2');
    expect(await running.line(2)).toBe('runs a2 b2');
    running.process.kill('SIGTERM');
    expect([await running.ended(), running.lines.length]).toEqual([0, 4]);
  });

  test('kills what of the program outlives its grace, with its children', async () => {
    const arranged = await arrangeTwo();
    const stubborn = shell('trap "" TERM; sleep 600 & echo "$A_TOKEN $! $$"; wait; wait; while :; do sleep 0.02; done');
    const running = run(arranged, ['a', '--restart-on-refresh', '--debounce', '0', '--grace', '0.2', ...stubborn]);
    const [, sleeper, leader] = (await running.line(0)).split(' ').map(Number);
    refresh(arranged, 'a', 'a2');
    expect(await running.line(1)).toMatch(/^a2 /);
    expect([sleeper, leader].map((pid) => isAlive(pid ?? 0))).toEqual([false, false]);
    const [, ...second] = (await running.line(1)).split(' ').map(Number);
    running.process.kill('SIGKILL');
    process.kill(-(second[1] ?? 0), 'SIGKILL');
    await running.ended();
  });

  test('waits for the children of a program that ended at once', async () => {
    const arranged = await arrangeTwo();
    const file = join(temporaryDirectory(), 'drained');
    const drains = shell(
      '(trap "sleep 0.3; echo done >>$1; exit" TERM; echo "$A_TOKEN"; while :; do sleep 0.02; done) & trap "exit 0" TERM; wait',
      file,
    );
    const running = run(arranged, ['a', ...REFRESHED, ...drains]);
    expect(await running.line(0)).toBe('a1');
    refresh(arranged, 'a', 'a2');
    expect(await running.line(1)).toBe('a2');
    expect(existsSync(file) && readFileSync(file, 'utf8')).toBe('done\n');
    running.process.kill('SIGTERM');
    expect(await running.ended()).toBe(0);
  });

  test('does not start again what somebody ended meanwhile, and ends with the program', async () => {
    const arranged = await arrangeTwo();
    const slow = shell(
      'trap "echo stopping; until [ -e $1 ]; do sleep 0.02; done; exit 3" TERM; echo runs; while :; do sleep 0.02; done',
      join(temporaryDirectory(), 'go'),
    );
    const running = run(arranged, ['a', ...REFRESHED, ...slow]);
    expect(await running.line(0)).toBe('runs');
    refresh(arranged, 'a', 'a2');
    expect(await running.line(1)).toBe('stopping');
    running.process.kill('SIGTERM');
    writeFileSync(slow.at(-1) ?? '', '');
    expect(await running.ended()).toBe(3);
    expect(running.lines.filter((line) => line === 'runs')).toHaveLength(1);

    const short = run(arranged, ['a', '--restart-on-refresh', ...shell('exit 5')], '');
    expect(await short.ended()).toBe(5);
  });

  test('C3: restarts when the chain that it runs with turns to another member, with the variable of that one', async () => {
    const arranged = await arrangeTwo();
    const { daemon } = arranged;
    await daemon.addChain('any', 'a', 'b');
    daemon.advance(1);
    const shows = shell('trap "exit 0" TERM; echo "runs $ANY_TOKEN"; while :; do sleep 0.02; done');
    const running = run(arranged, ['any', ...REFRESHED, ...shows]);
    expect(await running.line(0)).toBe('runs a1');
    daemon.dispatch('a', { type: 'rejection_reported', generation: daemon.state('a')?.generation ?? 0, peer: 'x' });
    expect(await running.line(1)).toBe('runs b1');
    expect(running.stderr()).toMatch(/any has a new token \(generation \d+\)/);
    running.process.kill('SIGTERM');
    expect(await running.ended()).toBe(0);
  });

  test('leaves the program alone while the daemon is away, and hears of the next token', async () => {
    const arranged = await arrangeTwo();
    const running = run(arranged, ['a', ...REFRESHED, ...PROGRAM]);
    expect(await running.line(0)).toBe('runs a1 ');
    await arranged.server.close();
    // Another process: what was the last event of this one is unknown there.
    const daemon = Object.assign(arranged.daemon, { startedAt: arranged.daemon.startedAt + 1 });
    const again = await arrange({ socketPath: arranged.socketPath, daemon });
    refresh(again, 'a', 'a2');
    expect(await running.line(2)).toBe('runs a2 ');
    running.process.kill('SIGTERM');
    expect(await running.ended()).toBe(0);
  });
});

/** Runs its arguments in a terminal of their own: what comes in is typed, what is shown goes out. */
const TERMINAL = `
import os, pty, sys, threading
pid, terminal = pty.fork()
if pid == 0: os.execvp(sys.argv[1], sys.argv[1:])
def type_in():
  while True:
    keys = os.read(0, 1024)
    if not keys: return
    os.write(terminal, keys)
threading.Thread(target=type_in, daemon=True).start()
try:
  while True: os.write(1, os.read(terminal, 1024))
except OSError: pass
os.waitpid(pid, 0)
`;
