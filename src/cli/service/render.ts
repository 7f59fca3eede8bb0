/**
 * The units and property lists that are installed: the shipped files with the paths of this machine in them.
 *
 * Rule: pure. What is put in is quoted as its reader wants it; nothing else of a shipped file changes.
 */

/** What a service does not know by itself: it has neither a shell nor a login. */
export interface ServiceFacts {
  /** Absolute, each. */
  readonly node: string;
  readonly program: string;
  readonly config: string;
  /** Null: where readers look first. */
  readonly socket: string | null;
  /** Of the person who installs; null: the manager's. */
  readonly path: string | null;
  /** How long a stop may take. */
  readonly stopSeconds: number;
  /** The manager opens the socket; null: the daemon does. */
  readonly listenAt: ListeningPlace | null;
}

export interface ListeningPlace {
  /** Null: that of the shipped unit. */
  readonly path: string | null;
  /** Who may connect beside the user; null: nobody. */
  readonly group: string | null;
}

/** @param template the text of a shipped unit */
export function renderUnit(template: string, facts: ServiceFacts): string {
  const { node, program, config, socket, path, stopSeconds, listenAt } = facts;
  const socketWords = socket === null ? [] : ['--socket', socket];
  const words = (command: string): string =>
    [node, program, command, '--config', config, ...(command === 'reload' ? socketWords : [])].map(unitWord).join(' ');
  const own: Readonly<Record<string, string>> = {
    ExecStart: words('run'),
    ExecReload: words('reload'),
    TimeoutStopSec: String(stopSeconds),
    // The folder of a socket that the manager keeps open has to outlast a stop.
    ...(listenAt === null ? {} : { RuntimeDirectoryPreserve: 'yes' }),
  };
  const lines = withOwn(template, own);
  if (path === null) return lines.join('\n');
  const at = lines.findIndex((line) => line.startsWith('ExecReload='));
  const environment = [
    '# As it was when this was installed: services do not have it.',
    `Environment=${unitWord(`PATH=${path}`)}`,
  ];
  return lines.toSpliced(at + 1, 0, ...environment).join('\n');
}

/** @param template the text of a shipped socket unit */
export const renderSocket = (template: string, { path, group }: ListeningPlace): string =>
  withOwn(template, {
    ...(path === null ? {} : { ListenStream: path.replaceAll('%', '%%') }),
    ...(group === null ? {} : { SocketMode: `0660\nSocketGroup=${group}`, DirectoryMode: '0750' }),
  })
    // The shipped unit of the system names its own group.
    .filter((line) => group === null || line !== 'SocketGroup=freshd')
    .join('\n');

const withOwn = (template: string, own: Readonly<Record<string, string>>): string[] =>
  template.split('\n').map((line) => {
    const name = /^(\w+)=/.exec(line)?.[1] ?? '';
    return Object.hasOwn(own, name) ? `${name}=${own[name]}` : line;
  });

/** One word for systemd: it knows quotes, backslashes and its own `%` and `$`. */
function unitWord(word: string): string {
  const text = word.replaceAll('%', '%%').replaceAll('$', '$$$$');
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
}

/** @param template the text of a shipped property list: words in `@…@` stand for what is put in */
export function renderPlist(
  template: string,
  facts: ServiceFacts & { readonly log: string; readonly home: string },
): string {
  const values: Readonly<Record<string, string>> = {
    NODE: facts.node,
    PROGRAM: facts.program,
    CONFIG: facts.config,
    PATH: facts.path ?? '/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin',
    LOG: facts.log,
    HOME: facts.home,
    STOP_SECONDS: String(facts.stopSeconds),
  };
  return template.replace(/@([A-Z_]+)@/g, (whole, name: string) =>
    name in values ? xmlText(values[name] ?? '') : whole,
  );
}

const xmlText = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

/** The entries that mean the same for a service: absolute, each once. */
export function servicePath(path: string | undefined): string | null {
  const entries = [...new Set((path ?? '').split(':').filter((entry) => entry.startsWith('/')))];
  return entries.length === 0 ? null : entries.join(':');
}

/**
 * Longer than any run that the policies allow, with what comes after it.
 * @param runMsMax time limit and grace of the longest refresh
 */
export const stopSecondsFor = (runMsMax: number): number =>
  Math.max(STOP_SECONDS_MIN, Math.ceil(runMsMax / 1_000) + STOP_SLACK_SECONDS);

// As in the shipped units: the longest default time limit with its grace, and the slack.
const STOP_SECONDS_MIN = 180;

// The last publications, alerts and connections, each bounded by seconds, on a slow machine.
const STOP_SLACK_SECONDS = 45;
