/** Builds a refresh by one of the fixture scripts, in a directory of its own, and looks at the processes it leaves. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { onTestFinished, vi } from 'vitest';
import { type CommandRefreshOptions, createCommandRefresh } from '../../../src/adapters/refresh/command.ts';
import type { Failure } from '../../../src/core/failure.ts';
import { epochMs, type TokenSet } from '../../../src/core/token.ts';
import type { RefreshOutcome, RefreshPort, RefreshRequest, RunningProcess } from '../../../src/daemon/ports.ts';

export const FIXTURES = fileURLToPath(new URL('../../fixtures/scripts/', import.meta.url));

export const STORED: TokenSet = {
  accessToken: 'stored-access-token-4711',
  refreshToken: 'stored-refresh-token-0815',
  tokenType: 'Bearer',
  obtainedAt: null,
  notBefore: null,
  expiry: { kind: 'known', expiresAt: epochMs(0) },
  refreshTokenExpiresAt: null,
  account: null,
};

export interface RunningScript {
  readonly refresh: RefreshPort;
  readonly directory: string;
  readonly spoolDirectory: string;
  /** What the adapter logged. */
  readonly logged: { level: string; event: string; fields: Readonly<Record<string, unknown>> }[];
  /** What was reported as started, of all runs. */
  readonly started: RunningProcess[];
  run(request?: Partial<RefreshRequest>): Promise<RefreshOutcome>;
  /** Resolves when the script has said so; @returns the pids that it wrote down. */
  pids(): Promise<number[]>;
  spools(): string[];
}

export function runningScript(argv: readonly string[], overrides: Partial<CommandRefreshOptions> = {}): RunningScript {
  const directory = mkdtempSync(join(tmpdir(), 'freshd-refresh-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const pidsFile = join(directory, 'pids');
  const spoolDirectory = overrides.spoolDirectory ?? join(directory, 'spool');
  const logged: RunningScript['logged'] = [];
  const started: RunningProcess[] = [];
  const [name = '', ...rest] = argv;
  const { environment, ...others } = overrides;
  const refresh = createCommandRefresh({
    argv: [name.endsWith('.sh') && !name.includes('/') ? join(FIXTURES, name) : name, ...rest],
    cwd: directory,
    result: 'stdout',
    input: 'none',
    timeoutMs: 20_000,
    killGraceMs: 200,
    rotates: true,
    environment: { PATH: process.env.PATH ?? '', FIXTURE_PIDS: pidsFile, ...environment },
    spoolDirectory,
    log: (level, event, fields) => logged.push({ level, event, fields }),
    ...others,
  });
  const pids = async (): Promise<number[]> => {
    await vi.waitFor(() => readFileSync(pidsFile), { timeout: 10_000, interval: 10 });
    return readFileSync(pidsFile, 'utf8').trim().split('\n').map(Number);
  };
  // A failed test must not leave what it started.
  onTestFinished(() => {
    if (existsSync(pidsFile)) for (const pid of readPids(pidsFile)) kill(pid);
  });
  return {
    refresh,
    directory,
    spoolDirectory,
    logged,
    started,
    run: (request) => refresh.run({ ...requestFor('1'), ...request }, (process_) => started.push(process_)),
    pids,
    spools: () => (existsSync(spoolDirectory) ? readdirSync(spoolDirectory) : []),
  };
}

export function requestFor(name: string): RefreshRequest {
  return {
    credential: 'demo',
    attempt: Number(name),
    reason: 'due',
    runId: `run-${process.pid}-${name}-${Math.random().toString(36).slice(2)}`,
    storePath: '/nowhere/demo.json',
    tokens: STORED,
  };
}

export function failureOf(outcome: RefreshOutcome): Failure {
  if (outcome.kind !== 'failure') throw new Error(`expected a failure, got ${outcome.kind}`);
  return outcome.failure;
}

/** Of those given, the ones that run; the dead that nobody has reaped yet do not. */
export function alive(pids: readonly number[]): number[] {
  return pids.filter((pid) => {
    try {
      process.kill(pid, 0);
      return !existsSync(`/proc/${pid}/stat`) || !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'latin1'));
    } catch {
      return false;
    }
  });
}

function readPids(file: string): number[] {
  return readFileSync(file, 'utf8').trim().split('\n').map(Number);
}

export function kill(pid: number): void {
  if (alive([pid]).length > 0) process.kill(pid, 'SIGKILL');
}
