/**
 * The tokens of a running program, and the variables that they go into.
 *
 * Rule: a token that fits into no variable is refused before any program runs.
 */
import type { TokenEvent } from '../../api/protocol.ts';
import type { CommandArguments, CommandIo } from '../command.ts';
import { printable } from '../formats/contract.ts';
import { epochSeconds } from '../time.ts';
import { variableFor } from '../variable.ts';

export interface HeldToken {
  readonly name: string;
  readonly token: TokenEvent;
  readonly variable: string;
}

/** What every reading of a token needs here. */
export interface Holding {
  /** The variable by name, where one was asked for. */
  readonly chosen: ReadonlyMap<string, string>;
  readonly args: CommandArguments;
  readonly io: CommandIo;
}

/** Of a chain that changed over to another credential, the variable is that credential's. */
export async function holdToken(name: string, token: TokenEvent, { chosen, args, io }: Holding): Promise<HeldToken> {
  printable(token);
  return { name, token, variable: chosen.get(name) ?? (await variableFor(name, token, args, io)) };
}

/** The variables that an `.env` publication would have; undefined removes one that was inherited. */
export function variablesOf(held: readonly HeldToken[]): Record<string, string | undefined> {
  const variables: Record<string, string | undefined> = {};
  for (const { token, variable } of held) {
    const { access_token, expires_at, generation } = token;
    variables[variable] = access_token;
    variables[`${variable}_EXPIRES_AT`] = expires_at === null ? undefined : String(epochSeconds(expires_at));
    variables[`${variable}_GENERATION`] = String(generation);
  }
  return variables;
}
