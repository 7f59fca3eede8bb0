/**
 * Alerts in words: from an alert's kind, codes and moments to what a person reads.
 *
 * Rule: every word stands in a table here; nothing that a server, a script or an agent wrote is repeated. One fact a line,
 * because the reader was asleep a minute ago. Times are UTC, as in the log, with the distance from `now` beside them.
 */
import { codeWords, isMisconfiguration } from './code-words.ts';
import { durationText } from './duration.ts';
import type { Alert } from './effect.ts';
import { clockText, momentText } from './moment-text.ts';
import type { AlertKind } from './policy.ts';
import type { StandIn } from './stand-in.ts';
import type { EpochMs } from './token.ts';

export interface AlertWording {
  /** One line; names the credential. */
  readonly title: string;
  /** Lines of the form `Label: fact`; plain text without markup. */
  readonly text: string;
  /** The exact command (or act) that helps; also the last line of `text`. Null when nothing is to be done. */
  readonly remedy: string | null;
}

interface Facts {
  /** Name of the credential, `[a-z0-9._-]`. */
  readonly credential: string;
  /** The exact command or act that brings the credential back; no secrets. */
  readonly remedy: string;
  /** Who serves in its place, in each of its chains. */
  readonly standIns: readonly StandIn[];
  readonly now: EpochMs;
}

/**
 * Puts an alert into words.
 * @returns at most 512 characters of text for names and targets of ordinary length, so that every sink can carry it whole
 */
export function alertText(alert: Alert, facts: Facts): AlertWording {
  const row = alert.kind === 'first_failure' && NO_ATTEMPTS.has(alert.code ?? '') ? UNUSABLE : WORDING[alert.kind];
  const isMisconfigured = alert.kind === 'reauthorization_required' && isMisconfiguration(alert.code);
  const remedy = remedyFor(isMisconfigured ? 'explain' : row.remedy, facts);
  const lines = [
    `What: ${row.what(alert, facts.now)}`,
    row.time(alert, facts.now),
    row.target && alert.target !== null ? `Where: ${oneLine(alert.target)}` : null,
    row.token ? tokenLine(alert.expiresAt, facts.now) : null,
    row.place ? placeLine(alert.expiresAt, facts) : null,
    `Next: ${row.next}`,
    remedy === null ? null : `Do: ${remedy}`,
  ];
  return {
    title: `freshd: ${facts.credential} ${row.title(alert)}`,
    text: lines.filter((line) => line !== null).join('\n'),
    remedy,
  };
}

interface Row {
  /** Continues "freshd: NAME …". */
  readonly title: (alert: Alert) => string;
  readonly what: (alert: Alert, now: EpochMs) => string;
  readonly time: (alert: Alert, now: EpochMs) => string;
  /** Says where the token should have gone. */
  readonly target: boolean;
  /** Says how long the present token is good. */
  readonly token: boolean;
  /** Says who takes its place. */
  readonly place?: boolean;
  readonly next: string;
  /** `credential`: what brings it back; `explain`, `status`: where to look; `clock`: set the clock. */
  readonly remedy: 'credential' | 'explain' | 'status' | 'clock' | null;
}

const failing = { time: sinceLine, target: false, token: true, place: true } as const;
const noticed = { time: atLine, target: false, token: true } as const;

