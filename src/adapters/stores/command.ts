/**
 * The output of a command as a store: `gh auth token`, `gcloud auth print-access-token`. The command keeps the grant.
 *
 * Rule: bounded in time and output, in a process group of its own; nothing it prints is repeated but the token itself.
 */
import { createHash } from 'node:crypto';
import { basename } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { execa } from 'execa';
import type { EpochMs } from '../../core/token.ts';
import { PortError, type StorePort, type StoreReading } from '../../daemon/ports.ts';
import { errnoOf } from '../port-error.ts';
import { type LifeOptions, readStored } from './store-codec.ts';

export interface CommandStoreOptions extends LifeOptions {
  /** Program and arguments; never a shell's line. */
  readonly argv: readonly [string, ...string[]];
  readonly cwd: string;
  /** The whole environment of the command. */
  readonly environment: Readonly<Record<string, string>>;
  /** Wall clock: dates a token that does not say when it was issued. */
  readonly now: () => EpochMs;
  readonly timeoutMs?: number;
}

/** Each read runs the command, so `readIfChanged` costs a run too. */
export function createCommandStore(options: CommandStoreOptions): StorePort {
  let seen: { readonly digest: string; readonly at: EpochMs } | null = null;

  async function read(): Promise<{ readonly reading: StoreReading; readonly isNew: boolean }> {
    const run = await runCommand(options);
    if (run.kind === 'failed') return { reading: brokenBy(options, run.seen), isNew: true };
    const digest = createHash('sha256').update(run.output).digest('base64');
    const isNew = seen?.digest !== digest;
    // The same token is as old as when it was first seen, not as young as this run.
    const at = seen !== null && !isNew ? seen.at : options.now();
    seen = { digest, at };
    return { reading: readStored({ access_token: run.output.trim() }, at, options), isNew };
  }

  return {
    path: null,
    read: async () => (await read()).reading,
    readIfChanged: async () => {
      const { reading, isNew } = await read();
      return isNew ? reading : { kind: 'unchanged' };
    },
    write: async () => {
      const remedy = 'let the command renew its own grant, or keep the credential in a file';
      throw new PortError(`did not write: the output of a command cannot be written; ${remedy}`, {
        code: 'store_read_only',
        remedy,
      });
    },
    // Nothing is shared that a lock could guard: the command guards its own files.
    lock: async () => async () => undefined,
  };
}

type Run = { readonly kind: 'done'; readonly output: string } | { readonly kind: 'failed'; readonly seen: string };

async function runCommand({ argv, cwd, environment, timeoutMs = TIMEOUT_MS }: CommandStoreOptions): Promise<Run> {
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
    return { kind: 'failed', seen: `${seen}; its process group was killed` };
  }
  // What it printed is in the pipe already; whoever still holds the other end is not waited for.
  const drained = new AbortController();
  await Promise.race([output.ended, wait(DRAIN_MS, undefined, { signal: drained.signal }).catch(() => undefined)]);
  drained.abort();
  child.stdout.destroy();
  const { exitCode, signal, code } = await child;
  if (exitCode === 0) return { kind: 'done', output: output.text() };
  return { kind: 'failed', seen: code ?? signal ?? `exit status ${exitCode}` };
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

/** Arguments may hold what the user would not see in a log; the program's name is enough to find it. */
function brokenBy({ argv }: CommandStoreOptions, seen: string): StoreReading {
  const name = basename(argv[0]);
  return { kind: 'broken', detail: `expected a token from the command ${name}, got ${seen}; run it by hand` };
}

// Below the limit of a store check, so that the check can still tell what happened.
const TIMEOUT_MS = 9_000;

// From a pipe into this process: milliseconds.
const DRAIN_MS = 500;

// Several times the largest token.
const OUTPUT_LENGTH_MAX = 256 * 1024;
