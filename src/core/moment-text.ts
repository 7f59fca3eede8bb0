/**
 * Moments and durations in words, without a Date: for alerts, and for whoever must say when.
 *
 * Rule: UTC, always said; two units at most; rounded down, so that nothing is promised for longer than it holds.
 */
import type { EpochMs } from './token.ts';

/** "02:14 UTC (46 min ago)", with the date when it is not that of `now`. */
export function momentText(at: EpochMs, now: EpochMs): string {
  const distance = durationText(Math.abs(at - now));
  return `${clockText(at, now)} (${at > now ? `in ${distance}` : `${distance} ago`})`;
}

/** "02:14 UTC", or "2026-11-22 02:14 UTC" when that is not the day of `now`. */
export function clockText(at: EpochMs, now: EpochMs): string {
  const day = Math.floor(at / DAY_MS);
  const minutes = Math.floor((at - day * DAY_MS) / MINUTE_MS);
  const time = `${pad(Math.floor(minutes / 60))}:${pad(minutes % 60)} UTC`;
  return day === Math.floor(now / DAY_MS) ? time : `${dateText(day)} ${time}`;
}

/** ISO 8601 in UTC to the second, as on the wire: "2026-11-22T02:14:07Z". */
export function isoText(at: EpochMs): string {
  const day = Math.floor(at / DAY_MS);
  const seconds = Math.floor((at - day * DAY_MS) / 1000);
  const time = [seconds / 3600, (seconds / 60) % 60, seconds % 60].map((part) => pad(Math.floor(part)));
  return `${dateText(day)}T${time.join(':')}Z`;
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

/**
 * ISO date of a day counted from 1970-01-01; the core has no Date.
 * @see Howard Hinnant, "chrono-compatible low-level date algorithms", civil_from_days
 */
function dateText(daysSinceEpoch: number): string {
  const days = daysSinceEpoch + 719_468;
  const era = Math.floor(days / 146_097);
  const dayOfEra = days - era * 146_097;
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1_460) + Math.floor(dayOfEra / 36_524) - Math.floor(dayOfEra / 146_096)) / 365,
  );
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const shiftedMonth = Math.floor((5 * dayOfYear + 2) / 153);
  const day = dayOfYear - Math.floor((153 * shiftedMonth + 2) / 5) + 1;
  const month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9;
  return `${yearOfEra + era * 400 + (month <= 2 ? 1 : 0)}-${pad(month)}-${pad(day)}`;
}

function pad(value: number): string {
  return String(value).padStart(2, '0');
}

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
