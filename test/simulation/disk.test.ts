/**
 * The simulated disk beside a real one: the same calls, the same answers.
 */
import { expect, test } from 'vitest';
import { createDisk } from './disk.ts';
import { mkdir, open, useDisk } from './fs-promises.ts';

test('a file that is written can be read, and is durable once it and its directory were synced', async () => {
  const schedule = (_: unknown, run: () => void): void => queueMicrotask(run);
  const disk = createDisk({ now: () => 1_800_000_000_000, random: () => 0.5, schedule });
  useDisk(disk.boot());
  await mkdir('/a', { mode: 0o700 });
  const file = await open('/a/b', 'wx', 0o600);
  await file.writeFile('content');
  expect([disk.readText('/a/b'), disk.durableText('/a/b')]).toEqual(['content', null]);
  await file.sync();
  await file.close();
  const directory = await open('/a', 'r');
  await directory.sync();
  expect(disk.durableText('/a/b')).toBe('content');
  await directory.close();
  expect(disk.openPaths()).toEqual([]);
});
