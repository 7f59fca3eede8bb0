/**
 * The refresh script: one run of a user's program per attempt, by the contract that docs and scripts share.
 *
 * Rule: a run always settles, within its timeout, grace and a few seconds. The result is taken when the script itself
 * ends; a run that freshd ends is swept to its last process, a run that ended by itself is left alone.
 */
import { classifyScriptResult, type ResultKind, type ScriptVerdict } from '../../core/classify.ts';
import type { Failure } from '../../core/failure.ts';
import type { LogPort, RefreshOutcome, RefreshPort, RefreshRequest, RunningProcess } from '../../daemon/ports.ts';
import { errnoOf } from '../port-error.ts';
import { clip, decodeStdout, lastUsefulLine, secretsIn } from './output.ts';
import { startTimeOf } from './process-table.ts';
import { inspectProgram } from './program.ts';
import { runScript, type ScriptEnd } from './script-run.ts';
import { openSpool, type Spool } from './spool.ts';

export interface CommandRefreshOptions {
  readonly argv: readonly string[];
  /** Where relative paths of argv begin, and where the script runs: the config's folder. */
  readonly cwd: string;
  readonly result: ResultKind;
  /** `token`: the stored tokens come on stdin, as one line of JSON in the shape of RFC 6749 §5.1. */
  readonly input: 'none' | 'token';
  readonly timeoutMs: number;
  readonly killGraceMs: number;
  readonly rotates: boolean;
  /** All that the script gets, but for the `FRESHD_…` of each run; see `childEnvironment`. */
  readonly environment: Readonly<Record<string, string>>;
  /** Private to this daemon, in its state directory; created when missing. */
  readonly spoolDirectory: string;
  readonly log: LogPort['write'];
}

export function createCommandRefresh(options: CommandRefreshOptions): RefreshPort {
  const program = {
    name: options.argv[0] ?? '',
    cwd: options.cwd,
    searchPath: options.environment.PATH ?? DEFAULT_PATH,
  };
  let running: { readonly attempt: number; readonly cancellation: AbortController } | null = null;
  /** What no SIGKILL has ended yet; nothing more is sent while it may still be sending. */
  let survivors: readonly RunningProcess[] = [];
  /** Holds an answer that is recorded nowhere else yet. */
  let kept: readonly KeptSpool[] = [];

  async function run(request: RefreshRequest, onStarted: (process: RunningProcess) => void): Promise<RefreshOutcome> {
    survivors = survivors.filter((left) => startTimeOf(left.pid) === left.startTime);
    if (running !== null || survivors.length > 0) return failed(STILL_RUNNING);
    const cancellation = new AbortController();
    running = { attempt: request.attempt, cancellation };
    try {
      const inspected = await inspectProgram(program);
      if (inspected.kind === 'obstacle') return failed(inspected.failure);
      await forgetLate();
      const finished = await runOnce({
        options,
        request,
        path: inspected.path,
        cancelled: cancellation.signal,
        onStarted,
      });
      survivors = finished.survivors;
      if (finished.kept !== null) kept = [...kept, { attempt: request.attempt, spool: finished.kept }];
      return finished.outcome;
    } finally {
      running = null;
    }
  }

  /** The journal names the new run by now: an answer that came too late for its own attempt is found by nobody any more. */
  const forgetLate = (): Promise<void> => removeKept(() => true);

  /** What a disk does not let go of is tried again at the next run. */
  async function removeKept(isOver: (one: KeptSpool) => boolean): Promise<void> {
    for (const one of kept.filter(isOver)) {
      if (await isDone(one.spool.remove(), options.log)) kept = kept.filter((other) => other !== one);
    }
  }

  return {
    run,
    async obstacle() {
      const inspected = await inspectProgram(program);
      return inspected.kind === 'obstacle' ? inspected.failure : null;
    },
    cancel(attempt) {
      if (running?.attempt === attempt) running.cancellation.abort();
    },
    closed: (attempt) => removeKept((one) => one.attempt === attempt),
  };
}

interface KeptSpool {
  readonly attempt: number;
  readonly spool: Spool;
}

interface Run {
  readonly options: CommandRefreshOptions;
  readonly request: RefreshRequest;
  /** Of the program, resolved. */
  readonly path: string;
  readonly cancelled: AbortSignal;
  readonly onStarted: (process: RunningProcess) => void;
}

interface FinishedRun {
  readonly outcome: RefreshOutcome;
  readonly survivors: readonly RunningProcess[];
  /** Removed when the attempt is closed, or as soon as its disk lets go of it. */
  readonly kept: Spool | null;
}

async function runOnce(run: Run): Promise<FinishedRun> {
  const { options, request } = run;
  let spool: Spool;
  try {
    const input = options.input === 'token' ? `${tokenJson(request)}\n` : null;
    spool = await openSpool({
      directory: options.spoolDirectory,
      runId: request.runId,
      input,
      environment: options.environment,
    });
  } catch (error) {
    return { outcome: failed(spoolFailure(error, options.spoolDirectory)), survivors: [], kept: null };
  }
  let finished: Omit<FinishedRun, 'kept'>;
  try {
    finished = await runWith(spool, run);
  } catch (error) {
    await isDone(spool.remove(), options.log);
    throw error;
  }
  // Nobody knows how long an attempt stays open, and descriptors are few.
  const isAnswered = finished.outcome.kind === 'response';
  const isOver = await isDone(isAnswered ? spool.close() : spool.remove(), options.log);
  return { ...finished, kept: isAnswered || !isOver ? spool : null };
}

