/**
 * What installing and removing the service comes to: a list of steps, as data.
 *
 * Rule: pure. A step that is done already is not in the list, so that doing it all again does nothing; and what is removed is
 * what the record of the installation names, as it was written.
 */

export type Manager = 'systemd' | 'launchd';
export type Scope = 'user' | 'system';

export type Step =
  /** A whole file, its folders too; another content is replaced. */
  | { readonly do: 'write'; readonly path: string; readonly content: string }
  | { readonly do: 'remove'; readonly path: string }
  /** `mayFail`: what it wants may be so already. */
  | { readonly do: 'run'; readonly argv: readonly [string, ...string[]]; readonly mayFail?: true }
  /** Until there is something at that path. */
  | { readonly do: 'await'; readonly path: string };

export interface ServiceFile {
  readonly path: string;
  readonly content: string;
}

/** What an installation left behind, kept so that it can be undone exactly. */
export interface InstallRecord {
  readonly version: 1;
  readonly manager: Manager;
  readonly scope: Scope;
  /** Digest of what was written, by path. */
  readonly files: Readonly<Record<string, string>>;
  /** Lingering was enabled for the service, and was not before. */
  readonly enabledLingering: boolean;
}

/** The machine as it was found. */
export interface Found {
  readonly record: InstallRecord | null;
  /** Digest of what lies there now, by path; missing: nothing. */
  readonly digests: Readonly<Record<string, string>>;
  /** Each unit of the installation is. */
  readonly isEnabled: boolean;
  readonly isActive: boolean;
}

export interface InstallRequest {
  readonly manager: Manager;
  readonly scope: Scope;
  readonly uid: number | null;
  readonly user: string;
  readonly files: readonly ServiceFile[];
  readonly digestOf: (content: string) => string;
  /** Enable lingering: it is off, and somebody agreed. */
  readonly linger: boolean;
  /** There is a configuration to start with. */
  readonly start: boolean;
  readonly recordPath: string;
}

/** Either what to do, or what stands in the way. */
export type InstallPlan =
  | { readonly ok: true; readonly steps: readonly Step[] }
  | { readonly ok: false; readonly foreign: readonly string[] };

export const UNIT = 'freshd.service';
export const SOCKET_UNIT = 'freshd.socket';
export const LABELS: Readonly<Record<Scope, string>> = { user: 'dev.freshd.agent', system: 'dev.freshd.daemon' };

export function planInstall(request: InstallRequest, found: Found): InstallPlan {
  const { files, digestOf } = request;
  const changed = files.filter(({ path, content }) => found.digests[path] !== digestOf(content));
  const left = leftBehind(request, found);
  const foreign = [...changed.map(({ path }) => path), ...left].filter((path) => !mayReplace(path, found));
  if (foreign.length > 0) return { ok: false, foreign };
  const isWhole = changed.length === 0 && left.length === 0 && found.isEnabled && (found.isActive || !request.start);
  const record = recordOf(request, found);
  const isRecorded = JSON.stringify(record) === JSON.stringify(found.record);
  const steps: readonly Step[] = [
    // Before the record forgets them.
    ...removal(request, left),
    ...(isRecorded ? [] : [write({ path: request.recordPath, content: `${JSON.stringify(record, null, 2)}\n` })]),
    ...(request.linger ? lingering(request) : []),
    ...changed.map(write),
    ...(isWhole ? [] : activation(request, changed)),
  ];
  return { ok: true, steps };
}

/** What an earlier installation wrote and this one does without: the socket unit. */
const leftBehind = ({ files }: InstallRequest, { record, digests }: Found): readonly string[] =>
  Object.keys(record?.files ?? {}).filter(
    (path) => digests[path] !== undefined && !files.some((file) => file.path === path),
  );

const removal = ({ scope }: InstallRequest, left: readonly string[]): readonly Step[] => [
  ...left
    .filter(isSocketUnit)
    .map((): Step => ({ do: 'run', argv: systemctl(scope, 'disable', '--now', SOCKET_UNIT), mayFail: true })),
  ...left.map((path): Step => ({ do: 'remove', path })),
];

/** Nothing there, or what an installation wrote and nobody has changed since. */
const mayReplace = (path: string, { digests, record }: Found): boolean =>
  digests[path] === undefined || digests[path] === record?.files[path];

const write = ({ path, content }: ServiceFile): Step => ({ do: 'write', path, content });

