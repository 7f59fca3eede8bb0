/**
 * `freshd refresh NAME`: asks the daemon for a refresh; it never refreshes by itself.
 *
 * Rule: refused from inside a hook: a publication would start a refresh, which would start the hook, for ever.
 */
import { type OutcomeBody, PATHS } from '../../api/protocol.ts';
import { call } from '../call.ts';
import { CommandError, type CommandSpec, credentialName, isSwitchedOn } from '../command.ts';
import { EXIT } from '../exit-code.ts';
import { outcomeExit, outcomeText } from '../outcome.ts';

export const command: CommandSpec = {
  name: 'refresh',
  summary: 'ask the daemon to refresh a credential now',
  argument: 'required',
  options: [{ name: 'force', summary: 'also while more than half of the life remains' }],
  async run(args, io) {
    const path = PATHS.refresh(credentialName(args));
    if (io.env.FRESHD_EVENT !== undefined) {
      throw new CommandError(
        'refresh: refused inside a hook, since it would call itself for ever',
        EXIT.temporaryFailure,
      );
    }
    const outcome = await call<OutcomeBody>(
      { method: 'POST', path, body: { force: isSwitchedOn(args, 'force') } },
      args,
      io,
    );
    io.write(`${outcomeText(outcome, io.nowMs())}\n`);
    return outcomeExit(outcome);
  },
};
