/**
 * The names that the daemon knows: of credentials, then of chains, in the order of the configuration.
 */
import { type CredentialsBody, PATHS } from '../api/protocol.ts';
import { call } from './call.ts';
import type { CommandArguments, CommandIo } from './command.ts';

/** @throws CommandError when the daemon is away */
export async function knownNames(args: CommandArguments, io: CommandIo): Promise<readonly string[]> {
  const { credentials, chains } = await call<CredentialsBody>({ method: 'GET', path: PATHS.credentials }, args, io);
  return [...credentials.map(({ credential }) => credential), ...chains.map(({ chain }) => chain)];
}
