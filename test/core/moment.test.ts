import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isoText, readMoment, readSeconds, writeMomentLike } from '../../src/core/moment.ts';
import { epochMs } from '../../src/core/token.ts';

const YEAR_2600_MS = 19_880_899_200_000;

describe('a moment', () => {
  it.each([
    [1_795_000_000, 1_795_000_000_000],
    [1_795_000_000.75, 1_795_000_000_750],
    [1_795_000_000_123, 1_795_000_000_123],
    ['1795000000123', 1_795_000_000_123],
    [' 1795000000 ', 1_795_000_000_000],
    ['2026-11-18T11:06:40Z', 1_795_000_000_000],
    ['2026-11-18T11:06:40', 1_795_000_000_000],
    ['2026-11-18 11:06:40.123456+00:00', 1_795_000_000_123],
    ['2026-11-18T06:06:40-05', 1_795_000_000_000],
    ['2026-11-18t16:36:40+0530', 1_795_000_000_000],
    ['2026-11-18T11:06Z', 1_794_999_960_000],
    ['2024-02-29', 1_709_164_800_000],
    ['2016-12-31T23:59:60Z', 1_483_228_800_000],
    [1e30, 253_402_300_799_999],
  ])('is read from %j', (value, expected) => {
    expect(readMoment(value)).toBe(expected);
  });

  it.each([
    [0],
    ['0'],
    [-1],
    [Number.NaN],
    [Number.POSITIVE_INFINITY],
    [''],
    ['soon'],
    ['2026-02-29'],
    ['2026-13-01'],
    ['2026-11-18T25:00Z'],
    ['1969-12-31'],
    ['2026-11-18T11:06:40Zulu'],
    [null],
    [undefined],
    [true],
    [{}],
    [`${'2026-11-18'}${' '.repeat(100)}`],
  ])('is null from %j', (value) => {
    expect(readMoment(value)).toBeNull();
  });

  it('is the same in ms, seconds, numeric strings and ISO 8601, and in the spelling of another one', () => {
    const whole = fc.integer({ min: 1_000_001, max: YEAR_2600_MS / 1000 });
    const other = fc.integer({ min: 1_000_001, max: YEAR_2600_MS / 1000 });
    fc.assert(
      fc.property(whole, other, (seconds, found) => {
        const ms = seconds * 1000;
        const date = new Date(ms);
        for (const value of [seconds, String(seconds), date.toISOString(), isoText(epochMs(ms))]) {
          expect(readMoment(value)).toBe(ms);
        }
        if (ms > 1e12) expect([readMoment(ms), readMoment(String(ms))]).toEqual([ms, ms]);
        expect(isoText(epochMs(ms + 7))).toBe(new Date(ms + 7).toISOString());
        for (const like of [found, String(found), new Date(found * 1000).toISOString()]) {
          const written = writeMomentLike(like, epochMs(ms));
          expect(typeof written).toBe(typeof like);
          expect(readMoment(written)).toBe(ms);
        }
      }),
    );
  });

  it('is written in ms where nothing tells the spelling', () => {
    for (const found of [undefined, null, 0, '', 'soon']) expect(writeMomentLike(found, epochMs(5e12))).toBe(5e12);
  });

  it('never throws', () => {
    fc.assert(
      fc.property(fc.anything(), (value) => {
        const moment = readMoment(value);
        expect(moment === null || Number.isSafeInteger(moment)).toBe(true);
      }),
    );
  });
});

describe('a duration in seconds', () => {
  it('is read from numbers and numeric strings, and null when there is none', () => {
    expect([60, '60', '1.5'].map(readSeconds)).toEqual([60_000, 60_000, 1500]);
    expect([0, -1, '', 'x', null, undefined, [60]].map(readSeconds)).toEqual(Array(7).fill(null));
  });
});
