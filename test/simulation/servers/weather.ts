/**
 * How an authorization server behaves for the time being: mostly well, now and then badly, in one way at a time.
 *
 * Rule: drawn ahead of everything that meets it; who asks when changes nothing.
 */
import type { Random } from '../random.ts';

export type WeatherKind =
  | 'calm'
  /** Nobody there: refused, no name, no route, or silence at connecting. */
  | 'outage'
  /** Requests and answers get lost. */
  | 'lossy'
  /** Answers take longer, some longer than anybody waits. */
  | 'slow'
  /** Errors, pages, and answers that are no answers; before or after the commit. */
  | 'wrong'
  /** Grants with something missing or strange in them. */
  | 'odd'
  /** 429. */
  | 'limiting'
  /** It says that the client is configured wrongly. */
  | 'misconfigured';

export interface Spell {
  readonly kind: WeatherKind;
  readonly fromMs: number;
  readonly toMs: number;
}

/** @param severity share of the time that is not calm, roughly, from 0 to 1 */
export function forecast(endMs: number, severity: number, random: Random): readonly Spell[] {
  const spells: Spell[] = [];
  let at = 0;
  const add = (kind: WeatherKind, durationMs: number): void => {
    spells.push({ kind, fromMs: at, toMs: at + durationMs });
    at += durationMs;
  };
  while (at < endMs) {
    const troubleMs = random.logarithmic(TROUBLE_MS_MIN, TROUBLE_MS_MAX);
    add('calm', random.exponential((troubleMs * (1 - severity)) / Math.max(severity, 0.01)) + CALM_MS_MIN);
    add(random.pick(TROUBLES), troubleMs);
  }
  return spells;
}

export function weatherAt(spells: readonly Spell[], now: number): Spell {
  return spells.find(({ toMs }) => now < toMs) ?? { kind: 'calm', fromMs: now, toMs: Number.POSITIVE_INFINITY };
}

const TROUBLES: readonly [WeatherKind, ...WeatherKind[]] = [
  'outage',
  'lossy',
  'lossy',
  'slow',
  'slow',
  'wrong',
  'wrong',
  'odd',
  'limiting',
  'misconfigured',
];

const TROUBLE_MS_MIN = 10_000;
const TROUBLE_MS_MAX = 6 * 3_600_000;

// Long enough that whatever follows from a trouble can be told from what follows from the next.
const CALM_MS_MIN = 60_000;
