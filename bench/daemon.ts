/**
 * Real daemons to measure: a folder with stores and a configuration, a process of freshd in it, and what /proc says of it.
 *
 * Rule: everything lies in one folder of its own and is gone in the end; processes are ended by their id, and only ours.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';

export const PROGRAM = resolve('bin/freshd.js');

/** Without NODE_EXTRA_CA_CERTS: that variable alone costs every start of Node 85 ms, in which everything else would drown. */
export const ENVIRONMENT: NodeJS.ProcessEnv = { PATH: process.env.PATH, HOME: '/nonexistent', LANG: 'C.UTF-8' };

export interface Site {
  readonly directory: string;
  /** On memory-backed storage where there is some, as a service manager gives it. */
  readonly runtimeDirectory: string;
  readonly socketPath: string;
  readonly storesDirectory: string;
  readonly tokensDirectory: string;
}

export interface SiteOptions {
  readonly credentials: number;
  /** One more credential, expired, of which the refresh never ends. */
  readonly withHangingRefresh?: boolean;
}

const running = new Set<ChildProcess>();
const directories = new Set<string>();

/** A folder with that many credentials, named c0, c1, …, each with eight hours to live and a script that would refresh it. */
export function createSite({ credentials, withHangingRefresh = false }: SiteOptions): Site {
  const directory = makeDirectory(tmpdir());
  const runtimeDirectory = makeDirectory(existsSync(MEMORY_BACKED) ? MEMORY_BACKED : directory);
  const storesDirectory = join(directory, 'stores');
  mkdirSync(storesDirectory, { mode: 0o700 });
  writeFileSync(join(directory, 'refresh.sh'), '#!/bin/sh\nexit 75\n', { mode: 0o700 });
  writeFileSync(join(directory, 'hang.sh'), '#!/bin/sh\nexec sleep 600\n', { mode: 0o700 });
  const names = Array.from({ length: credentials }, (_, index) => `c${index}`);
  for (const name of names) writeStore(storesDirectory, name, { lifeSeconds: 8 * 3_600 });
  if (withHangingRefresh) writeStore(storesDirectory, 'hangs', { lifeSeconds: -60 });
  const entry = (name: string, command: string) => [
    name,
    { store: { format: 'token-response', path: `stores/${name}` }, refresh: { command: [command] } },
  ];
  const config = {
    stateDirectory: 'state',
    socket: { path: 'freshd.sock' },
    defaults: { refreshTimeoutSeconds: 600 },
    credentials: Object.fromEntries([
      ...names.map((name) => entry(name, './refresh.sh')),
      ...(withHangingRefresh ? [entry('hangs', './hang.sh')] : []),
    ]),
    alerts: { sinks: [{ type: 'log' }] },
  };
  writeFileSync(join(directory, 'config.json'), JSON.stringify(config), { mode: 0o600 });
  const socketPath = join(directory, 'freshd.sock');
  return {
    directory,
    runtimeDirectory,
    socketPath,
    storesDirectory,
    tokensDirectory: join(runtimeDirectory, 'tokens'),
  };
}

export function makeDirectory(parent: string): string {
  const directory = mkdtempSync(join(parent, 'freshd-bench-'));
  directories.add(directory);
  return directory;
}

function writeStore(directory: string, name: string, { lifeSeconds }: { lifeSeconds: number }): void {
  const now = Math.floor(Date.now() / 1000);
  const store = {
    // As long as those of the large providers, and told apart by its end.
    access_token: `bench-${'x'.repeat(100)}-${name}`,
    token_type: 'Bearer',
    expires_in: 8 * 3_600,
    obtained_at: now - 8 * 3_600 + lifeSeconds,
    refresh_token: `refresh-${'y'.repeat(100)}-${name}`,
  };
  writeFileSync(join(directory, name), JSON.stringify(store), { mode: 0o600 });
}

/** @returns the process, once it says `event` on its standard output */
export async function startUntil(
  event: string,
  argv: readonly string[],
  options: { readonly cwd: string; readonly input?: string; readonly runtimeDirectory?: string },
): Promise<ChildProcess & { readonly pid: number }> {
  const { cwd, input, runtimeDirectory } = options;
  const env = { ...ENVIRONMENT, ...(runtimeDirectory === undefined ? {} : { RUNTIME_DIRECTORY: runtimeDirectory }) };
  const child = spawn(process.execPath, argv, { cwd, env, stdio: ['pipe', 'pipe', 'inherit'] });
  running.add(child);
  child.once('exit', () => running.delete(child));
  child.stdin.end(input ?? '');
  await new Promise<void>((found, lost) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (line.startsWith('{') && (JSON.parse(line) as { event?: string }).event === event) found();
    });
    child.once('exit', (code) => lost(new Error(`${argv.join(' ')} ended with ${code} before it said ${event}`)));
  });
  return child as ChildProcess & { readonly pid: number };
}

export const startDaemon = ({ directory, runtimeDirectory }: Site) =>
  startUntil('ready', [PROGRAM, 'run', '--config', 'config.json'], { cwd: directory, runtimeDirectory });

export async function end(child: ChildProcess): Promise<void> {
  if (!running.has(child)) return;
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  // A second one cancels the run that never ends.
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), END_MS_MAX);
  await exited;
  clearTimeout(timer);
}

export async function cleanUp(): Promise<void> {
  await Promise.all([...running].map(end));
  for (const directory of directories) rmSync(directory, { recursive: true, force: true });
  directories.clear();
}

/** In KB. PSS counts a page that processes share by its share; for one daemon among many it is what it really costs. */
export function memoryOf(pid: number): { readonly rssKb: number; readonly pssKb: number } {
  const number = (path: string, pattern: RegExp) => Number(pattern.exec(readFileSync(path, 'utf8'))?.[1]);
  return {
    rssKb: number(`/proc/${pid}/status`, /^VmRSS:\s+(\d+) kB$/m),
    pssKb: number(`/proc/${pid}/smaps_rollup`, /^Pss:\s+(\d+) kB$/m),
  };
}

/** Processor time that the process has used, user and system, in ms. */
export function processorMsOf(pid: number): number {
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * MS_PER_TICK;
}

// USER_HZ: the kernel's ABI reports 100 ticks a second on every architecture that Node runs on.
const MS_PER_TICK = 10;

const MEMORY_BACKED = '/dev/shm';

// A stop waits for a script's grace; more than this is a hang.
const END_MS_MAX = 15_000;
