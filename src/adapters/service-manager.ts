/**
 * The service manager that started this process, as systemd speaks: what it is told, and how soon it wants a sign of life.
 *
 * Rule: telling is best effort and never throws: a daemon whose manager does not listen goes on. Nothing secret is told; the
 * variables that say where to tell are not handed to any program that is started here.
 */
import type { ServiceSign } from '../core/progress.ts';
import { type LogPort, PortError } from '../daemon/ports.ts';
import type { NotifyPort, ServiceManagerPort } from '../daemon/system-ports.ts';

export interface ServiceManagerOptions {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly pid: number;
  /** The way to it; null: nobody waits for news. */
  readonly notify: NotifyPort | null;
  readonly log: LogPort;
}

/** @throws PortError `watchdog_unserved` where signs of life are demanded and cannot be given */
export function createServiceManager({ environment, pid, notify, log }: ServiceManagerOptions): ServiceManagerPort {
  if (notify === null) return { watchdogMs: null, tell: () => undefined, every };
  const demandedMs = watchdogMs(environment, pid);
  if (demandedMs !== null && !notify.isCheap) throw watchdogUnserved();
  /** One after the other: a `READY=1` that overtakes a `RELOADING=1` would say the opposite. */
  let sending = Promise.resolve();
  let lastStatus: string | null = null;
  /** The last trouble, so that each is said once. */
  let trouble: string | null = null;

  async function send(text: string): Promise<void> {
    try {
      await notify?.send(text);
      trouble = null;
    } catch (error) {
      const code = error instanceof PortError ? error.code : 'notify_failed';
      if (code !== trouble) log.write('warn', code, { remedy: error instanceof PortError ? error.remedy : null });
      trouble = code;
      lastStatus = null;
    }
  }

  return {
    watchdogMs: demandedMs,
    tell(sign) {
      // Each would be a process; who wants to know what is next can ask for the status.
      if (!notify.isCheap && (sign.kind === 'alive' || sign.kind === 'stalled')) return;
      const lines = linesOf(sign);
      if ('status' in sign && sign.status !== lastStatus) {
        lines.push(`STATUS=${sign.status}`);
        lastStatus = sign.status;
      }
      if (lines.length > 0) sending = sending.then(() => send(lines.join('\n')));
    },
    every,
  };
}

/**
 * The listening socket that the manager opened for us: the one named `freshd`, or the only one.
 * @returns its descriptor; null: there is none, or it is meant for another process
 */
export function passedSocket(environment: ServiceManagerOptions['environment'], pid: number): number | null {
  const { LISTEN_PID, LISTEN_FDS = '', LISTEN_FDNAMES = '' } = environment;
  const count = /^\d+$/.test(LISTEN_FDS) ? Number(LISTEN_FDS) : 0;
  if (LISTEN_PID !== String(pid) || count === 0) return null;
  const named = LISTEN_FDNAMES.split(':').indexOf(SOCKET_NAME);
  if (named !== -1 && named < count) return FIRST_DESCRIPTOR + named;
  return count === 1 ? FIRST_DESCRIPTOR : null;
}

function linesOf(sign: ServiceSign): string[] {
  switch (sign.kind) {
    case 'ready':
      return ['READY=1'];
    case 'alive':
      return ['WATCHDOG=1'];
    case 'stalled':
      return [];
    case 'reloading':
      // The moment goes with the word: it tells this reload from one that was asked for meanwhile.
      return ['RELOADING=1', `MONOTONIC_USEC=${process.hrtime.bigint() / 1_000n}`];
    case 'stopping':
      return [
        'STOPPING=1',
        ...(sign.withinMs === null ? [] : [`EXTEND_TIMEOUT_USEC=${Math.ceil(sign.withinMs) * 1_000}`]),
      ];
  }
}

/** Meant for this very process: the variables may have been inherited from a service that started a shell. */
function watchdogMs(environment: ServiceManagerOptions['environment'], pid: number): number | null {
  const { WATCHDOG_USEC = '', WATCHDOG_PID = '' } = environment;
  if (WATCHDOG_PID !== '' && WATCHDOG_PID !== String(pid)) return null;
  const micros = Number(WATCHDOG_USEC);
  return /^\d+$/.test(WATCHDOG_USEC) && micros > 0 ? micros / 1_000 : null;
}

function watchdogUnserved(): PortError {
  const remedy =
    'install the optional package koffi, or set WatchdogSec=0 and NotifyAccess=all in a drop-in of the unit';
  return new PortError(`WatchdogSec: expected a way to give signs of life, got none without native calls; ${remedy}`, {
    code: 'watchdog_unserved',
    remedy,
  });
}

/** Not on the alarm, for which it vouches; and no reason for a process to live on. */
function every(intervalMs: number, look: () => void): () => void {
  const timer = setInterval(look, intervalMs).unref();
  return () => clearInterval(timer);
}

// FileDescriptorName= in the socket unit.
const SOCKET_NAME = 'freshd';

// SD_LISTEN_FDS_START: 0, 1 and 2 are taken.
const FIRST_DESCRIPTOR = 3;