const WORDING: Readonly<Record<AlertKind, Row>> = {
  first_failure: {
    ...failing,
    title: () => 'could not be refreshed, trying again',
    what: (alert) => `the refresh failed: ${codeWords(alert.code)}.`,
    next: 'freshd tries again by itself within minutes. Nothing to do yet.',
    remedy: 'explain',
  },
  escalated: {
    ...failing,
    title: (alert) => `failed to refresh ${times(alert.failures)}`,
    what: (alert) => `${times(alert.failures)} in a row the refresh failed; the last time: ${codeWords(alert.code)}.`,
    next: 'freshd goes on trying by itself. Look at it soon.',
    remedy: 'explain',
  },
  recovering: {
    ...failing,
    title: () => 'is still failing, recovery has begun',
    what: (alert) => `the ordinary retries are used up; the last failure: ${codeWords(alert.code)}.`,
    next: 'freshd tries for ever, at longer intervals, and tells you when it works. To end it sooner:',
    remedy: 'credential',
  },
  reauthorization_required: {
    ...failing,
    title: () => 'needs you: it cannot be refreshed any more',
    what: (alert) => `freshd has stopped refreshing it: ${codeWords(alert.code)}.`,
    next: 'nothing happens until a person acts; after that freshd goes on by itself, without a restart.',
    remedy: 'credential',
  },
  restored: {
    title: (alert) =>
      alert.episodeStartedAt === null
        ? 'works again'
        : `works again after ${durationText(alert.at - alert.episodeStartedAt)}`,
    what: () => 'it was refreshed; all is well.',
    time: lastedLine,
    target: false,
    token: true,
    next: 'nothing to do.',
    remedy: null,
  },
  suspicious_refresh_rate: {
    ...noticed,
    title: () => 'is refreshed suspiciously often',
    what: (alert) => `${codeWords(alert.code)}.`,
    next: 'freshd goes on, at a bounded rate. Find the program that reports rejections, or the refresh that brings nothing.',
    remedy: 'explain',
  },
  clock_skew: {
    ...noticed,
    title: () => 'was refused, and this clock is wrong',
    what: () => "this machine's clock and the server's differ by more than a minute, so its answer is not believed.",
    next: 'freshd tries again. Set the clock.',
    remedy: 'clock',
  },
  rate_limited_past_expiry: {
    ...failing,
    title: () => 'is rate-limited past its expiry',
    what: (alert, now) =>
      `the server told freshd to wait for longer than the present token lasts${alert.until === undefined ? '' : `: until ${momentText(alert.until, now)}`}.`,
    next: 'freshd waits as told, then tries again. To see it:',
    remedy: 'explain',
  },
  refresh_token_expiring: {
    ...noticed,
    title: () => 'will soon need you: its refresh token ends',
    what: (alert) => `the refresh token ends ${daysLeft(alert.code)}; after that only a person can bring it back.`,
    next: 'all goes on until then. Best done now, in daylight:',
    remedy: 'credential',
  },
  delivery_failed: {
    ...noticed,
    title: () => 'is fresh, but could not be delivered',
    what: (alert) => `one place did not take what it should hold: ${codeWords(alert.code)}.`,
    target: true,
    next: 'freshd keeps trying that place; all others are served.',
    remedy: 'status',
  },
  delivery_restored: {
    title: () => 'is delivered again',
    what: () => 'the place that had refused it has it now.',
    time: atLine,
    target: true,
    token: true,
    next: 'nothing to do.',
    remedy: null,
  },
};

/** The first message of an episode that no attempt began: nothing was refreshed, and nothing failed. */
const UNUSABLE: Row = {
  ...failing,
  title: () => 'has no usable token',
  what: (alert) => `${codeWords(alert.code)}.`,
  next: 'freshd goes on by itself as soon as it finds a token that works. To end it sooner:',
  remedy: 'credential',
};

/** Codes of such episodes. */
const NO_ATTEMPTS: ReadonlySet<string> = new Set(['token_missing', 'rejected', 'expired']);

/** The core says `3_days`. */
function daysLeft(code: string | null): string {
  const days = Number(/^(\d+)_days$/.exec(code ?? '')?.[1] ?? Number.NaN);
  if (Number.isNaN(days)) return 'soon';
  return days <= 1 ? 'within a day' : `in ${days} days or sooner`;
}

function remedyFor(kind: Row['remedy'], facts: Facts): string | null {
  switch (kind) {
    case 'credential':
      return oneLine(facts.remedy);
    case 'explain':
      return `freshd explain ${facts.credential}`;
    case 'status':
      return 'freshd status';
    case 'clock':
      return 'set the clock of this machine (on Linux: timedatectl set-ntp true)';
    case null:
      return null;
  }
}

function tokenLine(expiresAt: EpochMs | null, now: EpochMs): string {
  if (expiresAt === null) return 'Token: how long the present one still works is not known.';
  return expiresAt > now
    ? `Token: the present one is good until ${momentText(expiresAt, now)}.`
    : `Token: expired ${momentText(expiresAt, now)}; programs without a fallback fail now.`;
}

function placeLine(expiresAt: EpochMs | null, { standIns, now }: Facts): string {
  const [first, ...others] = standIns.filter(({ credential }) => credential !== null);
  const who = first === undefined ? 'nothing takes its place' : `${first.credential} takes its place in ${first.chain}`;
  const more = others.length === 0 ? '' : `, another in ${others.length} more`;
  return `Instead: ${who}${more}${expiresAt !== null && expiresAt > now ? ' when that ends' : ''}.`;
}

function sinceLine(alert: Alert, now: EpochMs): string {
  return `Since: ${momentText(alert.episodeStartedAt ?? alert.at, now)}.`;
}

function atLine(alert: Alert, now: EpochMs): string {
  return `At: ${momentText(alert.at, now)}.`;
}

function lastedLine(alert: Alert, now: EpochMs): string {
  if (alert.episodeStartedAt === null) return atLine(alert, now);
  const lasted = durationText(alert.at - alert.episodeStartedAt);
  return `Lasted: ${lasted}, from ${clockText(alert.episodeStartedAt, now)} to ${clockText(alert.at, now)}.`;
}

function times(count: number): string {
  return count === 1 ? 'once' : `${count} times`;
}

/** A line break in a path or command must not forge a line of its own. */
function oneLine(text: string): string {
  return text.replace(/\p{Cc}+/gu, ' ').trim();
}