async function runWith(spool: Spool, run: Run): Promise<Omit<FinishedRun, 'kept'>> {
  const { options, request } = run;
  if (run.cancelled.aborted) return { outcome: failed(CANCELLED), survivors: [] };
  const end = await runScript({
    path: run.path,
    argv: options.argv.slice(1),
    cwd: options.cwd,
    environment: { ...options.environment, ...runEnvironment(request) },
    runId: request.runId,
    timeoutMs: options.timeoutMs,
    killGraceMs: options.killGraceMs,
    spool,
    cancelled: run.cancelled,
    onStarted: run.onStarted,
  });
  if (end.kind === 'not_started') return { outcome: failed(spawnFailure(end.errno)), survivors: [] };
  if (end.ending !== 'exited') logEnded(run, end);
  return { outcome: await judgeOrDoubt(run, spool, end), survivors: end.survivors };
}

/** What a run came to does not depend on whether its files could be put away. @returns whether they could */
async function isDone(work: Promise<void>, log: CommandRefreshOptions['log']): Promise<boolean> {
  try {
    await work;
    return true;
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    log('warn', 'stale_spools_kept', { code: errnoOf(error) ?? 'unknown' });
    return false;
  }
}

function logEnded({ options, request }: Run, end: ScriptEnd): void {
  options.log(end.survivors.length > 0 ? 'error' : 'warn', 'refresh_script_ended', {
    credential: request.credential,
    attempt: request.attempt,
    code: end.ending,
    processes: end.processes,
    survivors: end.survivors.length,
  });
}

/** A spool that cannot be read may hold the answer: whatever was sent, nobody here can know. */
async function judgeOrDoubt(run: Run, spool: Spool, end: ScriptEnd): Promise<RefreshOutcome> {
  try {
    return await judge(run, spool, end);
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    const failure = spoolFailure(error, run.options.spoolDirectory);
    return failed({ ...failure, unsent: false, doubt: run.options.rotates });
  }
}

async function judge(run: Run, spool: Spool, end: ScriptEnd): Promise<RefreshOutcome> {
  const { options, request } = run;
  const output = decodeStdout(await spool.readStdout());
  const stderr = await spool.readStderr();
  const verdict: ScriptVerdict = classifyScriptResult({
    ending: end.ending,
    exitCode: end.exitCode,
    signal: end.signal,
    output,
    stderr,
    result: options.result,
    rotates: options.rotates,
  });
  if (verdict.kind !== 'failure') return verdict;
  const secrets = [...secretsOf(request), ...secretsIn(output), ...secretsInEnvironment(options.environment)];
  const said = lastUsefulLine(stderr, secrets, DETAIL_CHARACTERS_MAX);
  const detail = [verdict.failure.detail, said].filter((part) => part !== null).join(': ');
  return failed({ ...verdict.failure, detail: clip(detail, DETAIL_CHARACTERS_MAX) });
}

/** One line, no spaces, members in this order; null ones left out. Scripts may rely on it. */
function tokenJson({ tokens }: RefreshRequest): string {
  return JSON.stringify({
    access_token: tokens?.accessToken ?? undefined,
    refresh_token: tokens?.refreshToken ?? undefined,
    token_type: tokens?.tokenType,
  });
}

function runEnvironment(request: RefreshRequest): Record<string, string> {
  return {
    FRESHD_RUN_ID: request.runId,
    FRESHD_CREDENTIAL: request.credential,
    FRESHD_ATTEMPT: String(request.attempt),
    FRESHD_REASON: request.reason,
    ...(request.storePath === null ? {} : { FRESHD_STORE: request.storePath }),
  };
}

function secretsOf({ tokens }: RefreshRequest): string[] {
  return [tokens?.accessToken, tokens?.refreshToken].filter((secret) => typeof secret === 'string');
}

/** What the user routed to the script is his secret too; names tell, since values cannot. */
function secretsInEnvironment(environment: Readonly<Record<string, string>>): string[] {
  return Object.entries(environment).flatMap(([name, value]) => (SECRET_NAME.test(name) ? [value] : []));
}

function failed(failure: Failure): RefreshOutcome {
  return { kind: 'failure', failure };
}

function spoolFailure(error: unknown, directory: string): Failure {
  const seen = error instanceof Error ? error.message : String(error);
  return unsent('spool_failed', `expected to keep the script's output in ${directory} for a while: ${seen}`);
}

/** The program was there a moment ago, so this is the system's refusal: it may pass. */
function spawnFailure(errno: string | null): Failure {
  const remedy =
    errno === 'EAGAIN' ? 'too many processes: raise TasksMax= of the service, or `ulimit -u`' : 'freshd tries again';
  return unsent('spawn_failed', `the system could not start the script (${errno ?? 'no errno'}); ${remedy}`);
}

function unsent(code: string, detail: string): Failure {
  return { class: 'transient', code, doubt: false, unsent: true, origin: 'local', retryAfterMs: null, detail };
}

const CANCELLED = unsent('cancelled', 'the attempt was cancelled before its script was started');

const STILL_RUNNING = unsent(
  'script_still_running',
  'a process of the run before is still alive, and two at once could spend one refresh token twice; freshd waits for its end',
);

const SECRET_NAME = /(?:secret|token|key|password|passwd)$/i;

// What execvp(3) searches when there is no PATH.
const DEFAULT_PATH = '/bin:/usr/bin';

// A line of a terminal or two: it stands in `status` and in the log.
const DETAIL_CHARACTERS_MAX = 200;
