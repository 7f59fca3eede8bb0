/**
 * Under which name a token goes into an environment.
 *
 * Rule: as the configuration publishes it, so that a program finds the same name in its `.env` file and in its environment.
 */
import { type CredentialBody, PATHS, type TokenBody } from '../api/protocol.ts';
import { call } from './call.ts';
import { type CommandArguments, CommandError, type CommandIo } from './command.ts';
import { EXIT } from './exit-code.ts';

/**
 * The variable under which the credential is published, else the name in capitals with `_TOKEN` behind it.
 * @param name as it was asked for: a chain answers with the credential in use, whose variable is meant
 */
export async function variableFor(
  name: string,
  { credential }: Pick<TokenBody, 'credential'>,
  args: CommandArguments,
  io: CommandIo,
): Promise<string> {
  const { variable } = await describe(credential, args, io);
  return variable ?? `${name.toUpperCase().replace(/^(?=\d)|[^A-Z0-9_]/g, '_')}_TOKEN`;
}

/** A reader who may have the token but not look at the credential gets the name that nobody configured. */
async function describe(
  credential: string,
  args: CommandArguments,
  io: CommandIo,
): Promise<Pick<CredentialBody, 'variable'>> {
  try {
    return await call<CredentialBody>({ method: 'GET', path: PATHS.credential(credential) }, args, io);
  } catch (error) {
    const isRefused = error instanceof CommandError && error.exitCode === EXIT.failure;
    if (isRefused) return { variable: null };
    throw error;
  }
}

/** @throws CommandError for what no shell takes for a variable; `option` is named in it */
export function checkedVariable(variable: string, option: string): string {
  if (/^[A-Za-z_][A-Za-z0-9_]*$/.test(variable)) return variable;
  throw new CommandError(`--${option}: expected the name of a shell variable, got ${variable}`, EXIT.usage);
}
