/**
 * Moments and durations in words, without a Date: for alerts, and for whoever must say when.
 *
 * Rule: UTC, always said; two units at most; rounded down, so that nothing is promised for longer than it holds.
 */
import { isoText } from './moment.ts';
import type { EpochMs } from './token.ts';

/** "02:14 UTC (46 min ago)", with the date when it is not that of `now`. */
export function momentText(at: EpochMs, now: EpochMs): string {
  const distance = durationText(Math.abs(at - now));
  return `${clockText(at, now)} (${at > now ? `in ${distance}` : `${distance} ago`})`;
}

/** "02:14 UTC", or "2026-11-22 02:14 UTC" when that is not the day of `now`. */
export function clockText(at: EpochMs, now: EpochMs): string {
  const [date, time] = [dateOf(at), isoText(at).slice(11, 16)];
  return date === dateOf(now) ? `${time} UTC` : `${date} ${time} UTC`;
}

/** Two units at most, rounded down: "30 s", "46 min", "7 h 24 min", "3 d 2 h". */
export function durationText(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return minutes % 60 === 0 ? `${hours} h` : `${hours} h ${minutes % 60} min`;
  return hours % 24 === 0 ? `${hours / 24} d` : `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

function dateOf(at: EpochMs): string {
  return isoText(at).slice(0, 10);
}
