import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ensurePrivateDirectory } from '../../src/adapters/private-directory.ts';

let parent: string;
let path: string;

beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), 'freshd-directory-'));
  path = join(parent, 'state/freshd');
});
afterEach(() => rmSync(parent, { recursive: true, force: true }));

const modeOf = (directory: string): number => statSync(directory).mode & 0o777;

test('a missing directory is made with its parents, all 0700, and found good again', async () => {
  await ensurePrivateDirectory(path);
  expect([modeOf(path), modeOf(join(parent, 'state'))]).toEqual([0o700, 0o700]);
  await ensurePrivateDirectory(path);
});

test('a directory that others may read is accepted as it is', async () => {
  mkdirSync(path, { recursive: true });
  chmodSync(path, 0o755);
  await ensurePrivateDirectory(path);
  expect(modeOf(path)).toBe(0o755);
});

test.each([0o777, 0o1777, 0o770, 0o702])(
  'a directory that others may write (%i) is refused, unchanged',
  async (mode) => {
    mkdirSync(path, { recursive: true });
    chmodSync(path, mode);
    await expect(ensurePrivateDirectory(path)).rejects.toMatchObject({
      name: 'PortError',
      code: 'directory_not_private',
      remedy: expect.stringContaining(`chmod go-w ${path}`),
    });
    expect(statSync(path).mode & 0o7777).toBe(mode);
  },
);

test('somebody else’s directory is refused, also for root', async (ctx) => {
  if (process.getuid?.() !== 0) return ctx.skip('needs root');
  mkdirSync(path, { recursive: true, mode: 0o700 });
  chownSync(path, 1234, 1234);
  await expect(ensurePrivateDirectory(path)).rejects.toMatchObject({ code: 'foreign_owner' });
});

test('a file in its place, or above it, is said by name', async () => {
  writeFileSync(join(parent, 'file'), '');
  await expect(ensurePrivateDirectory(join(parent, 'file'))).rejects.toMatchObject({ code: 'not_a_directory' });
  await expect(ensurePrivateDirectory(join(parent, 'file/below'))).rejects.toMatchObject({ name: 'PortError' });
});

test('where nothing can be made, although the parent is there, it is said and not tried for ever', async (ctx) => {
  if (process.platform !== 'linux') return ctx.skip('needs /proc');
  await expect(ensurePrivateDirectory('/proc/freshd/state')).rejects.toMatchObject({ code: 'directory_missing' });
});
