/**
 * Where systemd is to open the socket, when it is asked to (`service install --socket-activation`).
 *
 * Rule: where readers look for it by the configuration, as the service will read that, and for the group that it names.
 */
import { loadConfig } from '../../config/load.ts';
import { CommandError, type CommandIo, isSwitchedOn, optionValue } from '../command.ts';
import type { ServiceContext } from '../commands/service.ts';
import { EXIT } from '../exit-code.ts';
import { captureOf } from '../socket-place.ts';
import type { ListeningPlace } from './render.ts';

/**
 * @returns null: it is not asked to
 * @throws CommandError where that cannot be done
 */
export async function listeningPlace({
  args,
  io,
  manager,
  scope,
}: Pick<ServiceContext, 'args' | 'io' | 'manager' | 'scope'>): Promise<ListeningPlace | null> {
  if (!isSwitchedOn(args, 'socket-activation')) return null;
  if (manager !== 'systemd') {
    throw new CommandError('--socket-activation: expected systemd, got launchd; leave it out', EXIT.usage);
  }
  const runtime = scope === 'user' ? `/run/user/${io.uid}/freshd` : '/run/freshd';
  const path = optionValue(args, 'config') ?? (scope === 'user' ? undefined : '/etc/freshd/config.json');
  const loaded = await loadConfig({ path, capture: captureOf(asTheService(io, runtime)) });
  // Of the system: secrets that only the service has may be what is missing. A unit that is shared with nobody does no harm.
  if (!loaded.ok) return { path: null, group: null };
  const { socketPath, socketGroup } = loaded.config;
  return { path: socketPath === `${runtime}/freshd.sock` ? null : socketPath, group: socketGroup };
}

/** What is in the environment of the person is not in that of the service. */
const asTheService = (io: CommandIo, runtime: string): CommandIo => ({
  ...io,
  env: { ...io.env, RUNTIME_DIRECTORY: runtime, FRESHD_SOCKET: undefined },
});
