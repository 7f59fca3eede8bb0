/**
 * What the service manager is told of the daemon: ready, what is next, reloading, stopping, and that it is alive.
 *
 * Rule: a life sign is given only while the scheduler makes progress. That the process answers proves nothing: a daemon whose
 * alarm no longer rings looks healthy until the last token has expired.
 */
import { isProgressing, WATCHDOG_MS_DEFAULT, watchOf } from '../core/progress.ts';
import { statusLine } from '../core/status-line.ts';
import type { Daemon } from './daemon.ts';
import type { LogPort } from './ports.ts';
import type { ServiceManagerPort } from './system-ports.ts';

export interface LifeSigns {
  /** Everything is served; from now on signs of life are given. */
  ready(daemon: Watched): void;
  /** @returns to be called when the reload is over */
  reloading(): () => void;
  /** Signs of life end here: a stop has its own time limit. */
  stopping(withinMs: number): void;
}

/** What is looked at. */
export type Watched = Pick<Daemon, 'names' | 'now' | 'pulse' | 'state'>;

export interface LifeSignsOptions {
  readonly manager: ServiceManagerPort;
  readonly log: LogPort;
}

export function createLifeSigns({ manager, log }: LifeSignsOptions): LifeSigns {
  const { everyMs, patienceMs } = watchOf(manager.watchdogMs ?? WATCHDOG_MS_DEFAULT);
  let watched: Watched | null = null;
  let isStalled = false;
  let stopLooking = (): void => undefined;

  function look(daemon: Watched): void {
    const { monotonicMs } = daemon.now();
    const seen = daemon.pulse();
    const isWell = isProgressing(seen, patienceMs, monotonicMs);
    if (isWell === isStalled) {
      const overdueMs = seen === null ? 0 : Math.round(monotonicMs - seen.dueAt);
      if (isWell) log.write('warn', 'scheduler_recovered', {});
      else log.write('error', 'scheduler_stalled', { overdue_ms: overdueMs, remedy: STALL_REMEDY });
      isStalled = !isWell;
    }
    if (isWell) manager.tell({ kind: 'alive', status: statusOf(daemon) });
    else manager.tell({ kind: 'stalled', status: 'the scheduler stands still: no refresh will start' });
  }

  return {
    ready(daemon) {
      watched = daemon;
      manager.tell({ kind: 'ready', status: statusOf(daemon) });
      stopLooking = manager.every(everyMs, () => look(daemon));
    },
    reloading() {
      // What is asked for while it starts is part of the start.
      if (watched === null) return () => undefined;
      const daemon = watched;
      manager.tell({ kind: 'reloading' });
      return () => {
        if (watched !== null) manager.tell({ kind: 'ready', status: statusOf(daemon) });
      };
    },
    stopping(withinMs) {
      stopLooking();
      watched = null;
      // A scheduler that stands still may never come to its end: it gets no more time than the manager gives by itself.
      manager.tell({ kind: 'stopping', withinMs: isStalled ? null : withinMs });
    },
  };
}

const statusOf = ({ names, state, now }: Watched): string =>
  statusLine(
    names().flatMap((name) => state(name) ?? []),
    now(),
  );

// Where nobody ends the process, this line and `/v1/health/live` are all that comes of it.
const STALL_REMEDY = 'the watchdog of the service restarts freshd; where there is none, restart it';
