/**
 * `freshd explain NAME`: what is, what happens next, and why, in sentences.
 *
 * Rule: the sentences are the daemon's; nothing is computed here.
 */
import { type CredentialDetailBody, PATHS } from '../../api/protocol.ts';
import { call } from '../call.ts';
import { type CommandSpec, credentialName } from '../command.ts';
import { EXIT } from '../exit-code.ts';

export const command: CommandSpec = {
  name: 'explain',
  summary: 'say what will happen to a credential next, and why',
  argument: 'required',
  options: [],
  async run(args, io) {
    const path = PATHS.credential(credentialName(args));
    const { explanation, remedy } = await call<CredentialDetailBody>({ method: 'GET', path }, args, io);
    const lines = remedy === null ? explanation : [...explanation, `what helps: ${remedy}`];
    io.write(lines.map((line) => `${line}\n`).join(''));
    return EXIT.ok;
  },
};
