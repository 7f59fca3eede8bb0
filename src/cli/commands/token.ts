/**
 * `freshd token NAME`: the access token on standard output, in the shape that the reading program wants.
 *
 * Rule: the only command that prints a token; on any failure standard output stays empty, but where a format says otherwise.
 */
import { type CommandArguments, CommandError, type CommandSpec, credentialName, optionValue } from '../command.ts';
import { EXIT } from '../exit-code.ts';
import { aws } from '../formats/aws.ts';
import type { Format } from '../formats/contract.ts';
import { docker } from '../formats/docker.ts';
import { gcloud } from '../formats/gcloud.ts';
import { git } from '../formats/git.ts';
import { kubectl } from '../formats/kubectl.ts';
import { env, header, json, raw } from '../formats/text.ts';
import { xoauth2 } from '../formats/xoauth2.ts';
import { DEMAND_OPTIONS, readToken } from '../token-demand.ts';

const FORMATS: Readonly<Record<string, Format>> = {
  raw,
  json,
  header,
  env,
  aws,
  kubectl,
  git,
  docker,
  xoauth2,
  gcloud,
};

/** Their callers add a word to the command that they are given. */
const FORMATS_WITH_OPERATION: readonly Format[] = [git, docker];

export const command: CommandSpec = {
  name: 'token',
  summary: 'print the access token of a credential',
  argument: 'required',
  secondArgument: 'OPERATION',
  options: [
    ...DEMAND_OPTIONS,
    {
      name: 'format',
      value: 'FORMAT',
      choices: Object.keys(FORMATS),
      summary: `${Object.keys(FORMATS).join(', ')} (default: raw)`,
    },
    {
      name: 'variable',
      value: 'NAME',
      summary: 'with --format env: the variable (default: as published, or NAME_TOKEN)',
    },
    { name: 'user', value: 'USER', summary: 'with --format git, docker or xoauth2: the name that goes with the token' },
  ],
  async run(args, io) {
    const name = credentialName(args);
    const format = formatOf(args);
    const [, operation] = args.words;
    if (operation !== undefined && !FORMATS_WITH_OPERATION.includes(format)) {
      throw new CommandError(
        `expected nothing after NAME but with --format git or docker, got ${JSON.stringify(operation.slice(0, 80))}`,
        EXIT.usage,
      );
    }
    io.write(await format({ name, operation, args, io, read: () => readToken(name, args, io) }));
    return EXIT.ok;
  },
};

function formatOf(args: CommandArguments): Format {
  const wanted = optionValue(args, 'format') ?? 'raw';
  const format = Object.hasOwn(FORMATS, wanted) ? FORMATS[wanted] : undefined;
  if (format !== undefined) return format;
  throw new CommandError(`--format: expected ${Object.keys(FORMATS).join(', ')}, got ${wanted}`, EXIT.usage);
}
