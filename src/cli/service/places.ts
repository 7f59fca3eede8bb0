/**
 * Where the files of the service lie, by manager and scope.
 *
 * Rule: pure.
 */
import { join } from 'node:path';
import type { CommandIo } from '../command.ts';
import { LABELS, type Manager, type Scope, type ServiceFile, SOCKET_UNIT, UNIT } from './plan.ts';
import { type ListeningPlace, renderPlist, renderSocket, renderUnit, type ServiceFacts } from './render.ts';

export interface Home {
  readonly home: string;
  readonly configHome: string;
}

/** Of the person who asks. */
export const homeOf = ({ home, env }: Pick<CommandIo, 'home' | 'env'>): Home => ({
  home,
  configHome: env.XDG_CONFIG_HOME ?? join(home, '.config'),
});

/** @param shipped gives the text of a shipped file */
export function serviceFiles(
  { manager, scope }: { readonly manager: Manager; readonly scope: Scope },
  facts: ServiceFacts,
  { place, shipped }: { readonly place: Home; readonly shipped: (path: string) => string },
): readonly ServiceFile[] {
  if (manager === 'launchd') {
    const label = LABELS[scope];
    const content = renderPlist(shipped(`launchd/${label}.plist`), {
      ...facts,
      home: scope === 'user' ? place.home : '/var/empty',
      log: launchdLog(scope, place),
    });
    const folder = scope === 'user' ? join(place.home, 'Library', 'LaunchAgents') : '/Library/LaunchDaemons';
    return [{ path: join(folder, `${label}.plist`), content }];
  }
  const [folder, source] =
    scope === 'user' ? [join(place.configHome, 'systemd', 'user'), 'systemd/user'] : ['/etc/systemd/system', 'systemd'];
  const { listenAt } = facts;
  const socket = (at: ListeningPlace): string => renderSocket(shipped(`${source}/${SOCKET_UNIT}`), at);
  return [
    ...(scope === 'user'
      ? []
      : [{ path: '/etc/sysusers.d/freshd.conf', content: shipped('systemd/sysusers.d/freshd.conf') }]),
    { path: join(folder, UNIT), content: renderUnit(shipped(`${source}/${UNIT}`), facts) },
    ...(listenAt === null ? [] : [{ path: join(folder, SOCKET_UNIT), content: socket(listenAt) }]),
  ];
}

/** Of the system: where only root may write, since what it names is removed by root. */
export const recordPlace = (scope: Scope, { configHome }: Home): string =>
  join(scope === 'user' ? join(configHome, 'freshd') : '/etc/freshd', 'service-install.json');

export const launchdLog = (scope: Scope, { home }: Home): string =>
  scope === 'user' ? join(home, 'Library', 'Logs', 'freshd.log') : '/var/log/freshd.log';

/**
 * A program that the sandbox of the system unit hides from it (ProtectHome=, PrivateTmp=).
 * @returns the first such path; null: none
 */
export const hiddenFromSystem = (paths: readonly string[]): string | null =>
  paths.find((path) => /^\/(?:home|root|run\/user|tmp|var\/tmp)\//.test(path)) ?? null;
