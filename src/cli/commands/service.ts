/**
 * `freshd service install|uninstall|status|logs`: freshd as a service of this person, or of the system.
 *
 * Rule: says every step before it does any; what is done already is not done again; and only what an installation wrote is
 * removed. The steps are planned in service/plan.ts.
 */
import { type CommandArguments, CommandError, type CommandIo, type CommandSpec, isSwitchedOn } from '../command.ts';
import { EXIT } from '../exit-code.ts';
import { createHost, type Host } from '../service/host.ts';
import { install } from '../service/install.ts';
import { type Home, homeOf, launchdLog, recordPlace } from '../service/places.ts';
import { launchdTarget, type Manager, type Scope, systemctl, UNIT, unitsOf } from '../service/plan.ts';
import { uninstall } from '../service/uninstall.ts';

export const command: CommandSpec = {
  name: 'service',
  summary: 'install, remove and watch freshd as a service (systemd, launchd)',
  argument: 'required',
  argumentName: 'ACTION',
  argumentChoices: ['install', 'uninstall', 'status', 'logs'],
  options: [
    { name: 'user', summary: 'of this person (the default): for the logins of their own tools' },
    { name: 'system', summary: 'of the whole machine, as a user of its own: for grants of its own' },
    { name: 'socket-activation', summary: 'install: systemd opens the socket; readers wait through a restart' },
    { name: 'dry-run', summary: 'say what would be done, and do nothing' },
    { name: 'yes', summary: 'ask nothing: agree' },
    { name: 'purge', summary: 'uninstall: remove the state, too' },
    { name: 'follow', summary: 'logs: go on as they come' },
  ],
  async run(args, io) {
    const action = ACTIONS[args.name ?? ''];
    if (action === undefined) {
      const seen = JSON.stringify(args.name);
      throw new CommandError(`ACTION: expected install, uninstall, status or logs, got ${seen}`, EXIT.usage);
    }
    const scope = scopeOf(args);
    const host = createHost(io);
    const { manager } = host;
    if (manager === null) {
      const remedy = 'run `freshd run` under whatever starts programs here';
      throw new CommandError(
        `expected systemd or launchd to be running here, got neither; ${remedy}`,
        EXIT.unavailable,
      );
    }
    const place = homeOf(io);
    return action({ args, io, host, manager, scope, place, recordPath: recordPlace(scope, place) });
  },
};

type Action = (context: ServiceContext) => Promise<number>;

/** What all actions work with. */
export interface ServiceContext {
  readonly args: CommandArguments;
  readonly io: CommandIo;
  readonly host: Host;
  readonly manager: Manager;
  readonly scope: Scope;
  readonly place: Home;
  readonly recordPath: string;
}

const ACTIONS: Readonly<Record<string, Action>> = {
  install,
  uninstall,
  status: ({ host, io, manager, scope, recordPath }) =>
    host.show(
      manager === 'systemd'
        ? systemctl(scope, 'status', '--no-pager', ...unitsOf(Object.keys(host.record(recordPath)?.files ?? {})))
        : ['launchctl', 'print', launchdTarget(scope, io.uid)],
    ),
  logs: ({ args, host, manager, scope, place }) => {
    const follow = isSwitchedOn(args, 'follow') ? ['--follow'] : [];
    const unit = scope === 'user' ? `--user-unit=${UNIT}` : `--unit=${UNIT}`;
    return host.show(
      manager === 'systemd'
        ? ['journalctl', '--no-pager', '--lines=100', '--output=cat', unit, ...follow]
        : ['tail', '-n', '100', ...(follow.length > 0 ? ['-F'] : []), launchdLog(scope, place)],
    );
  },
};

function scopeOf(args: CommandArguments): Scope {
  const [user, system] = [isSwitchedOn(args, 'user'), isSwitchedOn(args, 'system')];
  if (user && system) throw new CommandError('expected --user or --system, got both', EXIT.usage);
  return system ? 'system' : 'user';
}
