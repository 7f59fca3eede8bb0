/**
 * `freshd run`: the daemon itself, in the foreground until it is told to stop.
 *
 * Rule: loads the daemon only here; nothing of it is known to the other commands.
 */
import { type CommandSpec, isSwitchedOn, optionValue } from '../command.ts';
import { EXIT } from '../exit-code.ts';

export const command: CommandSpec = {
  name: 'run',
  summary: 'run the daemon in the foreground',
  argument: 'none',
  options: [{ name: 'dry-run', summary: 'say what would be done, and do nothing' }],
  async run(args, io) {
    // Before the daemon takes it, like everything that is not for its children, out of the environment.
    const isLaunchd = io.env.FRESHD_SERVICE === 'launchd';
    const { runDaemon } = await import('../../daemon/main.ts');
    const exitCode = await runDaemon({
      configPath: optionValue(args, 'config'),
      socketPath: optionValue(args, 'socket'),
      dryRun: isSwitchedOn(args, 'dry-run'),
    });
    // launchd knows no status but 0 after which it does not start again; a wrong configuration stays wrong.
    return exitCode === EXIT.configuration && isLaunchd ? EXIT.ok : exitCode;
  },
};
