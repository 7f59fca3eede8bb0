/**
 * A folder with a configuration, a store and a real daemon process in it; everything is ended and removed with the test.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { parse } from 'dotenv';
import { onTestFinished } from 'vitest';

export interface LogRecord {
  readonly event: string;
  readonly credential?: string;
  readonly [field: string]: unknown;
}

export interface RunningDaemon {
  readonly process: ChildProcess;
  readonly pid: number;
  readonly records: readonly LogRecord[];
  stderr(): string;
  /** The next record for which this holds, also one that came before. */
  until(isWanted: (record: LogRecord) => boolean): Promise<LogRecord>;
  ready(): Promise<RunningDaemon>;
  /** Sends the signal and waits for the end. @returns exit status, or the signal that ended it */
  end(signal: NodeJS.Signals): Promise<number | NodeJS.Signals | null>;
}

export interface Workshop {
  readonly directory: string;
  path(name: string): string;
  read(name: string): string;
  write(name: string, content: string | object, mode?: number): void;
  exists(name: string): boolean;
  /** The variables of the published `.env`. */
  env(): Record<string, string>;
  start(...options: string[]): RunningDaemon;
  /** As the program that another one becomes: the last arguments of `prefix` are its command line. */
  startThrough(prefix: readonly string[]): RunningDaemon;
  /** As `start`; Node itself gets this option. */
  startUnder(nodeOption: string): RunningDaemon;
  /** Another installation: its Node, and its `bin/freshd.js`. */
  startInstalled(node: string, program: string): RunningDaemon;
  get(path: string): Promise<{ readonly status: number; readonly body: Record<string, unknown> }>;
  /** Live processes of which command line or environment names this folder, but for the daemons themselves. */
  strays(): readonly number[];
}

const PROGRAM = resolve('bin/freshd.js');

/** @param onFinished the test's own, where several run at once */
export function createWorkshop(onFinished: typeof onTestFinished = onTestFinished): Workshop {
  const directory = mkdtempSync(join(tmpdir(), 'freshd-system-'));
  const daemons: RunningDaemon[] = [];
  const path = (name: string) => join(directory, name);
  onFinished(async () => {
    for (const { process: child } of daemons) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    for (const pid of workshop.strays()) process.kill(pid, 'SIGKILL');
    rmSync(directory, { recursive: true, force: true });
  });

  const started = (daemon: RunningDaemon) => {
    daemons.push(daemon);
    return daemon;
  };
  const workshop: Workshop = {
    directory,
    path,
    read: (name) => readFileSync(path(name), 'utf8'),
    write(name, content, mode = 0o600) {
      writeFileSync(path(name), typeof content === 'string' ? content : JSON.stringify(content), { mode });
    },
    exists: (name) => existsSync(path(name)),
    env: () => (existsSync(path('.env')) ? parse(readFileSync(path('.env'))) : {}),
    start: (...options) => started(startDaemon(directory, { options })),
    startUnder: (nodeOption) => started(startDaemon(directory, { nodeOptions: [nodeOption] })),
    startInstalled: (node, program) => started(startDaemon(directory, { installed: [node, program] })),
    startThrough: (prefix) => started(startDaemon(directory, { prefix })),
    get: (route) => get(path('freshd.sock'), route),
    strays: () => strays(directory, new Set(daemons.map(({ pid }) => pid))),
  };
  return workshop;
}

function startDaemon(
  directory: string,
  {
    prefix = [],
    nodeOptions = [],
    installed = [process.execPath, ...nodeOptions, PROGRAM],
    options = [],
  }: Readonly<Partial<Record<'prefix' | 'nodeOptions' | 'installed' | 'options', readonly string[]>>>,
): RunningDaemon {
  const freshd = [...installed, 'run', '--config', 'config.json', ...options];
  const [program = '', ...argv] = [...prefix, ...freshd];
  const child = spawn(program, argv, {
    cwd: directory,
    env: { PATH: process.env.PATH, HOME: directory, DEMO_KEY: 'key-from-the-environment' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const records: LogRecord[] = [];
  const wake = new Set<() => void>();
  const exit = once(child, 'exit');
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  createInterface({ input: child.stdout }).on('line', (line) => {
    records.push(line.startsWith('{') ? JSON.parse(line) : { event: 'printed', line });
    for (const look of wake) look();
  });

  const daemon: RunningDaemon = {
    process: child,
    pid: child.pid ?? 0,
    records,
    stderr: () => stderr,
    until: (isWanted) =>
      new Promise((found, lost) => {
        const look = () => {
          const record = records.find(isWanted);
          if (record === undefined) return;
          wake.delete(look);
          found(record);
        };
        wake.add(look);
        look();
        void exit.then(() => lost(new Error(`the daemon ended first: ${stderr}${records.map(textOf).join('\n')}`)));
      }),
    async ready() {
      await daemon.until(({ event }) => event === 'ready');
      return daemon;
    },
    async end(signal) {
      child.kill(signal);
      const [code, endedBy] = await exit;
      return code ?? endedBy;
    },
  };
  return daemon;
}

const textOf = (record: LogRecord): string => JSON.stringify(record);

function get(socketPath: string, path: string): ReturnType<Workshop['get']> {
  return new Promise((resolve, reject) => {
    const call = request({ socketPath, path }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, body: JSON.parse(Buffer.concat(chunks).toString()) }),
      );
    });
    call.on('error', reject);
    call.end();
  });
}

function strays(directory: string, daemons: ReadonlySet<number>): readonly number[] {
  if (!existsSync('/proc')) return [];
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => Number.isInteger(pid) && pid > 0 && pid !== process.pid && !daemons.has(pid))
    .filter((pid) => ['cmdline', 'environ'].some((file) => textAt(`/proc/${pid}/${file}`).includes(directory)));
}

/** Empty for what ended meanwhile, and for other users' processes. */
function textAt(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error) return '';
    throw error;
  }
}
