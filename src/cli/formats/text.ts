/**
 * The plain formats: the bare token, the daemon's whole answer, a header line, a line for a shell.
 *
 * Rule: one line each.
 */
import type { TokenBody } from '../../api/protocol.ts';
import { optionValue } from '../command.ts';
import { checkedVariable, variableFor } from '../variable.ts';
import { type Format, printable } from './contract.ts';

export const raw: Format = async ({ read }) => `${printable(await read())}\n`;

export const json: Format = async ({ read }) => `${JSON.stringify(await read())}\n`;

/** For `curl -H @FILE`, which reads lines of headers. */
export const header: Format = async ({ read }) => {
  const token = await read();
  const { scheme } = token;
  return scheme === 'bearer'
    ? `Authorization: ${typeOf(token)} ${printable(token)}\n`
    : `${scheme}: ${printable(token)}\n`;
};

/** For `eval`. */
export const env: Format = async ({ name, args, io, read }) => {
  const given = optionValue(args, 'variable');
  const chosen = given === undefined ? undefined : checkedVariable(given, 'variable');
  const token = await read();
  const variable = chosen ?? (await variableFor(name, token, args, io));
  return `export ${variable}='${printable(token).replaceAll("'", "'\\''")}'\n`;
};

/** RFC 6750 writes Bearer; servers answer with any case, and some consumers compare. */
const typeOf = ({ token_type }: TokenBody): string => (/^bearer$/i.test(token_type) ? 'Bearer' : token_type);
