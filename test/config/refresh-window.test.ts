import fc from 'fast-check';
import { expect, test } from 'vitest';
import { planReload } from '../../src/config/reload.ts';
import type { RefreshWindow } from '../../src/core/policy.ts';
import { adviceOn, loaded, MAIL, privateFolder, problemsOf } from './arrange.ts';

const withWindow = (window: unknown, extra: object = {}): object => ({
  credentials: { mail: { ...MAIL, window, ...extra } },
});

async function windowOf(window: unknown): Promise<RefreshWindow> {
  const found = (await loaded(withWindow(window))).credentials[0]?.policy.window;
  if (found === null || found === undefined) throw new Error('expected a window');
  return found;
}

const latest = (window: RefreshWindow, from: string, to: string): string | null => {
  const found = window.latestIn(window, { from: Date.parse(from), to: Date.parse(to) });
  return found === null ? null : new Date(found).toISOString();
};

test('a window is the last moment of its pattern within a span, in its time zone', async () => {
  const paris = await windowOf({ cron: '0 3 * * *', timeZone: 'Europe/Paris' });
  expect(latest(paris, '2026-06-09T12:00:00Z', '2026-06-10T12:00:00Z')).toBe('2026-06-10T01:00:00.000Z');
  expect(latest(paris, '2026-06-10T01:00:00Z', '2026-06-10T12:00:00Z')).toBeNull();
  const night = await windowOf({ cron: '* 2-4 * * *', timeZone: 'UTC' });
  expect(latest(night, '2026-06-10T00:00:00Z', '2026-06-10T10:30:00Z')).toBe('2026-06-10T04:59:00.000Z');
  expect(latest(night, '2026-06-10T00:00:00Z', '2026-06-10T03:30:30Z')).toBe('2026-06-10T03:30:00.000Z');
  const moment = await windowOf({ cron: '30 3 * * *', timeZone: 'UTC' });
  expect(latest(moment, '2026-06-10T00:00:00Z', '2026-06-10T03:30:00Z')).toBe('2026-06-10T03:30:00.000Z');
});

test('a pattern that names a month is looked up as well, over years', async () => {
  const leap = await windowOf({ cron: '0 0 29 2 *', timeZone: 'UTC' });
  expect(latest(leap, '2026-06-10T00:00:00Z', '2033-06-10T00:00:00Z')).toBe('2032-02-29T00:00:00.000Z');
});

test('the night without an hour and the night with one twice have one moment each', async () => {
  const window = await windowOf({ cron: '30 2 * * *', timeZone: 'Europe/Paris' });
  expect(latest(window, '2026-03-28T12:00:00Z', '2026-03-29T12:00:00Z')).toBe('2026-03-29T01:30:00.000Z');
  expect(latest(window, '2026-10-24T12:00:00Z', '2026-10-25T12:00:00Z')).toBe('2026-10-25T00:30:00.000Z');
});

test('whatever the span: what is found lies in it, and nothing of the pattern lies between it and the end', async () => {
  const window = await windowOf({ cron: '*/7 1-5 * * 1-5', timeZone: 'Asia/Kolkata' });
  const start = Date.parse('2026-01-01T00:00:00Z');
  const day = 86_400_000;
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 365 * day }), fc.integer({ min: 1, max: 20 * day }), (offset, length) => {
      const from = start + offset;
      const to = from + length;
      const found = window.latestIn(window, { from, to });
      const isLate = found === null || (found > from && found <= to);
      const rest = window.latestIn(window, { from: found ?? from, to });
      expect([isLate, rest]).toEqual([true, null]);
    }),
    { numRuns: 300 },
  );
});

test('a window that says nothing is refused with what it should be', async () => {
  const cases: readonly (readonly [window: unknown, message: string])[] = [
    [
      '0 3 * *',
      'credentials.mail.window: expected a cron pattern of minute, hour, day, month and weekday that comes round again, got "0 3 * *", which has not five parts; for example "* 2-4 * * *": between 2 and 5 at night',
    ],
    ['2026-06-10T03:00:00', 'got "2026-06-10T03:00:00", which has not five parts'],
    ['0 0 30 2 *', 'got "0 0 30 2 *", which never comes'],
    ['61 3 * * *', 'credentials.mail.window: expected a cron pattern'],
    [{ cron: 'at night, if you please' }, 'credentials.mail.window.cron: expected a cron pattern'],
    [
      { cron: '0 3 * * *', timeZone: 'Mars/Base' },
      'credentials.mail.window.timeZone: expected a time zone of the IANA list, such as "Europe/Paris", got "Mars/Base"',
    ],
    [
      { cron: '0 3 * * *', zone: 'UTC' },
      'credentials.mail.window.zone: expected a known key, got an unknown one; the keys here are cron, timeZone',
    ],
    [3, 'credentials.mail.window: expected a cron pattern, or { "cron": "…", "timeZone": "…" }, got 3'],
  ];
  for (const [window, message] of cases) {
    expect(await problemsOf(withWindow(window))).toEqual([expect.stringContaining(message)]);
  }
});

test('a window on what nobody here refreshes is refused', async () => {
  expect(await problemsOf(withWindow('0 3 * * *', { refresh: { follow: true } }))).toEqual([
    'credentials.mail.window: expected a credential that freshd refreshes, got one that it only reads; remove "window", or say how it is refreshed',
  ]);
});

test('the same window is no change at a reload, another one is a change of the policy alone', async () => {
  const folder = privateFolder();
  const old = await loaded(withWindow('0 3 * * *'), { folder });
  expect(planReload(old, await loaded(withWindow('0 3 * * *'), { folder })).changed).toEqual([]);
  const other = await loaded(withWindow('0 4 * * *'), { folder });
  expect(planReload(old, other).changed).toEqual([{ name: 'mail', policyOnly: true }]);
});

test('a tool that refreshes only in the last minutes of a token is said not to follow a window', async () => {
  const claude = { store: { format: 'claude-code' }, refresh: { command: ['/bin/true'] }, window: '0 3 * * *' };
  expect(await adviceOn({ credentials: { claude } })).toContain('window_of_own_tool');
  expect(await adviceOn(withWindow('0 3 * * *'))).not.toContain('window_of_own_tool');
});
