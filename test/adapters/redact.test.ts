import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { redact } from '../../src/adapters/redact.ts';

const JWT = 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.s5cRet-Part_0';

describe('A10: redact', () => {
  test.each([
    ['Authorization: Bearer abc123def', 'Authorization: Bearer [redacted]'],
    ['authorization: basic dXNlcjpwYXNz0', 'authorization: basic [redacted]'],
    [`got ${JWT} back`, 'got [redacted] back'],
    ['got eyJhbGciOiJIUzI1 (cut off)', 'got [redacted] (cut off)'],
    ['refresh_token=abcd&grant_type=refresh_token', 'refresh_token=[redacted]&grant_type=refresh_token'],
    ['{"access_token":"abcd","expires_in":60}', '{"access_token":"[redacted]","expires_in":60}'],
    ['X-Api-Key: abcd', 'X-Api-Key: [redacted]'],
    ['token: abc123', 'token: [redacted]'],
    ['client_secret: hunter22', 'client_secret: [redacted]'],
    ['proxy http://me:hunter2@proxy:8080 refused', 'proxy http://me:[redacted]@proxy:8080 refused'],
    ['key sk-ant-oat01-Abc_9', 'key [redacted]'],
    ['token gho_16C7e42F292c69', 'token [redacted]'],
    ['id 0123456789abcdef0123456789abcdef', 'id [redacted]'],
    ['body dGhpcyBpcyBhIHNlY3JldCB0aGF0IGlzIGxvbmc=', 'body [redacted]'],
    ['body aGVsbG8/d29ybGQ/aGVsbG8/d29ybGQ/aGVsbG8/d29ybGQ/aGVs', 'body [redacted]'],
  ])('hides what looks like a secret: %s', (text, expected) => {
    expect(redact(text)).toBe(expected);
  });

  test.each([
    'curl: (7) Failed to connect to 127.0.0.1 port 8765 after 0 ms: Connection refused',
    '/usr/local/lib/node_modules/some-tool/dist/commands/refresh.js: No such file or directory',
    'Bearer token expired; the refresh token was not accepted (HTTP 401)',
    'refresh-demo: expected curl on the PATH /usr/local/sbin:/usr/local/bin:/usr/bin; install it',
    'Failed to refresh token: connection reset at 2026-11-22T14:21:00.000Z',
  ])('leaves what a person needs to read: %s', (text) => {
    expect(redact(text)).toBe(text);
  });

  test('hides known secrets whole, cut off, and in the encodings of URLs and JSON', () => {
    const secret = 'p "q"/r+s=t\\u';
    const text = `${secret} | ${encodeURIComponent(secret)} | ${JSON.stringify(secret)} | ${secret.slice(0, 9)}`;
    const hidden = redact(text, [secret]);
    for (const part of ['q"/r', 'r%2Bs', 's=t']) expect(hidden).not.toContain(part);
  });

  test('hides the longer of two secrets that begin alike to its end', () => {
    expect(redact('see secret-one-and-more.', ['secret-one', 'secret-one-and-more'])).not.toContain('more');
  });

  test('leaves nothing of a known secret, wherever it stands', () => {
    const secrets = fc.string({ minLength: 8, maxLength: 60 }).filter((text) => /^[\x21-\x7e]+$/.test(text));
    fc.assert(
      fc.property(secrets, fc.string(), fc.string(), (secret, before, after) => {
        // A word of the replacement itself is no leak.
        fc.pre(!'[redacted]'.includes(secret) && !`${before} ${after}`.includes(secret));
        expect(redact(`${before} ${secret} ${after}`, [secret])).not.toContain(secret);
      }),
    );
  });
});
