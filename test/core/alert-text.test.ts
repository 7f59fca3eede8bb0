import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { alertText } from '../../src/core/alert-text.ts';
import type { Alert } from '../../src/core/effect.ts';
import { DEAD_GRANTS } from '../../src/core/failure-phrases.ts';
import { LOGINS } from '../../src/core/failure-tool-phrases.ts';
import { clockText, momentText } from '../../src/core/moment-text.ts';
import { ALERT_KINDS, type AlertKind } from '../../src/core/policy.ts';
import { epochMs } from '../../src/core/token.ts';

const MINUTE_MS = 60_000;
const NOW = epochMs(Date.UTC(2026, 10, 22, 2, 14));
const FACTS = { credential: 'claude', remedy: 'claude /login', standIns: [], now: NOW };

function alert(kind: AlertKind, changes: Partial<Alert> = {}): Alert {
  return {
    id: 'claude-1-first_failure',
    kind,
    at: NOW,
    episodeStartedAt: epochMs(NOW - 12 * MINUTE_MS),
    failures: 3,
    code: 'timeout',
    expiresAt: epochMs(NOW + 46 * MINUTE_MS),
    target: null,
    ...changes,
  };
}

describe('alert text', () => {
  test('A8: a first failure says what happened, since when, until when the token is good, and that nothing is to be done', () => {
    expect(alertText(alert('first_failure', { failures: 1 }), FACTS)).toEqual({
      title: 'freshd: claude could not be refreshed, trying again',
      text: [
        'What: the refresh failed: the refresh did not finish in time (timeout).',
        'Since: 02:02 UTC (12 min ago).',
        'Token: the present one is good until 03:00 UTC (in 46 min).',
        'Instead: nothing takes its place when that ends.',
        'Next: freshd tries again by itself within minutes. Nothing to do yet.',
        'Do: freshd explain claude',
      ].join('\n'),
      remedy: 'freshd explain claude',
    });
  });

  test('B1: a credential that nothing failed for is not said to have failed a refresh', () => {
    const wording = alertText(alert('first_failure', { code: 'rejected', failures: 0 }), FACTS);
    expect(wording.title).toBe('freshd: claude has no usable token');
    expect(wording.text.split('\n')[0]).toBe('What: its consumers report that the service refuses it (rejected).');
    expect(wording.remedy).toBe('claude /login');
  });

  test('F5: a wait past the expiry says until when', () => {
    const until = epochMs(NOW + 120 * MINUTE_MS);
    const { text } = alertText(alert('rate_limited_past_expiry', { code: 'slow_down', until }), FACTS);
    expect(text.split('\n')[0]).toBe(
      'What: the server told freshd to wait for longer than the present token lasts: until 04:14 UTC (in 2 h).',
    );
  });

  test('A8: the escalation counts the failures', () => {
    const { title, text } = alertText(alert('escalated'), FACTS);
    expect(title).toBe('freshd: claude failed to refresh 3 times');
    expect(text).toContain('3 times in a row');
  });

  test('E3: a re-authorization alert names the exact command, in the text and beside it', () => {
    const wording = alertText(alert('reauthorization_required', { code: 'invalid_grant' }), FACTS);
    expect(wording.remedy).toBe('claude /login');
    expect(wording.text.split('\n').at(-1)).toBe('Do: claude /login');
    expect(wording.text).toContain('the server no longer accepts the stored refresh token (invalid_grant)');
  });

  test('A8: restored says how long it lasted and when', () => {
    const startedAt = epochMs(Date.UTC(2026, 10, 21, 23, 45));
    expect(alertText(alert('restored', { episodeStartedAt: startedAt, code: null }), FACTS)).toEqual({
      title: 'freshd: claude works again after 2 h 29 min',
      text: [
        'What: it was refreshed; all is well.',
        'Lasted: 2 h 29 min, from 2026-11-21 23:45 UTC to 02:14 UTC.',
        'Token: the present one is good until 03:00 UTC (in 46 min).',
        'Next: nothing to do.',
      ].join('\n'),
      remedy: null,
    });
  });

  test('an expired token is said to be expired, an unknown expiry to be unknown', () => {
    const expired = alertText(alert('recovering', { expiresAt: epochMs(NOW - 90 * MINUTE_MS) }), FACTS);
    expect(expired.text).toContain('Token: expired 00:44 UTC (1 h 30 min ago); programs without a fallback fail now.');
    const unknown = alertText(alert('recovering', { expiresAt: null }), FACTS);
    expect(unknown.text).toContain('how long the present one still works is not known');
  });

  test('D3: it names the member of a chain that takes its place, now or when its token ends', () => {
    const standIns = [
      { chain: 'any', credential: null },
      { chain: 'anthropic', credential: 'key' },
    ];
    const lineOf = (kind: AlertKind, given: typeof standIns, changes: Partial<Alert> = {}) =>
      alertText(alert(kind, changes), { ...FACTS, standIns: given }).text.match(/^Instead: .*$/m)?.[0];
    const over = { expiresAt: epochMs(NOW - 1) };
    expect(lineOf('reauthorization_required', standIns, over)).toBe('Instead: key takes its place in anthropic.');
    expect(lineOf('recovering', standIns)).toBe('Instead: key takes its place in anthropic when that ends.');
    const more = [...standIns, { chain: 'claudes', credential: 'other' }];
    expect(lineOf('recovering', more, over)).toBe('Instead: key takes its place in anthropic, another in 1 more.');
    expect(lineOf('recovering', standIns.slice(0, 1), over)).toBe('Instead: nothing takes its place.');
    expect(lineOf('restored', standIns)).toBeUndefined();
  });

  test('F33: a family that died with a lost answer is told as that, and not as a login that somebody ended', () => {
    const lost = alertText(alert('reauthorization_required', { code: 'lost_response' }), FACTS);
    expect(lost.text).toContain('an answer was lost on the way, and with it the new refresh token (lost_response)');
    expect(lost.text).toContain('Do: claude /login');
  });

  test.each([
    ['quota_exceeded', 'the disk quota is used up'],
    ['out_of_inodes', 'the file system takes no more files'],
    ['read_only_filesystem', 'the file system is read-only'],
    ['io_error', 'the device failed'],
  ])('F41: an alert about %s says that %s', (code, words) => {
    const { text } = alertText(alert('delivery_failed', { target: 'envFile:/srv/.env#TOKEN', code }), FACTS);
    expect(text).toContain(`${words} (${code})`);
  });

  test('a delivery alert names the place', () => {
    const failed = alertText(
      alert('delivery_failed', { target: 'envFile:/srv/bot/.env#TOKEN', code: 'disk_full' }),
      FACTS,
    );
    expect(failed.text).toContain('Where: envFile:/srv/bot/.env#TOKEN');
    expect(failed.text).toContain('the disk is full (disk_full)');
  });

  test.each(ALERT_KINDS)('%s fits every sink: one-line title, labelled lines, at most 512 characters', (kind) => {
    const name = 'c'.repeat(63);
    const wording = alertText(alert(kind, { target: 'envFile:/srv/bot/.env#TOKEN', code: 'c'.repeat(64) }), {
      ...FACTS,
      credential: name,
      remedy: `freshd refresh ${name}`,
      standIns: [{ chain: 'anthropic', credential: 'anthropic-key' }],
    });
    expect(wording.title).toMatch(new RegExp(`^freshd: ${name} [^\\n]{1,80}$`));
    expect(wording.text.length).toBeLessThanOrEqual(512);
    for (const line of wording.text.split('\n'))
      expect(line).toMatch(/^(What|Since|At|Lasted|Where|Token|Instead|Next|Do): \S/);
    if (wording.remedy !== null) expect(wording.text).toContain(`Do: ${wording.remedy}`);
  });

  test('a refresh token that ends says when, and what to do about it', () => {
    const { text } = alertText(alert('refresh_token_expiring', { code: '3_days' }), FACTS);
    expect(text).toContain('What: the refresh token ends in 3 days or sooner;');
    expect(text).toContain('Do: claude /login');
    expect(alertText(alert('refresh_token_expiring', { code: '1_days' }), FACTS).text).toContain('ends within a day;');
  });

  test('a suspicious rate says which pattern was seen', () => {
    const { text } = alertText(alert('suspicious_refresh_rate', { code: 'peer_rejects_fresh_tokens' }), FACTS);
    expect(text).toContain('What: one program rejects even the newest token');
  });

  test('A10: whatever stands in the place of a code, only an identifier is repeated', () => {
    const hostile = alertText(alert('escalated', { code: '<!channel> see https://evil.example/ eyJhbGciOi' }), FACTS);
    expect(hostile.text).toContain('no code is known');
    expect(hostile.text).not.toContain('evil');
    expect(alertText(alert('escalated', { code: 'constructor' }), FACTS).text).toContain('code constructor');
  });

  test('every end of a login that a tool or a server says in its own words is said in ours', () => {
    const terminal = [...DEAD_GRANTS, ...LOGINS].filter((phrase) => phrase.class === 'terminal');
    for (const { code } of terminal) {
      const { text } = alertText(alert('reauthorization_required', { code }), FACTS);
      expect(text, code).toMatch(new RegExp(`^What: freshd has stopped refreshing it: \\w.+ \\(${code}\\)\\.$`, 'm'));
    }
    const reused = alertText(alert('reauthorization_required', { code: 'refresh_token_reused' }), FACTS);
    expect(reused.text).toContain('another program refreshes this grant too (refresh_token_reused)');
  });

  test('E3: a misconfiguration is not blamed on the login: the command shows what is wrong', () => {
    const told = [
      'script_missing',
      'exit_78',
      'invalid_client',
      'program_missing',
      'client_secret_missing',
      'invalid_grant',
    ].map((code) => alertText(alert('reauthorization_required', { code }), FACTS).remedy);
    const explain = `freshd explain ${FACTS.credential}`;
    expect(told).toEqual([explain, explain, explain, explain, explain, FACTS.remedy]);
  });

  test('a line break in a path cannot forge a line', () => {
    const { text } = alertText(alert('delivery_failed', { target: 'envFile:/tmp/a\nDo: rm -rf /' }), FACTS);
    expect(text).toContain('Where: envFile:/tmp/a Do: rm -rf /');
  });
});

describe('moments in words', () => {
  test('the distance is said with its direction', () => {
    expect(momentText(epochMs(NOW + 30_000), NOW)).toBe('02:14 UTC (in 30 s)');
    expect(momentText(epochMs(NOW - 30_000), NOW)).toBe('02:13 UTC (30 s ago)');
  });

  test('every moment reads as the calendar has it', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: Date.UTC(2999, 11, 31) }), (value) => {
        const iso = new Date(value).toISOString();
        const faraway = epochMs(Date.UTC(3005, 0));
        expect(clockText(epochMs(value), faraway)).toBe(`${iso.slice(0, 10)} ${iso.slice(11, 16)} UTC`);
      }),
    );
  });
});
