/**
 * What a command is: its words as data, and the function that does it.
 *
 * Rule: types, one error class, and the reading of arguments; a command reads its arguments, calls, prints, and returns an exit code. It never exits.
 */
import { NAME_PATTERN } from '../api/protocol.ts';
import { EXIT, type ExitCode } from './exit-code.ts';

/** The process as a command sees it; tests give their own. */
export interface CommandIo {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly home: string;
  readonly cwd: string;
  readonly platform: NodeJS.Platform;
  readonly uid: number | null;
  /** Standard output is a terminal, and colour is welcome. */
  readonly isColourful: boolean;
  readonly nowMs: () => number;
  /** Standard input, in pieces of any size; none where a command may not read it. */
  readonly input?: () => AsyncIterable<Uint8Array>;
  /** Standard output, verbatim. */
  readonly write: (text: string) => void;
  /** One line for people on standard error. */
  readonly complain: (line: string) => void;
}

export interface CommandArguments {
  readonly name: string | undefined;
  /** Of `--config` and `--socket`, and of the command's own options, by their long names. */
  readonly options: Readonly<Record<string, string | boolean | undefined>>;
}

export interface OptionSpec {
  /** Long name without dashes. */
  readonly name: string;
  /** Placeholder of its value; without one it is a switch. */
  readonly value?: string;
  readonly summary: string;
}

export interface CommandSpec {
  readonly name: string;
  readonly summary: string;
  readonly argument: 'required' | 'optional' | 'none';
  readonly options: readonly OptionSpec[];
  readonly run: (args: CommandArguments, io: CommandIo) => Promise<ExitCode>;
}

export const GLOBAL_OPTIONS: readonly OptionSpec[] = [
  { name: 'config', value: 'PATH', summary: 'the configuration (else FRESHD_CONFIG, else where it is usually kept)' },
  { name: 'socket', value: 'PATH', summary: 'the socket of the daemon (else FRESHD_SOCKET, else as configured)' },
];

/** Ends a command with one line on standard error. Never holds a secret. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
  readonly exitCode: ExitCode;
  constructor(message: string, exitCode: ExitCode, options: { cause?: unknown } = {}) {
    super(message, options);
    this.exitCode = exitCode;
  }
}

/** Runs a command; what it refuses becomes one line on standard error and an exit code. */
export async function perform(spec: CommandSpec, args: CommandArguments, io: CommandIo): Promise<ExitCode> {
  try {
    return await spec.run(args, io);
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    io.complain(`freshd: ${error.message}`);
    return error.exitCode;
  }
}

/** The value of an option that takes one. */
export function optionValue(args: CommandArguments, option: string): string | undefined {
  const value = args.options[option];
  return typeof value === 'string' ? value : undefined;
}

export const isSwitchedOn = (args: CommandArguments, option: string): boolean => args.options[option] === true;

/**
 * The credential's name, checked before it becomes part of a path.
 * @throws CommandError for what can be no name
 */
export function credentialName(args: CommandArguments): string {
  const { name = '' } = args;
  if (new RegExp(NAME_PATTERN).test(name)) return name;
  throw new CommandError(
    `NAME: expected the name of a credential (lower-case letters, digits, dot, dash, underscore; at most 63), got ${JSON.stringify(name.slice(0, 80))}`,
    EXIT.usage,
  );
}
