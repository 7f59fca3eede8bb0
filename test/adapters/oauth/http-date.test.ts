import { expect, test } from 'vitest';
import { readHttpDate, readRetryAfter } from '../../../src/adapters/oauth/http-date.ts';

const MOMENT = Date.UTC(1994, 10, 6, 8, 49, 37);

test.each([
  ['Sun, 06 Nov 1994 08:49:37 GMT', MOMENT],
  ['Sunday, 06-Nov-94 08:49:37 GMT', MOMENT],
  ['Sun Nov  6 08:49:37 1994', MOMENT],
  ['1994-11-06T08:49:37Z', null],
  ['tomorrow', null],
  ['', null],
  [null, null],
])('the date %s is %s', (text, expected) => {
  expect(readHttpDate(text)).toBe(expected);
});

test.each<[Record<string, string>, number | null]>([
  [{}, null],
  [{ 'retry-after': '0' }, 0],
  [{ 'retry-after': ' 30 ' }, 30_000],
  [{ 'retry-after': '1.5' }, 1_500],
  [{ 'retry-after': '-1' }, null],
  [{ 'retry-after': 'soon' }, null],
  [{ 'retry-after': 'Sun, 06 Nov 1994 08:50:37 GMT' }, 60_000],
  [{ 'retry-after': 'Sun, 06 Nov 1994 08:48:37 GMT' }, 0],
  [{ 'retry-after': 'Sun, 06 Nov 1994 08:50:37 GMT', date: 'Sun, 06 Nov 1994 08:50:07 GMT' }, 30_000],
])('%j means to wait %s ms', (headers, expected) => {
  expect(readRetryAfter(new Headers(headers), MOMENT)).toBe(expected);
});
