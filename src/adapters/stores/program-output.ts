/**
 * Runs a program for what it prints: bounded in time and output, in a process group of its own.
 *
 * Rule: nothing it prints is repeated anywhere but in the output that is returned; its stderr is not even read.
 */
import { setTimeout as wait } from 'node:timers/promises';
import { execa } from 'execa';
import { errnoOf } from '../port-error.ts';

export interface ProgramOptions {
  /** Program and arguments; never a shell's line. */
  readonly argv: readonly [string, ...string[]];
  readonly cwd: string;
  /** The whole environment of the program. */
  readonly environment: Readonly<Record<string, string>>;
  readonly timeoutMs?: number;
}

export type Run =
  | { readonly kind: 'done'; readonly output: string }
  /** `exitCode`: null when it did not exit by itself. */
  | { readonly kind: 'failed'; readonly seen: string; readonly exitCode: number | null };

export async function outputOf({ argv, cwd, environment, timeoutMs = TIMEOUT_MS }: ProgramOptions): Promise<Run> {
  const [program, ...parameters] = argv;
  const child = execa(program, parameters, {
    cwd,
    env: environment,
    extendEnv: false,
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'ignore',
    buffer: false,
    detached: true,
    reject: false,
  });
  const output = collect(child.stdout);
  const timer = new AbortController();
  const limit = wait(timeoutMs, 'timeout' as const, { signal: timer.signal });
  // Rejects only when it is called off because the command ended first.
  limit.catch(() => undefined);
  // Not the promise alone: that waits for everybody who holds the pipe. A program that cannot start settles only that.
  const ended = new Promise<'exit'>((resolve) => child.once('exit', () => resolve('exit')));
  const first = await Promise.race([ended, limit, output.overflow, child.then(() => 'exit' as const)]);
  timer.abort();
  if (first !== 'exit') {
    endGroup(child.pid);
    child.stdout.destroy();
    const seen = first === 'timeout' ? `no end within ${timeoutMs} ms` : `more than ${OUTPUT_LENGTH_MAX} bytes`;
    return { kind: 'failed', seen: `${seen}; its process group was killed`, exitCode: null };
  }
  // What it printed is in the pipe already; whoever still holds the other end is not waited for.
  const drained = new AbortController();
  await Promise.race([output.ended, wait(DRAIN_MS, undefined, { signal: drained.signal }).catch(() => undefined)]);
  drained.abort();
  child.stdout.destroy();
  const { exitCode, signal, code } = await child;
  if (exitCode === 0) return { kind: 'done', output: output.text() };
  return { kind: 'failed', seen: code ?? signal ?? `exit status ${exitCode}`, exitCode: exitCode ?? null };
}

function collect(stdout: NodeJS.ReadableStream) {
  const chunks: Buffer[] = [];
  let length = 0;
  const overflow = new Promise<'overflow'>((resolve) => {
    stdout.on('data', (chunk: Buffer) => {
      length += chunk.length;
      if (length > OUTPUT_LENGTH_MAX) resolve('overflow');
      else chunks.push(chunk);
    });
  });
  const ended = new Promise<void>((resolve) => stdout.once('end', resolve).once('close', resolve));
  return { overflow, ended, text: () => Buffer.concat(chunks).toString('utf8') };
}

/** At once and without a grace: a command that only prints has nothing to put in order. */
function endGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch (error) {
    if (errnoOf(error) !== 'ESRCH') throw error;
  }
}

// Below the limit of a store check, so that the check can still tell what happened.
const TIMEOUT_MS = 9_000;

// From a pipe into this process: milliseconds.
const DRAIN_MS = 500;

// Several times the largest token.
const OUTPUT_LENGTH_MAX = 256 * 1024;
