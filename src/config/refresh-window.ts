/**
 * The window of a credential: moments that a cron pattern prefers for its refreshes.
 *
 * Rule: pure; croner knows the calendar, this file only asks it. The policy carries the function along, because the core
 * decides when to refresh and knows no calendar.
 */
import { Cron } from 'croner';
import type { RefreshWindow } from '../core/policy.ts';
import type { RefreshConfig } from './config.ts';
import { type At, type Resolver, report } from './resolver.ts';

export type RawWindow = string | { readonly cron: string; readonly timeZone?: string | undefined };

/** @returns null without a window, and after a reported problem */
export function resolveWindow(
  resolver: Resolver,
  at: At,
  raw: RawWindow | undefined,
  refresh: RefreshConfig | null,
): RefreshWindow | null {
  if (raw === undefined) return null;
  if (refresh === null || refresh.kind === 'follow') {
    report(resolver, [...at, 'window'], {
      expected: 'a credential that freshd refreshes',
      seen: 'one that it only reads',
      remedy: 'remove "window", or say how it is refreshed',
    });
    return null;
  }
  const { cron, timeZone } = typeof raw === 'string' ? { cron: raw, timeZone: undefined } : raw;
  const here: At = typeof raw === 'string' ? [...at, 'window'] : [...at, 'window', 'cron'];
  if (timeZone !== undefined && !isTimeZone(timeZone)) {
    report(resolver, [...at, 'window', 'timeZone'], {
      expected: 'a time zone of the IANA list, such as "Europe/Paris"',
      seen: JSON.stringify(timeZone),
      remedy: 'correct it, or leave it out for the zone of this machine',
    });
    return null;
  }
  const window = { cron, timeZone: timeZone ?? null, latestIn };
  const trouble = troubleWith(window);
  if (trouble === null) return window;
  report(resolver, here, {
    expected: 'a cron pattern of minute, hour, day, month and weekday that comes round again',
    seen: `${JSON.stringify(cron)}${trouble}`,
    remedy: 'for example "* 2-4 * * *": between 2 and 5 at night',
  });
  return null;
}

function isTimeZone(timeZone: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone });
    return true;
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}

/** croner also takes a single moment and seconds; neither says when to refresh again and again. */
function troubleWith({ cron, timeZone }: Omit<RefreshWindow, 'latestIn'>): string | null {
  try {
    if (!cron.startsWith('@') && cron.trim().split(/\s+/).length !== 5) return ', which has not five parts';
    return calendar(cron, timeZone).nextRun(new Date(0)) === null ? ', which never comes' : null;
  } catch (error) {
    return `: ${error instanceof Error ? error.message : 'it cannot be read'}`;
  }
}

const calendar = (cron: string, timeZone: string | null): Cron =>
  new Cron(cron, { paused: true, ...(timeZone === null ? {} : { timezone: timeZone }) });

/**
 * One function for all windows, so that equal configurations compare equal. It halves the span instead of asking for the
 * run before its end: croner 10 throws on that question where the pattern names a month.
 */
function latestIn(
  { cron, timeZone }: RefreshWindow,
  span: { readonly from: number; readonly to: number },
): number | null {
  const runs = calendar(cron, timeZone);
  const after = (moment: number): number => runs.nextRun(new Date(moment))?.getTime() ?? Number.POSITIVE_INFINITY;
  let { from: low, to: high } = span;
  let found = after(low);
  if (found > span.to) return null;
  while (high - low > STEP_MS) {
    const middle = Math.floor((low + high) / 2);
    const next = after(middle);
    if (next > span.to) high = middle;
    else [low, found] = [middle, next];
  }
  return found;
}

// Moments of a pattern are whole seconds.
const STEP_MS = 1000;
