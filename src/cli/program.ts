/**
 * The whole command line on commander: help, usage errors, and every command.
 *
 * Rule: commands are data (`CommandSpec`); this file only tells commander about them and finds the one that was meant.
 */
import { Command, CommanderError } from 'commander';
import {
  type CommandArguments,
  type CommandIo,
  type CommandSpec,
  GLOBAL_OPTIONS,
  type OptionSpec,
  perform,
  splitRest,
} from './command.ts';
import { command as alert } from './commands/alert.ts';
import { command as check } from './commands/check.ts';
import { command as classify } from './commands/classify.ts';
import { createCompletion } from './commands/completion.ts';
import { command as doctor } from './commands/doctor.ts';
import { command as exec } from './commands/exec.ts';
import { command as explain } from './commands/explain.ts';
import { command as init } from './commands/init.ts';
import { command as login } from './commands/login.ts';
import { command as refresh } from './commands/refresh.ts';
import { command as reload } from './commands/reload.ts';
import { command as report } from './commands/report.ts';
import { command as run } from './commands/run.ts';
import { command as service } from './commands/service.ts';
import { command as status } from './commands/status.ts';
import { command as token } from './commands/token.ts';
import { command as watch } from './commands/watch.ts';
import { EXIT } from './exit-code.ts';
import { ownVersion } from './version.ts';

export const COMMANDS: readonly CommandSpec[] = [
  run,
  status,
  watch,
  token,
  exec,
  refresh,
  login,
  report,
  explain,
  classify,
  check,
  doctor,
  alert,
  reload,
  init,
  service,
  createCompletion(() => COMMANDS),
];

export async function runProgram(argv: readonly string[], io: CommandIo): Promise<number> {
  let exitCode: number = EXIT.ok;
  const program = base(new Command('freshd'), io)
    .description('keeps OAuth tokens fresh for programs that run while their owners sleep')
    .version(ownVersion(), '-V, --version');
  addOptions(program, GLOBAL_OPTIONS);
  for (const spec of COMMANDS) {
    program.addCommand(
      subcommand(spec, io, async ({ words, options }) => {
        const { rest } = splitRest(argv, spec);
        // Commander drops the two dashes and hands over all words as one list.
        const own = words.slice(0, words.length - rest.length);
        exitCode = await perform(spec, { name: own[0], words: own, rest, options }, io);
      }),
    );
  }
  try {
    await program.parseAsync(argv, { from: 'user' });
    return exitCode;
  } catch (error) {
    // Help and version also come as errors, with exit code 0; commander has printed all there is to say.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    throw error;
  }
}

type Words = Pick<CommandArguments, 'words' | 'options'>;

function subcommand(spec: CommandSpec, io: CommandIo, run: (words: Words) => Promise<void>): Command {
  const command = base(new Command(spec.name), io).description(spec.summary);
  const placeholder = argumentText(spec);
  if (placeholder !== '') command.argument(placeholder);
  if (spec.secondArgument !== undefined) command.argument(`[${spec.secondArgument}]`);
  if (spec.rest !== undefined) command.usage(`[options] ${placeholder} -- ${spec.rest}`);
  addOptions(command, [...spec.options, ...GLOBAL_OPTIONS]);
  return command.action(async () => run({ words: command.args, options: optionsOf(command) }));
}

/** As usage lines write it: required in angle brackets, optional in square ones; empty where there is none. */
function argumentText({ argument, argumentName = 'NAME' }: CommandSpec): string {
  switch (argument) {
    case 'required':
      return `<${argumentName}>`;
    case 'optional':
      return `[${argumentName}]`;
    case 'many':
      return `<${argumentName}...>`;
    case 'any':
      return `[${argumentName}...]`;
    case 'none':
      return '';
  }
}

/** By the long names that the specifications use, not by the camel case that commander makes of them. */
function optionsOf(command: Command): CommandArguments['options'] {
  const values = command.optsWithGlobals();
  // A global option stands before or after the command; the one beside the command is meant.
  const own = command.opts();
  return Object.fromEntries(
    command.options.map((option) => {
      const key = option.attributeName();
      return [option.name(), own[key] ?? values[key]];
    }),
  );
}

function addOptions(command: Command, options: readonly OptionSpec[]): void {
  for (const { name, value, isRepeatable, summary } of options) {
    const flags = value === undefined ? `--${name}` : `--${name} <${value}>`;
    if (isRepeatable) command.option(flags, summary, (next, given: readonly string[] = []) => [...given, next]);
    else command.option(flags, summary);
  }
}

function base(command: Command, io: CommandIo): Command {
  return command
    .exitOverride()
    .allowExcessArguments(false)
    .configureOutput({
      writeOut: io.write,
      writeErr: (text) => io.complain(text.trimEnd()),
      outputError: (text, write) =>
        write(
          `freshd: ${text
            .replace(/^error: /, '')
            .trim()
            .replaceAll('\n', ' ')}; see --help`,
        ),
    });
}
