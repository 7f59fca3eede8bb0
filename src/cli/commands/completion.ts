/**
 * `freshd completion SHELL`: a completion script on standard output; `names` prints what such a script offers as NAME.
 *
 * Rule: `names` never complains: somebody is in the middle of typing, and a message would land in the line.
 */
import { type CommandArguments, CommandError, type CommandIo, type CommandSpec } from '../command.ts';
import { completionScript, SHELLS } from '../completions.ts';
import { EXIT } from '../exit-code.ts';
import { knownNames } from '../known-names.ts';

/** @param commands all of them, this one included; asked for when it runs */
export function createCompletion(commands: () => readonly CommandSpec[]): CommandSpec {
  return {
    name: 'completion',
    summary: 'print the completion script of a shell',
    argument: 'required',
    argumentName: 'SHELL',
    argumentChoices: SHELLS,
    options: [],
    async run(args, io) {
      if (args.name === 'names') {
        io.write((await namesOrNone(args, io)).map((name) => `${name}\n`).join(''));
        return EXIT.ok;
      }
      const shell = SHELLS.find((known) => known === args.name);
      if (shell === undefined) {
        throw new CommandError(`SHELL: expected ${SHELLS.join(', ')}, got ${JSON.stringify(args.name)}`, EXIT.usage);
      }
      io.write(completionScript(shell, commands()));
      return EXIT.ok;
    },
  };
}

async function namesOrNone(args: CommandArguments, io: CommandIo): Promise<readonly string[]> {
  try {
    return await knownNames(args, io);
  } catch (error) {
    if (error instanceof CommandError) return [];
    throw error;
  }
}
