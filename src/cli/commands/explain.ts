/**
 * `freshd explain NAME`: what is, what happens next, and why, in sentences.
 *
 * Rule: the sentences are the daemon's; nothing is computed here.
 */
import { type ChainDetailBody, type CredentialDetailBody, PATHS } from '../../api/protocol.ts';
import { call } from '../call.ts';
import { type CommandSpec, credentialName } from '../command.ts';
import { EXIT } from '../exit-code.ts';

export const command: CommandSpec = {
  name: 'explain',
  summary: 'say what will happen to a credential or chain next, and why',
  argument: 'required',
  options: [],
  async run(args, io) {
    const path = PATHS.credential(credentialName(args));
    const found = await call<CredentialDetailBody | ChainDetailBody>({ method: 'GET', path }, args, io);
    const { explanation } = found;
    const lines = [...explanation, ...remediesOf(found).map((remedy) => `what helps: ${remedy}`)];
    io.write(lines.map((line) => `${line}\n`).join(''));
    return EXIT.ok;
  },
};

function remediesOf(found: CredentialDetailBody | ChainDetailBody): readonly string[] {
  if (!('members' in found)) return found.remedy === null ? [] : [found.remedy];
  return found.members.flatMap(({ credential, remedy }) => (remedy === null ? [] : [`${credential}: ${remedy}`]));
}
