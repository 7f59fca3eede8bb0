/**
 * Signals that arrive at `freshd exec` and are meant for the program that it runs.
 *
 * Rule: each reaches the program once. What the terminal sends to a whole group of processes reaches it without us.
 */
import type { CommandIo } from '../command.ts';

export interface SignalRelay {
  /** Somebody wants the program to end: it is not to be started again. */
  readonly isEnding: boolean;
  /** To whom signals go from now on, with those that came before there was anybody. */
  deliverTo(receiver: (name: NodeJS.Signals) => void): void;
  close(): void;
}

/** @param isShared the program is in our own group, and so gets what the terminal sends */
export async function relaySignals(io: CommandIo, { isShared }: { readonly isShared: boolean }): Promise<SignalRelay> {
  const hasKeyboard = isShared && (await hasTerminal());
  /** What came before there was anybody to receive it. */
  const early: NodeJS.Signals[] = [];
  let receiver: (name: NodeJS.Signals) => void = (name) => void early.push(name);
  let isEnding = false;
  const stops = RELAYED.map((name) =>
    io.onSignal?.(name, () => {
      isEnding ||= ENDING.includes(name);
      if (!(hasKeyboard && FROM_TERMINAL.includes(name))) receiver(name);
    }),
  );
  return {
    get isEnding() {
      return isEnding;
    },
    deliverTo(next) {
      receiver = next;
      for (const name of early.splice(0)) next(name);
    },
    close() {
      for (const stop of stops) stop?.();
    },
  };
}

/** Asked of the descriptors: making a stream of standard input would take it away from the program. */
async function hasTerminal(): Promise<boolean> {
  const { isatty } = await import('node:tty');
  return [0, 1, 2].some((descriptor) => isatty(descriptor));
}

/** What by default ends a process, or means something to the program; stopping and continuing stay the shell's. */
const RELAYED: readonly NodeJS.Signals[] = [
  'SIGTERM',
  'SIGINT',
  'SIGQUIT',
  'SIGHUP',
  'SIGUSR1',
  'SIGUSR2',
  'SIGALRM',
  'SIGWINCH',
];

const ENDING: readonly NodeJS.Signals[] = ['SIGTERM', 'SIGINT', 'SIGQUIT'];

/** Keys, a closed window, and its size. */
const FROM_TERMINAL: readonly NodeJS.Signals[] = ['SIGINT', 'SIGQUIT', 'SIGHUP', 'SIGWINCH'];
