/**
 * The spelling of a value in an env file, such that every reader of it gets the same value back.
 *
 * Rule: the readers are dotenv, `sh` (`set -a; . ./file`), systemd's EnvironmentFile and python-dotenv; what one of them
 * would read differently is refused, and the message names the kind of character, never the value.
 */
import { PortError } from '../../daemon/ports.ts';

/**
 * @returns the value as it may stand after `NAME=`: bare where that is safe, else in single quotes, else in double quotes
 * @throws PortError `value_not_representable`
 */
export function quoteEnvValue(value: string): string {
  if (PLAIN.test(value)) return value;
  refuseIfAny(value, UNQUOTABLE);
  if (!value.includes("'")) {
    refuseIfAny(value, UNQUOTABLE_SINGLE);
    return `'${value}'`;
  }
  refuseIfAny(value, UNQUOTABLE_DOUBLE);
  return `"${value}"`;
}

interface Refusal {
  readonly pattern: RegExp;
  readonly contains: string;
}

function refuseIfAny(value: string, refusals: readonly Refusal[]): void {
  const refusal = refusals.find(({ pattern }) => pattern.test(value));
  if (refusal === undefined) return;
  const remedy = 'read it from a token file or the socket instead';
  throw new PortError(
    `expected a value that all readers of an env file read alike, got one with ${refusal.contains}; ${remedy}`,
    { code: 'value_not_representable', remedy },
  );
}

// What bearer tokens are made of (RFC 6750 §2.1), and a few more that no reader gives a meaning. A shell expands `~` at the
// start and after a colon, and some expand `=name`.
const PLAIN = /^(?:[A-Za-z0-9._+/@%,-]|(?<=[^~:=])~|:|(?<!^)=)+$/;

const UNQUOTABLE: readonly Refusal[] = [
  // dotenv reads CR as LF; and one variable a line is what people and `grep` expect.
  { pattern: /[\n\r]/, contains: 'a line break' },
  { pattern: /\0/, contains: 'a NUL' },
  { pattern: /[^\P{Cc}\t]/u, contains: 'a control character' },
  // systemd drops the whole assignment.
  { pattern: /[\p{Surrogate}\p{Noncharacter_Code_Point}]/u, contains: 'a code point that is no character' },
  // python-dotenv expands it in any kind of quotes.
  { pattern: /\$\{/, contains: 'a dollar sign before a brace' },
];

const UNQUOTABLE_SINGLE: readonly Refusal[] = [
  // python-dotenv makes one of two, the others do not.
  { pattern: /\\\\/, contains: 'two backslashes in a row' },
  // dotenv and python-dotenv see an escaped quote, and read on to the next one in the file.
  { pattern: /\\$/, contains: 'a backslash at its end' },
];

const UNQUOTABLE_DOUBLE: readonly Refusal[] = [
  // A shell and systemd want these escaped, dotenv would keep the backslash.
  { pattern: /"/, contains: 'both kinds of quotes' },
  { pattern: /[$`\\]/, contains: 'a single quote beside a dollar sign, backtick or backslash' },
];
