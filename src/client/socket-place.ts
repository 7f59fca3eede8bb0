/**
 * Where the daemon's socket may be, best guess first.
 *
 * Rule: the same order as the daemon's own, without loading the schema of the configuration: two of its members are read
 * as they stand. Whether the configuration is sound is the business of `check`.
 */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type Capture, configPlaces, resolvePath, socketPath, stateDirectory } from '../config/paths.ts';

export interface PlaceOptions {
  /** A socket that somebody named is the only one. */
  readonly socket?: string | undefined;
  /** A configuration that somebody named. */
  readonly config?: string | undefined;
}

/** @returns the paths to try in turn; the path of a configuration that was named and cannot be read, as `unreadable` */
export function socketPlaces(
  { socket, config }: PlaceOptions,
  capture: Capture,
): { readonly places: readonly string[]; readonly unreadable: string | null } {
  const isNamed = socket !== undefined || (capture.env.FRESHD_SOCKET ?? '') !== '';
  if (isNamed) return found([socketPath({ option: socket, stateDirectory: '' }, capture)]);

  const read = readFirst(configPlaces(config, capture));
  if (read === null && config !== undefined) {
    return { places: [], unreadable: configPlaces(config, capture)[0] ?? config };
  }
  const configured = read === null ? {} : placesIn(read, capture);
  if (configured.socketPath !== undefined) return found([configured.socketPath]);
  const state = stateDirectory(configured.stateDirectory, capture);
  if (capture.platform === 'win32') return found([socketPath({ stateDirectory: state }, capture)]);
  return found([
    ...new Set([socketPath({ stateDirectory: state }, capture), join(state, 'freshd.sock'), SYSTEM_SOCKET]),
  ]);
}

const found = (places: readonly string[]) => ({ places, unreadable: null });

/** Where a system service keeps its socket; its clients have another environment than it had. */
const SYSTEM_SOCKET = '/run/freshd/freshd.sock';

interface ConfigurationText {
  readonly path: string;
  readonly text: string;
}

interface ConfiguredPlaces {
  readonly socketPath?: string | undefined;
  readonly stateDirectory?: string | undefined;
}

function readFirst(paths: readonly string[]): ConfigurationText | null {
  for (const path of paths) {
    try {
      return { path, text: readFileSync(path, 'utf8') };
    } catch {
      // Missing, or not for this user: the daemon may run all the same, and the other places are tried.
    }
  }
  return null;
}

function placesIn({ path, text }: ConfigurationText, capture: Capture): ConfiguredPlaces {
  const from = { home: capture.home, base: dirname(path) };
  const absolute = (value: unknown): string | undefined =>
    typeof value === 'string' ? resolvePath(value, from) : undefined;
  try {
    const config = JSON.parse(text) as { socket?: { path?: unknown } | null; stateDirectory?: unknown } | null;
    return { socketPath: absolute(config?.socket?.path), stateDirectory: absolute(config?.stateDirectory) };
  } catch {
    // A running daemon still uses the configuration from before the mistake.
    return {};
  }
}
