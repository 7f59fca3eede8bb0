/**
 * Does the scheduler make progress, or does it only look alive?
 *
 * Rule: judged by monotonic time alone; whoever watches over the process sends its life sign only while this says yes.
 */

/** What the scheduler shows of itself; null: it waits for nothing, and so cannot stand still. */
export type Pulse = {
  /** Monotonic ms at which it last began to wait. */
  readonly lookedAt: number;
  /** Monotonic ms at which it has to wake up next. */
  readonly dueAt: number;
} | null;

/**
 * @param patienceMs by how much a wake-up may be late: a busy machine, a step over ten thousand credentials
 * @returns false once a wake-up is overdue by more than that, whatever else the process still answers
 */
export function isProgressing(pulse: Pulse, patienceMs: number, nowMs: number): boolean {
  return pulse === null || nowMs <= pulse.dueAt + patienceMs;
}

/**
 * How often to look, and how late a wake-up may be, for a watchdog that ends the process `watchdogMs` after its last life sign.
 * Four looks fit in: one that comes late, or falls into a pause of the machine, does not end a healthy daemon.
 */
export function watchOf(watchdogMs: number): { readonly everyMs: number; readonly patienceMs: number } {
  return { everyMs: watchdogMs / 4, patienceMs: watchdogMs / 2 };
}

// Where nobody watches: a refresh starts minutes ahead of the expiry, so half a minute of standing still harms nothing yet.
export const WATCHDOG_MS_DEFAULT = 60_000;

/** What whoever started the process is told of it. */
export type ServiceSign =
  | { readonly kind: 'ready' | 'alive'; readonly status: string }
  /** Alive, but not well: no life sign goes with it. */
  | { readonly kind: 'stalled'; readonly status: string }
  | { readonly kind: 'reloading' }
  /** `withinMs`: how long it may take until the process has ended; null: as long as the manager thinks. */
  | { readonly kind: 'stopping'; readonly withinMs: number | null };
