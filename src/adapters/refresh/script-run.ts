/**
 * One run of a program, from its start to its end: its own session, its output in spools, its time limit.
 *
 * Rule: the run is over when the program itself ends, whatever it leaves behind; where freshd has to end it, it is over when
 * nothing of it is left.
 */
import { execa } from 'execa';
import type { ScriptRun } from '../../core/classify.ts';
import type { RunningProcess } from '../../daemon/ports.ts';
import { errnoOf } from '../port-error.ts';
import { type EndedRun, endProcesses } from './process-group.ts';
import { startTimeOf } from './process-table.ts';
import type { Spool } from './spool.ts';
import { delay } from './timer.ts';

export interface Script {
  /** Of the program, resolved. */
  readonly path: string;
  /** Without argv[0]. */
  readonly argv: readonly string[];
  readonly cwd: string;
  /** Whole and final; `FRESHD_RUN_ID` in it is how the run's processes are found again. */
  readonly environment: Readonly<Record<string, string>>;
  readonly runId: string;
  readonly timeoutMs: number;
  readonly killGraceMs: number;
  readonly spool: Spool;
  readonly cancelled: AbortSignal;
  readonly onStarted: (process: RunningProcess) => void;
}

export interface ScriptEnd extends EndedRun, Pick<ScriptRun, 'ending' | 'exitCode' | 'signal'> {
  readonly kind: 'ended';
}

export interface NotStarted {
  readonly kind: 'not_started';
  readonly errno: string | null;
}

/** Runs it; settles at the latest `timeoutMs`, `killGraceMs` and a few seconds later. */
export async function runScript(script: Script): Promise<ScriptEnd | NotStarted> {
  const { leader, exited } = start(script);
  if (leader === null) return { kind: 'not_started', errno: (await exited).errno };
  script.onStarted(leader);
  return untilEnd(script, leader, exited);
}

interface Exit {
  readonly exitCode: number | null;
  readonly signal: string | null;
  /** When it could not be started. */
  readonly errno: string | null;
}

/** At the head of a session and process group of its own. */
function start(script: Script): { readonly leader: RunningProcess | null; readonly exited: Promise<Exit> } {
  const subprocess = execa(script.path, script.argv, {
    cwd: script.cwd,
    env: script.environment,
    extendEnv: false,
    detached: true,
    reject: false,
    buffer: false,
    // Execa hands any descriptor to spawn; its types know the standard ones only.
    stdin: (script.spool.stdin as 0 | null) ?? 'ignore',
    stdout: script.spool.stdout as 1,
    stderr: script.spool.stderr as 2,
  });
  const exited = subprocess.then((result) => ({
    exitCode: result.exitCode ?? null,
    signal: result.signal ?? null,
    errno: result.code ?? errnoOf(result.cause) ?? null,
  }));
  const { pid } = subprocess;
  // Read in the same turn: only a later one can reap it, and free its pid for another.
  return { leader: pid === undefined ? null : { pid, startTime: startTimeOf(pid) }, exited };
}

/** Waits for the first of: its own end, its time limit, too much output, a cancellation; and sees it through. */
async function untilEnd(script: Script, leader: RunningProcess, exited: Promise<Exit>): Promise<ScriptEnd> {
  const over = new AbortController();
  const watch = watchSpool(script.spool, over.signal);
  const ending = await Promise.race([
    exited.then(() => 'exited' as const),
    delay(script.timeoutMs, over.signal).then(() => 'timed_out' as const),
    watch.outgrown.then(() => 'output_too_large' as const),
    aborted(script.cancelled).then(() => 'cancelled' as const),
  ]);
  const ended =
    ending === 'exited'
      ? NOTHING_ENDED
      : await endProcesses({ leader, marker: `FRESHD_RUN_ID=${script.runId}`, graceMs: script.killGraceMs });
  // After SIGKILL the status follows at once, unless the kernel cannot end the process; then nobody waits for it.
  const exit = await Promise.race([exited, delay(EXIT_STATUS_WAIT_MS, over.signal).then(() => null)]);
  over.abort();
  await watch.stopped;
  // Whoever ends by itself within one look of the watch may still have printed too much.
  const isTooLarge = ending === 'exited' && (await script.spool.outgrown());
  return {
    kind: 'ended',
    ending: isTooLarge ? 'output_too_large' : ending,
    exitCode: exit?.exitCode ?? null,
    signal: exit?.signal ?? null,
    ...ended,
  };
}

/** Looks at the size of the spools until told to stop: a script that floods is met within one look, and its files kept small. */
function watchSpool(
  spool: Spool,
  over: AbortSignal,
): { readonly outgrown: Promise<void>; readonly stopped: Promise<void> } {
  let report = (): void => undefined;
  const outgrown = new Promise<void>((resolve) => {
    report = resolve;
  });
  const look = async (): Promise<void> => {
    try {
      while (await delay(SPOOL_LOOK_MS, over)) if (await spool.outgrown()) report();
    } catch (error) {
      // A disk that fails under the spool ends the watch, not the run: whoever reads the spool will find out, and say so.
      if (errnoOf(error) === undefined) throw error;
    }
  };
  return { outgrown, stopped: look() };
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}

const NOTHING_ENDED: EndedRun = { processes: 0, survivors: [] };

// At the speed of a pipe through memory a script prints some 50 MB between two looks.
const SPOOL_LOOK_MS = 50;

const EXIT_STATUS_WAIT_MS = 1_000;
