/**
 * Where the daemon's socket may be, best guess first.
 *
 * Rule: the same order as the daemon's own, without loading the schema of the configuration: two of its members are read
 * as they stand. Whether the configuration is sound is the business of `check`.
 */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type Capture, configPlaces, resolvePath, socketPath, stateDirectory } from '../config/paths.ts';
import { type CommandArguments, CommandError, type CommandIo, optionValue } from './command.ts';
import { EXIT } from './exit-code.ts';

/** Where a system service keeps its socket; its clients have another environment than it had. */
const SYSTEM_SOCKET = '/run/freshd/freshd.sock';

/** @throws CommandError when a configuration was named and cannot be read */
export function socketPlaces(args: CommandArguments, io: CommandIo): readonly string[] {
  const capture = captureOf(io);
  const option = optionValue(args, 'socket');
  const isNamed = option !== undefined || (io.env.FRESHD_SOCKET ?? '') !== '';
  if (isNamed) return [socketPath({ option, stateDirectory: '' }, capture)];

  const configured = readPlaces(optionValue(args, 'config'), capture);
  if (configured.socketPath !== undefined) return [configured.socketPath];
  const state = stateDirectory(configured.stateDirectory, capture);
  return [...new Set([socketPath({ stateDirectory: state }, capture), join(state, 'freshd.sock'), SYSTEM_SOCKET])];
}

/** The machine's id seeds jitter, and no command has any. */
export function captureOf({ env, home, cwd, platform, uid }: CommandIo): Capture {
  return { env, home, cwd, platform, uid, machineId: '' };
}

interface ConfiguredPlaces {
  readonly socketPath?: string | undefined;
  readonly stateDirectory?: string | undefined;
}

function readPlaces(option: string | undefined, capture: Capture): ConfiguredPlaces {
  const places = configPlaces(option, capture);
  for (const path of places) {
    const text = readIfThere(path);
    if (text !== null) return placesIn(text, path, capture);
  }
  if (option === undefined) return {};
  throw new CommandError(`--config: expected a file that can be read at ${places[0]}`, EXIT.configuration);
}

function readIfThere(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    // Missing, or not for this user: the daemon may run all the same, and the other places are tried.
    return null;
  }
}

function placesIn(text: string, path: string, capture: Capture): ConfiguredPlaces {
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
