/**
 * What a format of `freshd token` is given, and what they all share.
 *
 * Rule: types and checks; each format stands in a file of its own and knows one program that reads it.
 */
import type { TokenBody } from '../../api/protocol.ts';
import { type CommandArguments, CommandError, type CommandIo, optionValue } from '../command.ts';
import { EXIT } from '../exit-code.ts';

export interface TokenRequest {
  /** As it was asked for: a credential or a chain. */
  readonly name: string;
  /** The second word, as git and docker add one. */
  readonly operation: string | undefined;
  readonly args: CommandArguments;
  readonly io: CommandIo;
  /** Reads the token, on the terms of the options. @throws CommandError */
  readonly read: () => Promise<TokenBody>;
}

/**
 * @returns what goes to standard output
 * @throws CommandError; nothing is printed then but where the protocol of the caller wants it
 */
export type Format = (request: TokenRequest) => Promise<string>;

/** A line break in a token would end the header, or the command, that it is put into. */
export function printable({ access_token, credential }: Pick<TokenBody, 'access_token' | 'credential'>): string {
  if (/^[\x20-\x7e]+$/.test(access_token)) return access_token;
  throw new CommandError(
    `the token of ${credential} holds characters that fit into no line; use --format json`,
    EXIT.failure,
  );
}

/** The value of `--user`. @throws CommandError when it could break out of its line, or is missing without a `fallback` */
export function userOf(args: CommandArguments, { fallback, why }: { fallback?: string; why: string }): string {
  const user = optionValue(args, 'user') ?? fallback;
  if (user !== undefined && /^[^\p{Cc}]{1,320}$/u.test(user)) return user;
  throw new CommandError(`--user: expected ${why}, got ${user === undefined ? 'none' : 'another'}`, EXIT.usage);
}
