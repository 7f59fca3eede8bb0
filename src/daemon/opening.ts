/**
 * Ways into a process that were opened when it was started: a debugger, code that is loaded before ours, a trace of what it does.
 *
 * Rule: pure. In the foreground they are a developer's own business; a service has nobody who would want them.
 */

interface StartedWith {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Options of Node itself. */
  readonly execArgv: readonly string[];
  readonly pid: number;
}

/** @returns null, or what was found and what to do, in a sentence */
export function findOpening(started: StartedWith): string | null {
  if (!isService(started)) return null;
  const found = openingOption(started) ?? openingVariable(started);
  if (found === null) return null;
  return `expected a service that nobody can look into, got ${found}; remove it from the unit (UnsetEnvironment=NODE_OPTIONS NODE_DEBUG), or run freshd in the foreground to debug it`;
}

function openingOption(started: StartedWith): string | null {
  const option = optionsOf(started).find((word) => OPENINGS.test(word));
  if (option === undefined) return null;
  const place = started.execArgv.includes(option) ? 'the arguments of node' : 'NODE_OPTIONS';
  return `${option.split('=')[0] ?? option} in ${place}`;
}

/** Node tells on standard error what it does, with the environment of each program that it starts: of secrets, too. */
const openingVariable = ({ env }: StartedWith): string | null =>
  (env.NODE_DEBUG ?? '') === '' ? null : 'NODE_DEBUG in the environment';

/** Did whoever started the process want a debugger? */
export function asksForInspector(started: Pick<StartedWith, 'env' | 'execArgv'>): boolean {
  return optionsOf(started).some((option) => option.startsWith('--inspect'));
}

const optionsOf = ({ env, execArgv }: Pick<StartedWith, 'env' | 'execArgv'>): readonly string[] => [
  ...execArgv,
  ...(env.NODE_OPTIONS ?? '').split(/\s+/),
];

/** Started by systemd or launchd; a shell in a session inherits some of their variables, but not these. */
function isService({ env, pid }: StartedWith): boolean {
  const isLaunchd = env.XPC_SERVICE_NAME !== undefined && env.XPC_SERVICE_NAME !== '0';
  return (env.NOTIFY_SOCKET ?? '') !== '' || env.SYSTEMD_EXEC_PID === String(pid) || isLaunchd;
}

/** Debuggers, whatever loads a file of somebody's choice, and whatever writes down memory or what goes over the network. */
const OPENINGS =
  /^(?:--inspect|--debug|--require|-r$|--import|--loader|--experimental-loader|--experimental-(?:default-)?config-file|--report|--heapsnapshot|--cpu-prof|--heap-prof|--tls-keylog|--trace-tls)/;
