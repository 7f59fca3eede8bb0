/**
 * Faults of the simulated disk: each hits only what it could hit on a real one.
 */
import { expect, test } from 'vitest';
import { createTestDisk, type TestDisk } from './disk-test-kit.ts';
import { mkdir, open, readdir, readFile, rename, rm, stat, useDisk } from './fs-promises.ts';

/** A disk with `/d/file` of 5,000 bytes and, from now on, this fault whenever it can happen. */
function faulty(code: string): TestDisk {
  const disk = createTestDisk(0, { fault: () => code });
  disk.writeText('/d/file', 'x'.repeat(5_000));
  useDisk(disk.boot());
  return disk;
}

const codeOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'done',
    (error: NodeJS.ErrnoException) => error.message,
  );

test('a full disk takes what needs no space: overwriting, renaming, removing', async () => {
  const disk = faulty('ENOSPC');
  const file = await open('/d/file', 'r+');
  expect(await codeOf(file.write(Buffer.from('y'), 0, 1, 0))).toBe('done');
  // Up to the end of its last block there is room.
  expect(await codeOf(file.write(Buffer.from('y'), 0, 1, 8_191))).toBe('done');
  expect(await codeOf(file.write(Buffer.from('y'), 0, 1, 8_192))).toBe('ENOSPC: no space left on device, write');
  // Cut off and grown again it has holes, which need space.
  await file.truncate(0);
  await file.truncate(5_000);
  expect(await codeOf(file.write(Buffer.from('y'), 0, 1, 0))).toBe('ENOSPC: no space left on device, write');
  await file.close();
  expect(await codeOf(rename('/d/file', '/d/other'))).toBe('done');
  expect(await codeOf(open('/d/new', 'wx'))).toBe("ENOSPC: no space left on device, open '/d/new'");
  expect(await codeOf(mkdir('/d/e'))).toBe("ENOSPC: no space left on device, mkdir '/d/e'");
  expect(await codeOf(rm('/d/other'))).toBe('done');
  expect(disk.list('/d')).toEqual([]);
});

test('what was reserved is there when the disk is full', async () => {
  let isFull = false;
  const disk = createTestDisk(0, { fault: () => (isFull ? 'ENOSPC' : null) });
  const process = disk.boot();
  useDisk(process);
  const file = await open('/spool', 'ax+');
  process.reserve('/spool', 64 * 1024);
  isFull = true;
  expect(disk.stat('/spool')?.size).toBe(0);
  await file.writeFile('x'.repeat(60 * 1024));
  expect(() => process.reserve('/spool', 128 * 1024)).toThrow('ENOSPC');
  await file.close();
});

test('a disk that fills up takes the first blocks of a write', async () => {
  const found = new Set<number>();
  for (let seed = 0; seed < 50; seed += 1) {
    let isFull = false;
    const disk = createTestDisk(seed, { fault: () => (isFull ? 'ENOSPC' : null) });
    useDisk(disk.boot());
    const file = await open('/file', 'w');
    isFull = true;
    expect(await codeOf(file.writeFile('x'.repeat(12_000)))).toContain('ENOSPC');
    found.add(disk.stat('/file')?.size ?? -1);
    await file.close();
  }
  expect([...found].sort()).toEqual([0, 4_096, 8_192]);
});

test('a read-only disk can be read, and refuses every change', async () => {
  const disk = faulty('EROFS');
  const before = disk.hash();
  expect(await codeOf(readFile('/d/file'))).toBe('done');
  expect(await codeOf(open('/d/file', 'r+'))).toBe("EROFS: read-only file system, open '/d/file'");
  expect(await codeOf(rm('/d/file'))).toBe("EROFS: read-only file system, unlink '/d/file'");
  expect(await codeOf(rename('/d/file', '/e'))).toBe("EROFS: read-only file system, rename '/d/file' -> '/e'");
  expect(disk.hash()).toBe(before);
});

test('too many open files hit only what opens, and a mount point only what replaces', async () => {
  faulty('EMFILE');
  expect(await codeOf(stat('/d/file'))).toBe('done');
  expect(await codeOf(readFile('/d/file'))).toBe("EMFILE: too many open files, open '/d/file'");
  expect(await codeOf(readdir('/d'))).toBe("EMFILE: too many open files, scandir '/d'");
  faulty('EBUSY');
  expect(await codeOf(readFile('/d/file'))).toBe('done');
  expect(await codeOf(rename('/d/file', '/d/other'))).toContain('EBUSY: resource busy or locked, rename');
});

test('another program is never hit, and is seen half-way when it writes in two steps', async () => {
  const disk = faulty('EACCES');
  expect(await codeOf(readFile('/d/file'))).toBe("EACCES: permission denied, open '/d/file'");
  const finish = disk.writeInTwoSteps('/d/file', 'abcd');
  expect(disk.readText('/d/file')).toBe('ab');
  finish();
  expect(disk.readText('/d/file')).toBe('abcd');
});

test('what stat shows moves with each change, by the tick of the clock', async () => {
  const disk = createTestDisk(0);
  disk.writeText('/file', 'a');
  const first = disk.stat('/file');
  disk.writeText('/file', 'b', { how: 'in-place' });
  expect(disk.stat('/file')).toEqual(first);
  disk.clock.nowMs += 4;
  disk.chmod('/file', 0o644);
  const second = disk.stat('/file');
  expect([second?.mtimeMs, (second?.ctimeMs ?? 0) > (first?.ctimeMs ?? 0)]).toEqual([first?.mtimeMs, true]);
  disk.writeText('/file', 'c');
  expect(disk.stat('/file')?.ino).not.toBe(first?.ino);
  disk.writeText('/file', 'd');
  // The number of a file that is gone comes back at once.
  expect(disk.stat('/file')?.ino).toBe(first?.ino);
});
