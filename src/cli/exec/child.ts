/**
 * The program that `freshd exec` runs, as a process: started with our streams, signalled, stopped, and its end as an exit code.
 *
 * Rule: knows nothing of tokens. Modules of Node are loaded on demand: this file lies in one bundle with `token`, which needs
 * none of them and starts in the time of their loading.
 */
import type { ChildProcess } from 'node:child_process';
import { constants } from 'node:os';
import { CommandError } from '../command.ts';
import { EXIT } from '../exit-code.ts';
import { pause } from '../time.ts';

export interface Child {
  /** Its exit code, or 128+N when signal N ended it. */
  readonly ended: Promise<number>;
  signal(name: NodeJS.Signals): void;
  /**
   * SIGTERM to its group, and SIGKILL for what of it lives when the grace is over. A dead process that nobody has collected
   * yet counts as alive: where no init does it (a container), the grace is always waited for.
   */
  stop(graceMs: number): Promise<void>;
}

export interface ChildOptions {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  /** A group (and a session) of its own: only then can it be stopped with its children; only else can it use the terminal. */
  readonly hasOwnGroup: boolean;
}

/** @throws CommandError when there is no such program (127), or it cannot be run (126) */
export async function startChild({ argv, env, hasOwnGroup }: ChildOptions): Promise<Child> {
  const [program = '', ...options] = argv;
  const { spawn } = await import('node:child_process');
  const child = spawn(program, options, { stdio: 'inherit', env, detached: hasOwnGroup });
  const ended = new Promise<number>((resolve) => {
    child.once('exit', (code, signal) => resolve(exitCodeOf(code, signal)));
  });
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', (error: NodeJS.ErrnoException) => reject(notStarted(program, error)));
  });
  return {
    ended,
    signal: (name) => void deliver(child, name, hasOwnGroup),
    async stop(graceMs) {
      const isGoneWithin = async (limitMs: number): Promise<boolean> => {
        const isAlive = (): boolean => deliver(child, 0, hasOwnGroup);
        for (let waitedMs = 0; waitedMs < limitMs && isAlive(); waitedMs += LOOK_MS) await pause(LOOK_MS);
        return !isAlive();
      };
      deliver(child, 'SIGTERM', hasOwnGroup);
      if (!(await isGoneWithin(graceMs))) {
        deliver(child, 'SIGKILL', hasOwnGroup);
        await isGoneWithin(DEATH_MS_MAX);
      }
      await ended;
    },
  };
}

/** @returns whether there is anybody to receive it */
function deliver({ pid = 0 }: ChildProcess, signal: NodeJS.Signals | 0, toGroup: boolean): boolean {
  try {
    return process.kill(toGroup ? -pid : pid, signal);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ESRCH') return false;
    // It runs as somebody else (sudo): alive, and beyond our reach.
    if (code === 'EPERM') return true;
    throw error;
  }
}

function exitCodeOf(code: number | null, signal: NodeJS.Signals | null): number {
  return signal === null ? (code ?? EXIT.failure) : SIGNAL_BASE + constants.signals[signal];
}

function notStarted(program: string, { code }: NodeJS.ErrnoException): CommandError {
  const name = JSON.stringify(program);
  return code === 'ENOENT'
    ? new CommandError(`exec: no program ${name}, or its interpreter is missing`, EXIT.notFound)
    : new CommandError(`exec: ${name} cannot be run (${code}); is it an executable file?`, EXIT.notExecutable);
}

/** As shells report the end by a signal. */
const SIGNAL_BASE = 128;

// The kernel needs moments to take back what a killed process held, a port for example; its successor should find it free.
const DEATH_MS_MAX = 1_000;

// Nobody says when the last process of a group is gone; a twentieth of a second is no delay that a restart shows.
const LOOK_MS = 50;
