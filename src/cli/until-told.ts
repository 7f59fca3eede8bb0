/**
 * The end of a command that runs until somebody ends it.
 *
 * Rule: a signal that asks for the end is the ordinary way out, and leaves the exit code to the command.
 */
import type { CommandIo } from './command.ts';

/** Resolves at Ctrl-C, or when a service manager or a closed terminal says so. */
export function untilTold(io: CommandIo): Promise<void> {
  return new Promise((resolve) => {
    const stops = ENDS.map((signal) =>
      io.onSignal?.(signal, () => {
        for (const stop of stops) stop?.();
        resolve();
      }),
    );
  });
}

const ENDS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
