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
  /** Rows of the terminal that standard output is, as they are now; none where it is no terminal. */
  readonly terminalRows?: (() => number) | undefined;
  readonly nowMs: () => number;
  /** Standard input, in pieces of any size; none where a command may not read it. */
  readonly input?: () => AsyncIterable<Uint8Array>;
  /** Asks the person at the terminal for a line; none where nobody sits there. */
  readonly ask?: (question: string) => Promise<string>;
  /** Calls `listener` instead of what the signal would do by itself. @returns how to go back; none where no signals come */
  readonly onSignal?: (name: NodeJS.Signals, listener: () => void) => () => void;
  /** Standard output, verbatim. */
  readonly write: (text: string) => void;
  /** One line for people on standard error. */
  readonly complain: (line: string) => void;
  /** For a command that writes without end: resolves when both have room again; undefined where they have it now. */
  readonly drained?: () => Promise<unknown> | undefined;
}

export interface CommandArguments {
  readonly name: string | undefined;
  /** All words after the command, the name among them. */
  readonly words: readonly string[];
  /** What follows `--`, for a command that runs another one; else empty. */
  readonly rest: readonly string[];
  /** Of `--config` and `--socket`, and of the command's own options, by their long names. */
  readonly options: Readonly<Record<string, string | boolean | readonly (string | boolean)[] | undefined>>;
}

export interface OptionSpec {
  /** Long name without dashes. */
  readonly name: string;
  /** Placeholder of its value; without one it is a switch. */
  readonly value?: string;
  /** May be given again and again; each value counts. */
  readonly isRepeatable?: true;
  /** All that the value may be, where these are known beforehand. */
  readonly choices?: readonly string[];
  readonly summary: string;
}

export interface CommandSpec {
  readonly name: string;
  readonly summary: string;
  /** `many`: one or more; `any`: none, or more. */
  readonly argument: 'required' | 'optional' | 'none' | 'many' | 'any';
  /** Placeholder of the argument where it is not the name of a credential or chain (`NAME`). */
  readonly argumentName?: string;
  /** All that the argument may be, where these are known beforehand. */
  readonly argumentChoices?: readonly string[];
  /** Placeholder of a word that may follow the name. */
  readonly secondArgument?: string;
  /** Placeholder of what follows `--`: the words of another program, of which nothing is ours. */
  readonly rest?: string;
  readonly options: readonly OptionSpec[];
  /** @returns an exit code; `exec` alone returns one that is not freshd's own */
  readonly run: (args: CommandArguments, io: CommandIo) => Promise<number>;
}

export const GLOBAL_OPTIONS: readonly OptionSpec[] = [
  { name: 'config', value: 'PATH', summary: 'the configuration (else FRESHD_CONFIG, else where it is usually kept)' },
  { name: 'socket', value: 'PATH', summary: 'the socket of the daemon (else FRESHD_SOCKET, else as configured)' },
];

/** Ends a command with one line on standard error. Never holds a secret. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
  readonly exitCode: ExitCode;
  /** For standard output: empty but where the caller's protocol wants failures there too. */
  readonly output: string;
  constructor(message: string, exitCode: ExitCode, options: { cause?: unknown; output?: string } = {}) {
    super(message, options);
    this.exitCode = exitCode;
    this.output = options.output ?? '';
  }
}

/** Runs a command; what it refuses becomes one line on standard error and an exit code. */
export async function perform(spec: CommandSpec, args: CommandArguments, io: CommandIo): Promise<number> {
  try {
    return await spec.run(args, io);
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    if (error.output !== '') io.write(error.output);
    io.complain(`freshd: ${error.message}`);
    return error.exitCode;
  }
}

/** Parts our own words from those of a program that is to be run. */
export function splitRest(
  argv: readonly string[],
  spec: CommandSpec,
): { readonly own: readonly string[]; readonly rest: readonly string[] } {
  const at = spec.rest === undefined ? -1 : argv.indexOf('--');
  return at === -1 ? { own: argv, rest: [] } : { own: argv.slice(0, at), rest: argv.slice(at + 1) };
}

/** The value of an option that takes one. */
export function optionValue(args: CommandArguments, option: string): string | undefined {
  const value = args.options[option];
  return typeof value === 'string' ? value : undefined;
}

/** The values of an option that may be repeated. */
export function optionValues(args: CommandArguments, option: string): readonly string[] {
  const values = args.options[option];
  return Array.isArray(values) ? values.filter((value) => typeof value === 'string') : [];
}

export const isSwitchedOn = (args: CommandArguments, option: string): boolean => args.options[option] === true;

/**
 * The credential's name, checked before it becomes part of a path.
 * @throws CommandError for what can be no name
 */
export function credentialName({ name = '' }: Pick<CommandArguments, 'name'>): string {
  if (new RegExp(NAME_PATTERN).test(name)) return name;
  throw new CommandError(
    `NAME: expected the name of a credential (lower-case letters, digits, dot, dash, underscore; at most 63), got ${JSON.stringify(name.slice(0, 80))}`,
    EXIT.usage,
  );
}