function recordOf({ manager, scope, files, digestOf, linger }: InstallRequest, { record }: Found): InstallRecord {
  const digests = Object.fromEntries(files.map(({ path, content }) => [path, digestOf(content)]));
  return { version: 1, manager, scope, files: digests, enabledLingering: linger || record?.enabledLingering === true };
}

/** The manager of a user who is not logged in starts with it. */
const lingering = ({ user, uid }: InstallRequest): readonly Step[] => [
  { do: 'run', argv: ['loginctl', 'enable-linger', user] },
  { do: 'await', path: `/run/user/${uid}/systemd/private` },
];

function activation({ manager, scope, uid, start, files }: InstallRequest, changed: readonly ServiceFile[]): Step[] {
  if (manager === 'launchd') {
    const plist = files[0]?.path ?? '';
    const steps: Step[] = [
      { do: 'run', argv: ['launchctl', 'bootout', launchdTarget(scope, uid)], mayFail: true },
      { do: 'run', argv: ['launchctl', 'bootstrap', launchdDomain(scope, uid), plist] },
    ];
    return start ? steps : [];
  }
  const users = changed.filter(({ path }) => path.includes('/sysusers.d/'));
  const units = unitsOf(files.map(({ path }) => path));
  return [
    ...users.map(({ path }): Step => ({ do: 'run', argv: ['systemd-sysusers', path] })),
    { do: 'run', argv: systemctl(scope, 'daemon-reload') },
    { do: 'run', argv: systemctl(scope, 'enable', ...units) },
    ...(start ? starting(scope, units) : []),
  ];
}

/** systemd opens no socket for a service that runs already, so both are down in between. */
function starting(scope: Scope, units: readonly string[]): readonly Step[] {
  if (units.length === 1) return [{ do: 'run', argv: systemctl(scope, 'restart', UNIT) }];
  return [
    { do: 'run', argv: systemctl(scope, 'stop', ...units) },
    { do: 'run', argv: systemctl(scope, 'start', ...units) },
  ];
}

/** Those that are enabled and started; the socket first, so that a stop of the service is not the call for its next start. */
export const unitsOf = (paths: readonly string[]): readonly string[] =>
  paths.some(isSocketUnit) ? [SOCKET_UNIT, UNIT] : [UNIT];

const isSocketUnit = (path: string): boolean => path.endsWith(`/${SOCKET_UNIT}`);

export interface UninstallPlan {
  readonly steps: readonly Step[];
  /** Changed since they were written: they stay. */
  readonly kept: readonly string[];
}

export function planUninstall(
  record: InstallRecord,
  options: {
    readonly digests: Found['digests'];
    readonly uid: number | null;
    readonly user: string;
    readonly recordPath: string;
  },
): UninstallPlan {
  const { manager, scope, enabledLingering } = record;
  const { digests, uid, user, recordPath } = options;
  const there = Object.entries(record.files).filter(([path]) => digests[path] !== undefined);
  const kept = there.filter(([path, digest]) => digests[path] !== digest).map(([path]) => path);
  const removed = there.map(([path]) => path).filter((path) => !kept.includes(path));
  const isSystemd = manager === 'systemd';
  const stop = isSystemd
    ? systemctl(scope, 'disable', '--now', ...unitsOf(Object.keys(record.files)))
    : (['launchctl', 'bootout', launchdTarget(scope, uid)] as const);
  const steps: readonly Step[] = [
    { do: 'run', argv: stop, mayFail: true },
    ...removed.map((path): Step => ({ do: 'remove', path })),
    ...(isSystemd ? [{ do: 'run', argv: systemctl(scope, 'daemon-reload'), mayFail: true } as const] : []),
    ...(enabledLingering ? [{ do: 'run', argv: ['loginctl', 'disable-linger', user] } as const] : []),
    { do: 'remove', path: recordPath },
  ];
  return { steps, kept };
}

export const systemctl = (scope: Scope, ...words: readonly string[]): [string, ...string[]] =>
  scope === 'user' ? ['systemctl', '--user', ...words] : ['systemctl', ...words];

const launchdDomain = (scope: Scope, uid: number | null): string => (scope === 'user' ? `gui/${uid}` : 'system');
export const launchdTarget = (scope: Scope, uid: number | null): string =>
  `${launchdDomain(scope, uid)}/${LABELS[scope]}`;

/** A step in words, as a person would type it. */
export function stepText(step: Step): string {
  switch (step.do) {
    case 'write':
      return `write ${step.path}`;
    case 'remove':
      return `remove ${step.path}`;
    case 'run':
      return `run ${step.argv.join(' ')}`;
    case 'await':
      return `wait for ${step.path}`;
  }
}
