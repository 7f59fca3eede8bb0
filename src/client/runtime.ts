/**
 * Time, chance and the environment, as the client library is given them.
 *
 * Rule: the only file of the library that touches them (`transport.ts` has the time limit of its one request).
 */
import { homedir } from 'node:os';
import type { Capture } from '../config/paths.ts';

export interface Runtime {
  readonly nowMs: () => number;
  /** At least 0, less than 1. */
  readonly random: () => number;
  /** @returns how to cancel it, and whether it keeps the process alive */
  readonly after: (delayMs: number, run: () => void) => Timer;
}

export interface Timer {
  cancel(): void;
  ref(): void;
  unref(): void;
}

export const systemRuntime: Runtime = {
  nowMs: Date.now,
  random: Math.random,
  after(delayMs, run) {
    // A delay beyond this would fire at once.
    const timer = setTimeout(run, Math.min(delayMs, TIMER_MS_MAX));
    return {
      cancel: () => clearTimeout(timer),
      ref: () => void timer.ref(),
      unref: () => void timer.unref(),
    };
  },
};

const TIMER_MS_MAX = 2 ** 31 - 1;

/** Looked at once for each client: a variable that changes later belongs to another client. */
export function captureSurroundings(): Capture {
  const { platform } = process;
  const uid = process.getuid?.() ?? null;
  return { env: { ...process.env }, home: homedir(), cwd: process.cwd(), platform, uid, machineId: '' };
}

/** Tells the instances of one program apart for the daemon, as long as they run. */
export function defaultConsumer(): string {
  const script = process.argv[1]?.split(/[\\/]/).at(-1) ?? 'node';
  return `${script.replace(/[^\x21-\x7e]/g, '_').slice(0, SCRIPT_LENGTH_MAX)}-${process.pid}`;
}

/** A consumer's name has 64 characters, and a pid up to ten. */
const SCRIPT_LENGTH_MAX = 50;
