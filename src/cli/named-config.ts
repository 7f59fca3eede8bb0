/**
 * The configuration that a command is about: the one that was named, or the one that the daemon would load.
 *
 * Rule: whatever the command, its problems are said in the same way, and end with the same status.
 */
import { type LoadResult, loadConfig } from '../config/load.ts';
import { type CommandArguments, type CommandIo, optionValue } from './command.ts';
import { EXIT, type ExitCode } from './exit-code.ts';
import { captureOf } from './socket-place.ts';

export function loadNamedConfig(args: CommandArguments, io: CommandIo): Promise<LoadResult> {
  return loadConfig({
    path: optionValue(args, 'config'),
    socket: optionValue(args, 'socket'),
    capture: captureOf(io),
  });
}

/** Says every problem. @returns the status to end with */
export function complainOf({ problems, kind }: Extract<LoadResult, { ok: false }>, io: CommandIo): ExitCode {
  for (const problem of problems) io.complain(problem);
  return kind === 'system' ? EXIT.system : EXIT.configuration;
}
