/**
 * The credential's name on the command line.
 *
 * Rule: checked before it becomes part of a path.
 */
import { NAME_PATTERN } from '../api/protocol.ts';
import { type CommandArguments, CommandError } from './command.ts';
import { EXIT } from './exit-code.ts';

/** @throws CommandError for what can be no name */
export function credentialName(args: CommandArguments): string {
  const { name = '' } = args;
  if (new RegExp(NAME_PATTERN).test(name)) return name;
  throw new CommandError(
    `NAME: expected the name of a credential (lower-case letters, digits, dot, dash, underscore; at most 63), got ${JSON.stringify(name.slice(0, 80))}`,
    EXIT.usage,
  );
}
