/**
 * Moments in words, without a Date: for alerts, which cannot know their reader's time zone.
 *
 * Rule: UTC, always said, with the distance from `now` beside it.
 */
import { durationText } from './duration.ts';
import { isoText } from './moment.ts';
import type { EpochMs } from './token.ts';

/** "02:14 UTC (46 min ago)", with the date when it is not that of `now`. */
export function momentText(at: EpochMs, now: EpochMs): string {
  const distance = durationText(at - now);
  return `${clockText(at, now)} (${at > now ? `in ${distance}` : `${distance} ago`})`;
}

/** "02:14 UTC", or "2026-11-22 02:14 UTC" when that is not the day of `now`. */
export function clockText(at: EpochMs, now: EpochMs): string {
  const [date, time] = [dateOf(at), isoText(at).slice(11, 16)];
  return date === dateOf(now) ? `${time} UTC` : `${date} ${time} UTC`;
}

function dateOf(at: EpochMs): string {
  return isoText(at).slice(0, 10);
}
