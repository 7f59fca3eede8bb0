/**
 * Time for people: durations as they are typed and shown, moments beside how far off they are.
 *
 * Rule: the only file of the command line that asks what time it is, or lets any pass; everything else is given `nowMs`.
 */
import { durationText } from '../core/duration.ts';

export const systemNowMs = (): number => Date.now();

/** Epoch seconds of an ISO moment, rounded down: what expires is never taken to last longer. */
export const epochSeconds = (iso: string): number => Math.floor(Date.parse(iso) / 1000);

/** Lets time pass; ends early, and without an error, when `signal` says so. */
export function pause(durationMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, durationMs);
    if (signal?.aborted) end();
    else signal?.addEventListener('abort', end);
  });
}

/**
 * Reads `30s`, `5m`, `1h30m`, `2d`, `1.5h`, or a bare number of seconds.
 * @returns ms, or null when it is none of these
 */
export function parseDuration(text: string): number | null {
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text) * 1000;
  if (!/^(\d+(\.\d+)?(ms|s|m|h|d))+$/.test(text)) return null;
  let totalMs = 0;
  for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g)) {
    totalMs += Number(amount) * (UNIT_MS[unit ?? ''] ?? 0);
  }
  return totalMs;
}

/** `in 41 min (14:22:03)`, `3 h ago (2026-11-21 23:10:44)`; local time, with the date when it is not today. */
export function momentText(iso: string, nowMs: number): string {
  const momentMs = Date.parse(iso);
  const distance = durationText(momentMs - nowMs);
  const relative = momentMs >= nowMs ? `in ${distance}` : `${distance} ago`;
  return `${relative} (${clockText(momentMs, nowMs)})`;
}

/** `14:22:03`, local time. */
export function timeText(momentMs: number): string {
  const moment = new Date(momentMs);
  return [moment.getHours(), moment.getMinutes(), moment.getSeconds()].map(twoDigits).join(':');
}

export const isoText = (momentMs: number): string => new Date(momentMs).toISOString();

function clockText(momentMs: number, nowMs: number): string {
  const moment = new Date(momentMs);
  const clock = timeText(momentMs);
  const today = dateText(new Date(nowMs));
  const date = dateText(moment);
  return date === today ? clock : `${date} ${clock}`;
}

const dateText = (moment: Date): string =>
  [moment.getFullYear(), twoDigits(moment.getMonth() + 1), twoDigits(moment.getDate())].join('-');

const twoDigits = (value: number): string => String(value).padStart(2, '0');

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
