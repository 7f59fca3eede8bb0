/**
 * The machine's clocks and the daemon's one alarm.
 *
 * Rule: nothing else in the daemon says what time it is, and no refresh waits for any other timer. The alarm may ring early or late, never not at all.
 */
import { Cron } from 'croner';
import { epochMs, monotonicMs } from '../core/token.ts';
import type { AlarmPort, ClockPort } from '../daemon/ports.ts';

/**
 * Whole milliseconds. Neither clock is trusted alone: the wall clock can be set, and the monotonic one stands still while
 * the machine sleeps; who compares the two sees both.
 */
export const systemClock: ClockPort = {
  now: () => ({ wallMs: epochMs(Date.now()), monotonicMs: monotonicMs(Math.floor(performance.now())) }),
};

/**
 * One alarm on croner's one-off job, which re-checks the wall clock and so wakes on time after a suspend, with a timer
 * behind it for what croner 10 does not do:
 * - a moment that is past by the time it looks never rings (1 ms ahead is often past);
 * - when the wall clock is set back, it waits until that clock has caught up, be it years.
 * A throw of `ring` is a bug, and ends the process: swallowed, it would leave the daemon alive without a next wake-up.
 */
export function createAlarm(): AlarmPort {
  let job: Cron | null = null;
  let backstop: NodeJS.Timeout | undefined;
  let ringing: NodeJS.Immediate | undefined;
  let wakesAt = 0;
  let answer: () => void;

  const clear = (): void => {
    // Stopped before it is let go: a job is some 80 KB, held by its timer for as long as that runs.
    job?.stop();
    job = null;
    clearTimeout(backstop);
    clearImmediate(ringing);
  };

  const fire = (): void => {
    clear();
    // After a standstill every deadline has passed; what arrived meanwhile is heard first, such as the answer to a request.
    ringing = setImmediate(answer);
  };

  const set = (delayMs: number, ring: () => void): void => {
    answer = ring;
    const sleepMs = Math.min(Math.max(delayMs, 0), SLEEP_MS_MAX);
    const wakeAt = performance.now() + sleepMs;
    // Thousands of steps in a row leave the earliest deadline where it is, and a new job costs 50 µs.
    if (job !== null && Math.abs(wakeAt - wakesAt) < SAME_MOMENT_MS) return;
    clear();
    wakesAt = wakeAt;
    job = new Cron(new Date(Date.now() + sleepMs), { catch: throwOutside }, fire);
    backstop = setTimeout(fire, job.isRunning() ? sleepMs + BACKSTOP_MS : sleepMs);
  };

  return { set, clear };
}

/** Out of croner's promise, which would swallow it. */
function throwOutside(error: unknown): void {
  setImmediate(() => {
    throw error;
  });
}

// A laptop that slept through the deadline wakes late; ticks are idempotent, so oversleeping costs at most this.
const SLEEP_MS_MAX = 30_000;

// Croner is to be first: it is late by a few ms at most unless the wall clock was set back.
const BACKSTOP_MS = 250;

// Timers have a resolution of 1 ms.
const SAME_MOMENT_MS = 1;
