/**
 * `freshd classify`: what a failure means to freshd, and which rule says so; one from the arguments and standard input, or
 * many as JSON lines.
 *
 * Rule: asks no daemon, reads no configuration, and repeats nothing of what it was shown but the `id` of a line.
 */
import {
  classifyFailure,
  FAILURE_CONTEXTS,
  type FailureContext,
  type FailureSighting,
} from '../../core/classify-failure.ts';
import { PROVIDERS, type Provider } from '../../core/failure-codes.ts';
import {
  type CommandArguments,
  CommandError,
  type CommandIo,
  type CommandSpec,
  isSwitchedOn,
  optionValue,
} from '../command.ts';
import { EXIT, type ExitCode } from '../exit-code.ts';
import { readLines, readText } from '../input-lines.ts';

export const command: CommandSpec = {
  name: 'classify',
  summary:
    'say what a failure on standard input means: with --context one text, without it JSON lines ' +
    '{id, context, http_status, body_or_stderr, provider?}, each answered by {id, class, rule}',
  argument: 'none',
  options: [
    {
      name: 'context',
      value: 'CONTEXT',
      choices: FAILURE_CONTEXTS,
      summary: `who wrote it: ${FAILURE_CONTEXTS.join(', ')}`,
    },
    { name: 'status', value: 'N', summary: 'its HTTP status (0: no response at all)' },
    {
      name: 'provider',
      value: 'P',
      choices: PROVIDERS,
      summary: `whose rows of the tables count: ${PROVIDERS.join(', ')} (default: all)`,
    },
    { name: 'json', summary: 'with --context: answer as one line of JSON' },
  ],
  async run(args, io) {
    const input = io.input?.();
    if (input === undefined) throw new CommandError('classify reads standard input, and there is none', EXIT.usage);
    return optionValue(args, 'context') === undefined ? classifyLines(args, io, input) : classifyOne(args, io, input);
  },
};

async function classifyOne(args: CommandArguments, io: CommandIo, input: AsyncIterable<Uint8Array>): Promise<ExitCode> {
  const sighting = {
    context: contextOf(optionValue(args, 'context')) ?? complain('context', FAILURE_CONTEXTS.join(', '), args),
    httpStatus: statusGiven(args),
    provider: providerGiven(args),
  };
  const found = classifyFailure({ ...sighting, text: await readText(input, INPUT_CHARACTERS_MAX) });
  const lines = `class  ${found.class}\nrule   ${found.rule}\ncode   ${found.code}\n`;
  io.write(isSwitchedOn(args, 'json') ? `${JSON.stringify(found)}\n` : lines);
  return EXIT.ok;
}

async function classifyLines(
  args: CommandArguments,
  io: CommandIo,
  input: AsyncIterable<Uint8Array>,
): Promise<ExitCode> {
  for (const option of ['status', 'provider', 'json']) {
    if (args.options[option] === undefined) continue;
    throw new CommandError(`--${option} needs --context; without it, each line of JSON says it for itself`, EXIT.usage);
  }
  let exitCode: ExitCode = EXIT.ok;
  let number = 0;
  for await (const line of readLines(input, INPUT_CHARACTERS_MAX)) {
    number += 1;
    if (line.trim() === '') continue;
    const read = readLine(line);
    if (read.problem !== null) {
      io.complain(`freshd: line ${number}: ${read.problem}`);
      exitCode = EXIT.dataError;
    }
    // One line out for each line in, so that they can be laid side by side.
    const found = read.sighting === null ? { class: null, rule: 'invalid_input' } : classifyFailure(read.sighting);
    io.write(`${JSON.stringify({ id: read.id, class: found.class, rule: found.rule })}\n`);
    // Asked first: to wait for nothing would cost a turn of the event loop on each of a million lines.
    const room = io.drained?.();
    if (room !== undefined) await room;
  }
  return exitCode;
}

interface ReadLine {
  readonly id: string | number | null;
  readonly sighting: FailureSighting | null;
  readonly problem: string | null;
}

function readLine(line: string): ReadLine {
  const members = jsonObject(line);
  if (members === null) {
    const isCut = line.length >= INPUT_CHARACTERS_MAX;
    const got = isCut ? `got a line of more than ${INPUT_CHARACTERS_MAX} characters` : 'got something else';
    return { id: null, sighting: null, problem: `expected one JSON object, ${got}` };
  }
  const id = typeof members.id === 'string' || typeof members.id === 'number' ? members.id : null;
  const context = contextOf(members.context);
  if (context === null) {
    return { id, sighting: null, problem: `context: expected one of ${FAILURE_CONTEXTS.join(', ')}` };
  }
  const sighting = {
    context,
    httpStatus: statusOf(members.http_status),
    text: textOf(members.body_or_stderr),
    provider: providerOf(members.provider),
  };
  return { id, sighting, problem: null };
}

function jsonObject(line: string): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(line);
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    return isObject ? (value as Readonly<Record<string, unknown>>) : null;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

function contextOf(value: unknown): FailureContext | null {
  return FAILURE_CONTEXTS.find((context) => context === value) ?? null;
}

/** A number, or one in a string; anything else is as if it were not there. */
function statusOf(value: unknown): number | null {
  const status = typeof value === 'string' && /^\d{1,3}$/.test(value) ? Number(value) : value;
  return typeof status === 'number' && Number.isInteger(status) ? status : null;
}

/** A body that was parsed before it was put into the line is the same body. */
function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  return value === undefined || value === null ? '' : JSON.stringify(value);
}

/** One that has no rows here is as good as none. */
function providerOf(value: unknown): Provider | null {
  return PROVIDERS.find((provider) => provider === value) ?? null;
}

function statusGiven(args: CommandArguments): number | null {
  const given = optionValue(args, 'status');
  if (given === undefined) return null;
  const status = statusOf(given);
  return status !== null && status <= 599 ? status : complain('status', 'a number from 0 to 599', args);
}

function providerGiven(args: CommandArguments): Provider | null {
  const given = optionValue(args, 'provider');
  if (given === undefined) return null;
  return providerOf(given) ?? complain('provider', `one of ${PROVIDERS.join(', ')}, or none`, args);
}

function complain(option: string, expected: string, args: CommandArguments): never {
  const got = JSON.stringify(optionValue(args, option)?.slice(0, 80));
  throw new CommandError(`--${option}: expected ${expected}, got ${got}`, EXIT.usage);
}

// What a script may print, and more than any error has; the classifier looks at its beginning and its end.
const INPUT_CHARACTERS_MAX = 1_048_576;
