/**
 * Where a command looks for the daemon's socket.
 *
 * Rule: the order of places is the client library's; here it only meets the command's options.
 */
import { socketPlaces as placesFor } from '../client/socket-place.ts';
import type { Capture } from '../config/paths.ts';
import { type CommandArguments, CommandError, type CommandIo, optionValue } from './command.ts';
import { EXIT } from './exit-code.ts';

/** @throws CommandError when a configuration was named and cannot be read */
export function socketPlaces(args: CommandArguments, io: CommandIo): readonly string[] {
  const options = { socket: optionValue(args, 'socket'), config: optionValue(args, 'config') };
  const { places, unreadable } = placesFor(options, captureOf(io));
  if (unreadable === null) return places;
  throw new CommandError(`--config: expected a file that can be read at ${unreadable}`, EXIT.configuration);
}

/** The machine's id seeds jitter, and no command has any. */
export function captureOf({ env, home, cwd, platform, uid }: CommandIo): Capture {
  return { env, home, cwd, platform, uid, machineId: '' };
}
