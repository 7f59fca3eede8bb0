/**
 * `freshd token NAME`: the access token on standard output, and nothing else there.
 *
 * Rule: the only command that prints a token; on any failure standard output stays empty.
 */
import { PATHS, type TokenBody, WAIT_SECONDS_MAX } from '../../api/protocol.ts';
import { call } from '../call.ts';
import { type CommandArguments, CommandError, type CommandSpec, credentialName, optionValue } from '../command.ts';
import { EXIT } from '../exit-code.ts';
import { parseDuration } from '../time.ts';

export const command: CommandSpec = {
  name: 'token',
  summary: 'print the access token of a credential',
  argument: 'required',
  options: [
    { name: 'min-valid', value: 'DURATION', summary: 'only a token that stays valid this long, for example 5m' },
    {
      name: 'wait',
      value: 'DURATION',
      summary: 'wait for a token at most this long (60s at most; 30s with --min-valid)',
    },
    { name: 'format', value: 'FORMAT', summary: 'raw (default), json, header or env' },
    { name: 'variable', value: 'NAME', summary: 'with --format env: the variable (default: NAME_ACCESS_TOKEN)' },
  ],
  async run(args, io) {
    const name = credentialName(args);
    const format = formatOf(args);
    const variable = variableOf(args, name);
    const minValidMs = durationOf(args, 'min-valid');
    const waitMs = durationOf(args, 'wait') ?? (minValidMs === null ? 0 : WAIT_MS_WITH_MIN_VALID);
    if (waitMs > WAIT_SECONDS_MAX * 1000) {
      throw new CommandError(
        `--wait: expected at most ${WAIT_SECONDS_MAX}s, got ${optionValue(args, 'wait')}`,
        EXIT.usage,
      );
    }
    const query = new URLSearchParams();
    if (minValidMs !== null) query.set('min_valid_seconds', String(minValidMs / 1000));
    if (waitMs > 0) query.set('wait_seconds', String(waitMs / 1000));
    const path = query.size === 0 ? PATHS.token(name) : `${PATHS.token(name)}?${query}`;
    const token = await call<TokenBody>({ method: 'GET', path, waitMs }, args, io);
    io.write(`${format(token, variable)}\n`);
    return EXIT.ok;
  },
};

type Format = (token: TokenBody, variable: string) => string;

const FORMATS: Readonly<Record<string, Format>> = {
  raw: (token) => printable(token),
  json: (token) => JSON.stringify(token),
  header: (token) => `Authorization: ${schemeOf(token)} ${printable(token)}`,
  env: (token, variable) => `export ${variable}='${printable(token).replaceAll("'", "'\\''")}'`,
};

function formatOf(args: CommandArguments): Format {
  const wanted = optionValue(args, 'format') ?? 'raw';
  const format = Object.hasOwn(FORMATS, wanted) ? FORMATS[wanted] : undefined;
  if (format !== undefined) return format;
  throw new CommandError(`--format: expected ${Object.keys(FORMATS).join(', ')}, got ${wanted}`, EXIT.usage);
}

function durationOf(args: CommandArguments, option: string): number | null {
  const text = optionValue(args, option);
  if (text === undefined) return null;
  const durationMs = parseDuration(text);
  if (durationMs !== null) return durationMs;
  throw new CommandError(`--${option}: expected a duration such as 30s, 5m or 1h30m, got ${text}`, EXIT.usage);
}

function variableOf(args: CommandArguments, name: string): string {
  const given = optionValue(args, 'variable');
  if (given === undefined) return `${name.toUpperCase().replace(/^(?=\d)|[^A-Z0-9_]/g, '_')}_ACCESS_TOKEN`;
  if (/^[A-Za-z_][A-Za-z0-9_]*$/.test(given)) return given;
  throw new CommandError(`--variable: expected the name of a shell variable, got ${given}`, EXIT.usage);
}

/** A line break in a token would end the header, or the command, that it is put into. */
function printable({ access_token, credential }: TokenBody): string {
  if (/^[\x20-\x7e]+$/.test(access_token)) return access_token;
  throw new CommandError(
    `the token of ${credential} holds characters that fit into no line; use --format json`,
    EXIT.failure,
  );
}

/** RFC 6750 writes Bearer; servers answer with any case, and some consumers compare. */
const schemeOf = ({ token_type }: TokenBody): string => (/^bearer$/i.test(token_type) ? 'Bearer' : token_type);

/** Half of what the daemon admits: longer than refresh scripts usually take, short enough for a person to sit through. */
const WAIT_MS_WITH_MIN_VALID = 30_000;
