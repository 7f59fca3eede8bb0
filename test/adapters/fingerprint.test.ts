import {
  chmodSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { loadFingerprinter } from '../../src/adapters/fingerprint.ts';

let directory: string;
let keyPath: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'freshd-fingerprint-'));
  keyPath = join(directory, 'install-key');
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

test('a fingerprint is 128 bits in base64url, the same over restarts, and another for another secret', async () => {
  const before = await loadFingerprinter(directory);
  const after = await loadFingerprinter(directory);
  expect(before('secret')).toMatch(/^[A-Za-z0-9_-]{22}$/);
  expect(after('secret')).toBe(before('secret'));
  expect(before('Secret')).not.toBe(before('secret'));
});

test('another installation has other fingerprints', async () => {
  const here = await loadFingerprinter(directory);
  rmSync(keyPath);
  const there = await loadFingerprinter(directory);
  expect(there('secret')).not.toBe(here('secret'));
});

test('the key is 32 bytes, 0600, and alone', async () => {
  await loadFingerprinter(directory);
  expect(statSync(keyPath)).toMatchObject({ size: 32 });
  expect(statSync(keyPath).mode & 0o777).toBe(0o600);
  expect(readdirSync(directory)).toEqual(['install-key']);
});

test('many starters at once agree on one key', async () => {
  const all = await Promise.all(Array.from({ length: 20 }, () => loadFingerprinter(directory)));
  expect(new Set(all.map((fingerprint) => fingerprint('secret'))).size).toBe(1);
});

test('a key that others may read is made 0600 again', async () => {
  await loadFingerprinter(directory);
  chmodSync(keyPath, 0o644);
  await loadFingerprinter(directory);
  expect(statSync(keyPath).mode & 0o777).toBe(0o600);
});

test.each([0, 31, 33])('a key of %i bytes is refused with the remedy, and not overwritten', async (length) => {
  writeFileSync(keyPath, 'k'.repeat(length));
  await expect(loadFingerprinter(directory)).rejects.toMatchObject({
    name: 'PortError',
    code: 'install_key_broken',
    remedy: expect.stringContaining('restore it from a backup'),
  });
  expect(readFileSync(keyPath)).toHaveLength(length);
});

test('a symlink in its place, or no directory, is refused', async () => {
  symlinkSync('/dev/zero', keyPath);
  await expect(loadFingerprinter(directory)).rejects.toMatchObject({ code: 'symlink_refused' });
  await expect(loadFingerprinter(join(directory, 'gone'))).rejects.toMatchObject({ code: 'directory_missing' });
});
