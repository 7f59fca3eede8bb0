/**
 * The signals of the process: what reloads the daemon, what ends it, and what a bug does.
 *
 * Rule: what comes before there is a daemon to tell is kept for it. A crash leaves nothing half-done that the next start does not
 * know of, so a bug ends the process.
 */
import { describeBug } from './bug.ts';
import type { Daemon } from './daemon.ts';
import type { LogPort } from './ports.ts';

export interface HangUps {
  /** Also called once for those that came before. */
  connect(reload: () => void): void;
}

/**
 * A process that does not listen to SIGHUP is ended by it, and whoever has just changed the configuration may send one at any
 * moment: the first thing of all, then. One that comes while the configuration is being read reloads it afterwards.
 */
export function listenToHangUps(): HangUps {
  let isWanted = false;
  let reload = (): void => {
    isWanted = true;
  };
  process.on('SIGHUP', () => reload());
  return {
    connect(next) {
      reload = next;
      if (isWanted) next();
    },
  };
}

export interface EndSignals {
  readonly asked: Promise<void>;
  isAsked(): boolean;
  /** From now on a second signal hastens the end of its runs. */
  control(daemon: Pick<Daemon, 'cancelRuns'>): void;
}

/** SIGTERM and SIGINT end, a second one ends at once; a bug is logged and ends the process. */
export function listenToSignals(log: LogPort): EndSignals {
  let daemon: Pick<Daemon, 'cancelRuns'> | null = null;
  let isAsked = false;
  let resolveAsked: () => void;
  const asked = new Promise<void>((resolve) => {
    resolveAsked = resolve;
  });
  const onEnd = (signal: string) => {
    log.write('info', isAsked ? 'stopping_at_once' : 'stopping', { signal });
    if (isAsked) daemon?.cancelRuns();
    isAsked = true;
    resolveAsked();
  };
  process.on('SIGTERM', onEnd);
  process.on('SIGINT', onEnd);
  for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
    process.on(event, (error: unknown) => {
      log.write('error', 'crashed', { cause: event, ...describeBug(error) });
      process.exit(70);
    });
  }
  return {
    asked,
    isAsked: () => isAsked,
    control: (running) => {
      daemon = running;
    },
  };
}
