/**
 * Where things are: configuration, state, runtime directory and socket, each as an order of places.
 *
 * Rule: pure; the environment comes in as a value, so that a reload sees the one of the start.
 */
import { isAbsolute, join, resolve } from 'node:path';

/** What the process was started with. Taken once: see `captureEnvironment` in load.ts. */
export interface Capture {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly home: string;
  readonly cwd: string;
  readonly platform: NodeJS.Platform;
  /** Null where the system has no such ids. */
  readonly uid: number | null;
  /** Stable for this machine; seeds the jitter. */
  readonly machineId: string;
}

/**
 * `sun_path` has 108 bytes with its closing zero (macOS 104); a longer path is cut off silently. The name of a pipe of Windows
 * has 256 characters.
 */
export const socketPathBytesMax = (platform: NodeJS.Platform): number =>
  platform === 'win32' ? 256 : platform === 'darwin' ? 103 : 107;

/** A named pipe of Windows: no file, and in no folder. */
export const isPipe = (path: string): boolean => path.startsWith(PIPES);

const PIPES = '\\\\.\\pipe\\';

/** `~` and `~/…` count from home, relative paths from `base`. */
export function resolvePath(path: string, options: { readonly home: string; readonly base: string }): string {
  if (isPipe(path)) return path;
  if (path === '~') return options.home;
  return path.startsWith('~/') ? join(options.home, path.slice(2)) : resolve(options.base, path);
}

/**
 * Places where the configuration is looked for, best first.
 * A place that somebody named is the only one: another file must not be used in its stead.
 */
export function configPlaces(option: string | undefined, capture: Capture): readonly string[] {
  const named = option ?? set(capture.env.FRESHD_CONFIG);
  if (named !== undefined) return [resolvePath(named, { home: capture.home, base: capture.cwd })];
  const configHome = absolute(capture.env.XDG_CONFIG_HOME);
  const places = [...(configHome === undefined ? [] : [configHome]), join(capture.home, '.config')];
  return [...new Set([...places, '/etc'].map((folder) => join(folder, 'freshd', 'config.json')))];
}

/** @param configured absolute path from the configuration */
export function stateDirectory(configured: string | undefined, capture: Capture): string {
  const { env, home, platform, uid } = capture;
  const stateHome = absolute(env.XDG_STATE_HOME);
  if (configured !== undefined) return configured;
  const given = firstOf(env.STATE_DIRECTORY);
  if (given !== undefined) return given;
  if (stateHome !== undefined) return join(stateHome, 'freshd');
  if (platform === 'darwin') return join(home, 'Library', 'Application Support', 'freshd');
  return uid === 0 ? '/var/lib/freshd' : join(home, '.local', 'state', 'freshd');
}

export function runtimeDirectory(stateDirectory: string, capture: Capture): string {
  return givenRuntimeDirectory(capture) ?? join(stateDirectory, 'run');
}

/** A directory for locks, made below one that must be there. */
export interface LockPlace {
  readonly base: string;
  readonly below: string;
}

/**
 * Where the locks of stores may lie, best first: places of the user, to which each of his daemons comes, whatever directories
 * it was given. By the user's number, not by XDG_RUNTIME_DIR, which a system service does not have.
 */
export function lockPlaces({ home, platform, uid }: Capture): readonly LockPlace[] {
  if (uid === null) return [];
  const state = platform === 'darwin' ? join('Library', 'Application Support') : join('.local', 'state');
  const atHome = { base: home, below: join(state, 'freshd', 'locks') };
  return platform === 'linux' ? [{ base: `/run/user/${uid}`, below: join('freshd', 'locks') }, atHome] : [atHome];
}

/** Where the token file of a credential, or of a chain, lies. */
export function tokenFilePath(runtimeDirectory: string, name: string): string {
  return join(runtimeDirectory, 'tokens', name);
}

/** @param configured absolute path from the configuration */
export function socketPath(
  options: {
    readonly option?: string | undefined;
    readonly configured?: string | undefined;
    readonly stateDirectory: string;
  },
  capture: Capture,
): string {
  const named = options.option ?? set(capture.env.FRESHD_SOCKET);
  if (named !== undefined) return resolvePath(named, { home: capture.home, base: capture.cwd });
  if (options.configured !== undefined) return options.configured;
  // All users share the names of pipes.
  if (capture.platform === 'win32') return `${PIPES}freshd-${nameOf(capture.home)}`;
  return join(givenRuntimeDirectory(capture) ?? options.stateDirectory, 'freshd.sock');
}

function givenRuntimeDirectory(capture: Capture): string | undefined {
  const runtime = absolute(capture.env.XDG_RUNTIME_DIR);
  return firstOf(capture.env.RUNTIME_DIRECTORY) ?? (runtime === undefined ? undefined : join(runtime, 'freshd'));
}

/** The last part of a home, as far as it may stand in the name of a pipe. */
const nameOf = (home: string): string => (home.split(/[\\/]/).at(-1) ?? '').replace(/[^\w.-]/g, '-');

const set = (value: string | undefined): string | undefined => (value === '' ? undefined : value);

/** The XDG rules ignore what is not absolute. */
const absolute = (value: string | undefined): string | undefined =>
  value !== undefined && isAbsolute(value) ? value : undefined;

/** systemd separates several directories of one kind by colons. */
const firstOf = (value: string | undefined): string | undefined => absolute(value?.split(':')[0]);
