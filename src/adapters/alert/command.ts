/**
 * The command sink: runs a program of the user's with the alert as JSON on its standard input.
 *
 * Rule: bounded, with its own process group; no token, and nothing of the program's output, passes through here.
 */
import { basename } from 'node:path';
import { execa, type Result } from 'execa';
import { type AlertSink, PortError } from '../../daemon/ports.ts';
import { endWithProcess } from '../leftover-groups.ts';
import { eventJson } from './event-json.ts';

export interface CommandSinkOptions {
  /** Program and arguments; never a shell's line. */
  readonly argv: readonly [string, ...string[]];
  readonly cwd: string;
  /** The whole environment of the program. */
  readonly environment: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
}

/** `send` throws PortError `sink_timed_out` or `sink_failed`; only exit status 0 accepts the alert. */
export function createCommandSink(options: CommandSinkOptions): AlertSink {
  const [program, ...parameters] = options.argv;
  // Arguments may hold what the user would not see in a log; the program's name is enough to find the line.
  const name = `command:${basename(program)}`;
  return {
    name,
    async send(message) {
      const child = execa(program, parameters, {
        cwd: options.cwd,
        env: options.environment,
        extendEnv: false,
        input: eventJson(message),
        stdout: 'ignore',
        stderr: 'ignore',
        detached: true,
        reject: false,
      });
      const limit = AbortSignal.timeout(options.timeoutMs);
      const end = () => endGroup(child.pid);
      limit.addEventListener('abort', end);
      // From then on the id may be another's.
      const ended = endWithProcess(child.pid);
      child.once('exit', () => {
        limit.removeEventListener('abort', end);
        ended();
      });
      const result = await child;
      if (limit.aborted && result.signal === 'SIGKILL') throw timedOut(name, options.timeoutMs);
      if (result.exitCode !== 0) throw failed(name, result);
    },
  };
}

/** At once and without a grace: an alert command has nothing to put in order. */
function endGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}

function timedOut(name: string, timeoutMs: number): PortError {
  return new PortError(`${name}: expected an end within ${timeoutMs} ms, got none; its process group was killed`, {
    code: 'sink_timed_out',
    remedy: 'run the command by hand and see what it waits for',
  });
}

/** Without a cause: execa's errors quote the arguments. */
function failed(name: string, result: Pick<Result, 'exitCode' | 'signal' | 'code'>): PortError {
  const seen = result.code ?? result.signal ?? `exit status ${result.exitCode}`;
  return new PortError(`${name}: expected exit status 0, got ${seen}`, {
    code: 'sink_failed',
    remedy:
      'check that the program is there and executable, and run it by hand with a JSON object on its standard input',
  });
}
