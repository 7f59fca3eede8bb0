/**
 * Moments and durations as other programs write them: milliseconds, seconds, numeric strings, ISO 8601.
 *
 * Rule: liberal in what is read, and `null` where nothing can be made of it; never throws. Without a Date.
 */
import { type EpochMs, epochMs } from './token.ts';

/**
 * Reads a moment.
 * @param value a number or numeric string (above 1e12 milliseconds, else seconds) or an ISO 8601 string (no zone: UTC)
 * @returns whole ms; null for anything else, for zero, and for what lies before 1970
 */
export function readMoment(value: unknown): EpochMs | null {
  const number = readNumber(value);
  if (number !== null) return momentOf(number > MILLISECONDS_ABOVE ? number : number * 1000);
  return typeof value === 'string' && value.length <= ISO_LENGTH_MAX ? readIso(value.trim()) : null;
}

/**
 * Reads a duration in seconds, as `expires_in` is.
 * @returns ms; null when it is missing, zero, negative or not a number
 */
export function readSeconds(value: unknown): number | null {
  const seconds = readNumber(value);
  return seconds !== null && seconds > 0 ? seconds * 1000 : null;
}

/**
 * Writes a moment in the spelling in which another one was found, so that the file's owner still understands it.
 * @returns ms where nothing can be told from what was found (0, nothing)
 */
export function writeMomentLike(found: unknown, moment: EpochMs): number | string {
  const number = readNumber(found);
  if (number !== null && number > 0) {
    const written = number > MILLISECONDS_ABOVE ? moment : Math.floor(moment / 1000);
    return typeof found === 'string' ? String(written) : written;
  }
  return readMoment(found) === null ? moment : isoText(moment);
}

/** "2026-11-22T02:14:05.123Z". */
export function isoText(moment: EpochMs): string {
  const day = Math.floor(moment / DAY_MS);
  const ms = moment - day * DAY_MS;
  const clock = [Math.floor(ms / 3_600_000), Math.floor(ms / 60_000) % 60, Math.floor(ms / 1000) % 60];
  return `${dateText(day)}T${clock.map((part) => pad(part, 2)).join(':')}.${pad(ms % 1000, 3)}Z`;
}

function readNumber(value: unknown): number | null {
  if (typeof value === 'number') return Number.isFinite(value) ? value : null;
  if (typeof value !== 'string' || !NUMERIC.test(value)) return null;
  const number = Number(value);
  return Number.isFinite(number) ? number : null;
}

function readIso(text: string): EpochMs | null {
  const match = ISO.exec(text);
  if (match === null) return null;
  const part = (group: number): number => Number(match[group] ?? 0);
  const [year, month, day, hour, minute, second] = [part(1), part(2), part(3), part(4), part(5), part(6)];
  if (month < 1 || month > 12 || day < 1 || day > daysIn(year, month)) return null;
  // 60: a leap second; it is read as the first of the next minute, as POSIX time does.
  if (hour > 24 || minute > 59 || second > 60) return null;
  const ms = Math.floor(Number(`0.${match[7] ?? 0}`) * 1000);
  const zoneMinutes = (part(9) * 60 + part(10)) * (match[8] === '-' ? -1 : 1);
  const minutes = hour * 60 + minute - zoneMinutes;
  return momentOf(dayOf(year, month, day) * DAY_MS + minutes * 60_000 + second * 1000 + ms);
}

function momentOf(ms: number): EpochMs | null {
  if (ms <= 0) return null;
  return epochMs(Math.min(Math.floor(ms), MOMENT_MAX));
}

function daysIn(year: number, month: number): number {
  return month === 12 ? 31 : dayOf(year, month + 1, 1) - dayOf(year, month, 1);
}

/**
 * Days from 1970-01-01 to a date of the Gregorian calendar.
 * @see Howard Hinnant, "chrono-compatible low-level date algorithms", days_from_civil
 */
function dayOf(year: number, month: number, day: number): number {
  const shiftedYear = month <= 2 ? year - 1 : year;
  const era = Math.floor(shiftedYear / 400);
  const yearOfEra = shiftedYear - era * 400;
  const dayOfYear = Math.floor((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5) + day - 1;
  return (
    era * 146_097 + yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear - 719_468
  );
}

/** The reverse of `dayOf`. @see civil_from_days, at the same place */
function dateText(daysSinceEpoch: number): string {
  const days = daysSinceEpoch + 719_468;
  const era = Math.floor(days / 146_097);
  const dayOfEra = days - era * 146_097;
  const leapDays = Math.floor(dayOfEra / 1_460) - Math.floor(dayOfEra / 36_524) + Math.floor(dayOfEra / 146_096);
  const yearOfEra = Math.floor((dayOfEra - leapDays) / 365);
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const shiftedMonth = Math.floor((5 * dayOfYear + 2) / 153);
  const day = dayOfYear - Math.floor((153 * shiftedMonth + 2) / 5) + 1;
  const month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9;
  return [pad(yearOfEra + era * 400 + (month <= 2 ? 1 : 0), 4), pad(month, 2), pad(day, 2)].join('-');
}

function pad(value: number, digits: number): string {
  return String(value).padStart(digits, '0');
}

// As seconds it would be the year 33,658; as milliseconds it is 2001: nothing in between is ambiguous.
const MILLISECONDS_ABOVE = 1e12;

// The end of the year 9999: later ones have no ISO form, and no token lives that long.
const MOMENT_MAX = 253_402_300_799_999;

const NUMERIC = /^\s*[+-]?\d{1,24}(\.\d{1,12})?\s*$/;

// RFC 3339, and what common libraries print: a space for the T, nine digits of fraction, no zone, a date alone.
const ISO =
  /^(\d{4})-(\d\d)-(\d\d)(?:[Tt ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)? ?(?:[Zz]|([+-])(\d\d):?(\d\d)?)?)?$/;
const ISO_LENGTH_MAX = 40;

const DAY_MS = 24 * 3_600_000;
