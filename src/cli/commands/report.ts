/**
 * `freshd report NAME`: tells the daemon that a server refused the token (a 401).
 *
 * Rule: a report names one generation; without `--generation` it is the present one.
 */
import { type CredentialBody, type OutcomeBody, PATHS } from '../../api/protocol.ts';
import { call } from '../call.ts';
import {
  type CommandArguments,
  CommandError,
  type CommandIo,
  type CommandSpec,
  credentialName,
  optionValue,
} from '../command.ts';
import { EXIT } from '../exit-code.ts';
import { outcomeExit, outcomeText } from '../outcome.ts';

export const command: CommandSpec = {
  name: 'report',
  summary: 'report that a server refused the token of a credential (401)',
  argument: 'required',
  options: [{ name: 'generation', value: 'N', summary: 'which token was refused (default: the present one)' }],
  async run(args, io) {
    const name = credentialName(args);
    const body = { generation: await generationOf(name, args, io), consumer: CONSUMER };
    const outcome = await call<OutcomeBody>({ method: 'POST', path: PATHS.rejections(name), body }, args, io);
    io.write(`${outcomeText(outcome, io.nowMs())}\n`);
    return outcomeExit(outcome);
  },
};

async function generationOf(name: string, args: CommandArguments, io: CommandIo): Promise<number> {
  const given = optionValue(args, 'generation');
  if (given !== undefined) {
    if (/^\d{1,15}$/.test(given)) return Number(given);
    throw new CommandError(`--generation: expected a whole number, got ${given}`, EXIT.usage);
  }
  const { generation } = await call<CredentialBody>({ method: 'GET', path: PATHS.credential(name) }, args, io);
  if (generation !== null) return generation;
  throw new CommandError(`${name} holds no token that could have been refused`, EXIT.temporaryFailure);
}

/** People at a terminal count as one consumer. */
const CONSUMER = 'command-line';
