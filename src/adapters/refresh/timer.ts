/**
 * The one place where running scripts meets real time: a script's time limit and its grace cannot be told by anything but a timer.
 */
import { setTimeout as wait } from 'node:timers/promises';

/**
 * Waits, or stops waiting when told to.
 * @returns true when the time has passed, false when the signal came first
 */
export async function delay(durationMs: number, signal?: AbortSignal): Promise<boolean> {
  if (signal === undefined) {
    await wait(durationMs);
    return true;
  }
  try {
    await wait(durationMs, undefined, { signal });
    return true;
  } catch (error) {
    if (signal.aborted) return false;
    throw error;
  }
}
