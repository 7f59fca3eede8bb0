/**
 * The engine's one alarm over the deadlines of all, and whether it still rings.
 *
 * Rule: the alarm stands at the earliest deadline, or 30 s ahead where that is sooner; so a look that is overdue can only mean
 * that nothing wakes the engine any more.
 */
import type { Pulse } from '../core/progress.ts';
import type { MonotonicMs } from '../core/token.ts';
import { createDeadlineHeap } from './alarm.ts';
import type { AlarmPort, ClockPort } from './ports.ts';

export interface WakeUp {
  /** @param at monotonic ms */
  set(name: string, at: number): void;
  delete(name: string): void;
  /** Takes what is due out; whoever is woken sets a new deadline for each. */
  takeDue(): readonly string[];
  /** Puts the alarm where the deadlines want it. */
  arm(): void;
  /** Clears the alarm for good. */
  close(): void;
  pulse(): Pulse;
}

export interface WakeUpOptions {
  readonly clock: ClockPort;
  readonly alarm: AlarmPort;
  readonly ring: () => void;
}

export function createWakeUp({ clock, alarm, ring }: WakeUpOptions): WakeUp {
  const deadlines = createDeadlineHeap();
  let isClosed = false;
  /** Monotonic moment for which the alarm is set; null: it is not. */
  let armedFor: number | null = null;
  /** When the engine last began to wait. */
  let lookedAt: MonotonicMs | null = null;

  return {
    set: deadlines.set,
    delete: deadlines.delete,
    takeDue() {
      const { monotonicMs } = clock.now();
      const due: string[] = [];
      for (let first = deadlines.earliest(); first !== null; first = deadlines.earliest()) {
        if (first.at > monotonicMs) break;
        deadlines.delete(first.name);
        due.push(first.name);
      }
      return due;
    },
    /** An alarm that is set early enough already is left alone: ringing early costs one look. */
    arm() {
      const first = deadlines.earliest();
      if (isClosed || first === null) return;
      const { monotonicMs } = clock.now();
      if (armedFor === null) lookedAt = monotonicMs;
      const at = Math.min(first.at, monotonicMs + SLEEP_MS_MAX);
      if (armedFor !== null && armedFor <= at) return;
      armedFor = at;
      alarm.set(Math.max(1, Math.ceil(at - monotonicMs)), () => {
        armedFor = null;
        ring();
      });
    },
    close() {
      isClosed = true;
      armedFor = null;
      alarm.clear();
    },
    pulse() {
      const first = deadlines.earliest();
      if (isClosed || first === null || lookedAt === null) return null;
      return { lookedAt, dueAt: Math.min(first.at, lookedAt + SLEEP_MS_MAX) };
    },
  };
}

// A laptop that slept through the deadline wakes late; ticks are idempotent, so oversleeping costs at most this.
const SLEEP_MS_MAX = 30_000;
