/** What the lock of a store does where a disk fails: only what is surely not there may send it to another place. */
import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { acquireKernelLock } from '../../../src/adapters/kernel-lock.ts';
import { ensurePrivateDirectory } from '../../../src/adapters/private-directory.ts';
import { claudeLockPlaces } from '../../../src/adapters/stores/claude-locks.ts';
import { realPathOf, StoreLock } from '../../../src/adapters/stores/store-lock.ts';
import { faults } from '../faulty-fs.ts';
import { makeDirectory } from './parts.ts';

vi.mock('node:fs/promises', () => import('../faulty-fs.ts'));

let directory: string;
let path: string;
let base: string;
let lockDirectory: string;

beforeEach(async () => {
  directory = await makeDirectory();
  path = join(directory, 'login.json');
  base = join(directory, 'of-the-user');
  lockDirectory = join(directory, 'of-the-daemon');
  mkdirSync(base, { mode: 0o700 });
  writeFileSync(path, '{}');
});
afterEach(() => faults.clear());

/** Where the lock was taken, or the code of the error. */
async function taken(): Promise<string> {
  const lock = new StoreLock({ path, lockPlaces: [{ base, below: 'locks' }], lockDirectory });
  try {
    await (await lock.acquire(0))();
  } catch (error) {
    return (error as { code: string }).code;
  }
  return readdirSync(directory).includes('of-the-daemon') ? 'of-the-daemon' : 'of-the-user';
}

describe('F54: the place of a lock', () => {
  test('is the first that is there, else the daemon’s own', async () => {
    expect(await taken()).toBe('of-the-user');
    base = join(directory, 'none');
    expect(await taken()).toBe('of-the-daemon');
  });

  test.each([
    ['EIO', 'io_error'],
    ['ESTALE', 'mount_lost'],
    ['ETIMEDOUT', 'mount_lost'],
    ['ENOTCONN', 'mount_lost'],
    ['EMFILE', 'too_many_files'],
  ] as const)('F41: that cannot be looked at (%s) is an error, and no other place is taken', async (errno, code) => {
    for (const failing of [`stat ${base}`, `stat ${path}`, `realpath ${path}`, `stat ${join(base, 'locks')}`]) {
      mkdirSync(join(base, 'locks'), { recursive: true, mode: 0o700 });
      faults.set(failing, errno);
      expect([failing, await taken()]).toEqual([failing, code]);
      faults.clear();
    }
    expect(readdirSync(directory)).not.toContain('of-the-daemon');
  });

  test('F41: whose store is not there yet, and whose folder cannot be looked at, is an error too', async () => {
    path = join(directory, 'new.json');
    expect(await realPathOf(path)).toBe(path);
    for (const failing of [`realpath ${directory}`, `readlink ${path}`, `stat ${directory}`]) {
      faults.set(failing, 'ESTALE');
      expect([failing, await taken()]).toEqual([failing, 'mount_lost']);
      faults.clear();
    }
    symlinkSync('elsewhere.json', path);
    expect(await realPathOf(path)).toBe(join(directory, 'elsewhere.json'));
  });
});

test('F41: a kernel lock whose file cannot be looked at again is an error, and is given back', async () => {
  const lock = join(directory, 'lock');
  faults.set(`stat ${lock}`, 'EIO');
  await expect(acquireKernelLock(lock, { timeoutMs: 0 })).rejects.toMatchObject({ code: 'io_error' });
  faults.clear();
  await (await acquireKernelLock(lock, { timeoutMs: 0 })).release();
});

test('F41: a directory of our own that cannot be looked at is not called something else', async () => {
  faults.set(`stat ${base}`, 'ESTALE');
  await expect(ensurePrivateDirectory(base)).rejects.toMatchObject({ code: 'mount_lost' });
});

test('F41: a table of mounts that cannot be read does not pass for one without mounts', async () => {
  const places = claudeLockPlaces(path);
  expect(await places('take')).toHaveLength(2);
  faults.set('readFile /proc/self/mountinfo', 'EMFILE');
  await expect(places('take')).rejects.toMatchObject({ code: 'too_many_files' });
  faults.set('readFile /proc/self/mountinfo', 'ENOENT');
  expect(await places('take')).toHaveLength(2);
});
