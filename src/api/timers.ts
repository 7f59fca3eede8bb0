/**
 * The API's timers: the end of a wait, the check of the socket file, the bound of a stop.
 *
 * Rule: this is the only file of the API that touches the clock of the runtime; everything else is given `Timers`.
 * These are limits of connections, not the schedule: no refresh depends on one.
 */
export interface Timers {
  /** Runs once. @returns how to cancel it */
  after(delayMs: number, run: () => void): () => void;
  /** Runs again and again. @returns how to stop it */
  every(intervalMs: number, run: () => void): () => void;
}

/** None of them keeps the process alive: the daemon ends when the daemon says so. */
export const systemTimers: Timers = {
  after(delayMs, run) {
    const timer = setTimeout(run, delayMs).unref();
    return () => clearTimeout(timer);
  },
  every(intervalMs, run) {
    const timer = setInterval(run, intervalMs).unref();
    return () => clearInterval(timer);
  },
};
