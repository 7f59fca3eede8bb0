/**
 * `freshd service uninstall`: undoes what the record of the installation names, and with `--purge` removes the state.
 *
 * Rule: a file that somebody changed since stays, and is said; stores and the configuration are nobody's to remove but the
 * person's. The state may hold the only answer of a refresh, so it goes only after a yes.
 */
import { loadConfig } from '../../config/load.ts';
import { CommandError, isSwitchedOn, optionValue } from '../command.ts';
import type { ServiceContext } from '../commands/service.ts';
import { EXIT } from '../exit-code.ts';
import { captureOf } from '../socket-place.ts';
import { planUninstall, stepText } from './plan.ts';

export async function uninstall(context: ServiceContext): Promise<number> {
  const { args, io, host, recordPath } = context;
  const isDryRun = isSwitchedOn(args, 'dry-run');
  const states = isSwitchedOn(args, 'purge') ? await stateDirectories(context) : [];
  const record = host.record(recordPath);
  if (record === null && states.length === 0) {
    throw new CommandError(
      `${recordPath}: expected the record of an installation, got none: there is nothing to undo`,
      EXIT.failure,
    );
  }
  if (record !== null) {
    const digests = host.digests(Object.keys(record.files));
    const { steps, kept } = planUninstall(record, { digests, uid: io.uid, user: host.user, recordPath });
    for (const path of kept) io.complain(`freshd: ${path} was changed since it was written, and stays`);
    for (const step of steps) {
      io.write(`${isDryRun ? 'would ' : ''}${stepText(step)}\n`);
      if (!isDryRun) await host.perform(step);
    }
  }
  return purge(context, states);
}

async function purge({ args, io, host }: ServiceContext, states: readonly string[]): Promise<number> {
  if (states.length === 0) return EXIT.ok;
  const isDryRun = isSwitchedOn(args, 'dry-run');
  for (const path of states) io.write(`${isDryRun ? 'would ' : ''}remove ${path} and everything in it\n`);
  if (isDryRun) return EXIT.ok;
  const answer = isSwitchedOn(args, 'yes')
    ? 'yes'
    : await io.ask?.('Remove it? Logins that are stored there are lost. [y/N] ');
  if (answer === undefined || !/^y(es)?$/i.test(answer.trim())) {
    throw new CommandError('the state stays: expected a yes (or --yes)', EXIT.failure);
  }
  for (const path of states) host.removeTree(path);
  return EXIT.ok;
}

/** Those that are there. */
async function stateDirectories({ args, io, host, scope }: ServiceContext): Promise<readonly string[]> {
  if (scope === 'system') return ['/var/lib/freshd', '/run/freshd'].filter(host.exists);
  const loaded = await loadConfig({ path: optionValue(args, 'config'), capture: captureOf(io) });
  if (!loaded.ok)
    throw new CommandError(
      `--purge: expected a configuration that says where the state is, got: ${loaded.problems[0]}`,
      EXIT.configuration,
    );
  const { stateDirectory, runtimeDirectory } = loaded.config;
  return [...new Set([stateDirectory, runtimeDirectory])].filter(host.exists);
}
