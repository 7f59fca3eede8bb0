/**
 * What a command asks of the token that it reads: how long it must last, and how long to wait for one.
 *
 * Rule: reads arguments and makes the call; what becomes of the token is the command's business.
 */
import { PATHS, type TokenBody, WAIT_SECONDS_MAX } from '../api/protocol.ts';
import { call } from './call.ts';
import { type CommandArguments, CommandError, type CommandIo, type OptionSpec, optionValue } from './command.ts';
import { EXIT } from './exit-code.ts';
import { parseDuration } from './time.ts';

export const DEMAND_OPTIONS: readonly OptionSpec[] = [
  { name: 'min-valid', value: 'DURATION', summary: 'only a token that stays valid this long, for example 5m' },
  {
    name: 'wait',
    value: 'DURATION',
    summary: 'wait for a token at most this long (60s at most; 30s with --min-valid)',
  },
];

/** @returns the token on the terms of `--min-valid` and `--wait` */
export function readToken(name: string, args: CommandArguments, io: CommandIo): Promise<TokenBody> {
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
  return call<TokenBody>({ method: 'GET', path, waitMs }, args, io);
}

/** @returns ms, or null when the option was not given */
export function durationOf(args: CommandArguments, option: string): number | null {
  const text = optionValue(args, option);
  if (text === undefined) return null;
  const durationMs = parseDuration(text);
  if (durationMs !== null) return durationMs;
  throw new CommandError(`--${option}: expected a duration such as 30s, 5m or 1h30m, got ${text}`, EXIT.usage);
}

/** Half of what the daemon admits: longer than refresh scripts usually take, short enough for a person to sit through. */
const WAIT_MS_WITH_MIN_VALID = 30_000;
