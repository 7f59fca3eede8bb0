import { describe, expect, test } from 'vitest';
import { momentText, parseDuration } from '../../src/cli/time.ts';

describe('a duration', () => {
  test.each([
    ['30s', 30_000],
    ['5m', 300_000],
    ['1h30m', 5_400_000],
    ['1.5h', 5_400_000],
    ['2d', 172_800_000],
    ['250ms', 250],
    ['90', 90_000],
    ['0', 0],
  ])('%s is %i ms', (text, durationMs) => expect(parseDuration(text)).toBe(durationMs));

  test.each(['', 'soon', '5 m', '-5m', '5x', 'm', '1h-30m', '1e9', '5m30'])('%j is none', (text) =>
    expect(parseDuration(text)).toBeNull(),
  );
});

describe('a moment', () => {
  const now = new Date(2026, 10, 22, 14, 0, 0).getTime();
  const at = (day: number, hour: number, minute: number): string =>
    new Date(2026, 10, day, hour, minute, 3).toISOString();

  test('is shown by its distance and by the clock, with the date only when it is another day', () => {
    expect(momentText(at(22, 14, 41), now)).toBe('in 41 min 3 s (14:41:03)');
    expect(momentText(at(22, 13, 59), now)).toBe('57 s ago (13:59:03)');
    expect(momentText(at(23, 15, 0), now)).toBe('in 1 d 1 h (2026-11-23 15:00:03)');
  });
});
