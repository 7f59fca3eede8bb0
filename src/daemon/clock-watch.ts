/**
 * Notices when the wall clock and the monotonic clock no longer agree: a suspend, or a clock that was set.
 *
 * Rule: each jump is told once; what time servers slew is none.
 */
import type { Now } from '../core/token.ts';
import type { ClockPort } from './ports.ts';

export interface ClockWatch {
  /** By how much the wall clock ran ahead since the last look, in ms; null: they agree. */
  jumpedByMs(): number | null;
}

export function createClockWatch(clock: ClockPort): ClockWatch {
  /** Wall minus monotonic time as last agreed. */
  let agreedMs = offsetOf(clock.now());
  return {
    jumpedByMs() {
      const offsetMs = offsetOf(clock.now());
      const byMs = Math.round(offsetMs - agreedMs);
      if (Math.abs(byMs) <= JUMP_MS_MIN) return null;
      agreedMs = offsetMs;
      return byMs;
    },
  };
}

const offsetOf = (now: Now): number => now.wallMs - now.monotonicMs;

// Time servers slew by milliseconds; a suspend or a set clock moves by more than this.
const JUMP_MS_MIN = 2_000;
