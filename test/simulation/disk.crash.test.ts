/**
 * What the simulated disk keeps over crashes: each rule with an example, over many seeds.
 *
 * Rule: what may happen must happen for some seed, else the simulation would be kinder than a real disk.
 */
import { describe, expect, test } from 'vitest';
import { createTestDisk, randomOf, type TestDisk } from './disk-test-kit.ts';
import { watch } from './fs.ts';
import { open, readFile, rename, rm, useDisk } from './fs-promises.ts';

const SEEDS = Array.from({ length: 200 }, (_, seed) => seed);
const OLD = 'o'.repeat(2_000);
const NEW = 'n'.repeat(2_000);

/** What is found after a power failure, over all seeds. */
async function afterPowerLoss<T>(work: (disk: TestDisk) => Promise<void>, look: (disk: TestDisk) => T): Promise<T[]> {
  const found: T[] = [];
  for (const seed of SEEDS) {
    const disk = createTestDisk(seed);
    disk.writeText('/d/file', OLD);
    disk.sync();
    useDisk(disk.boot());
    await work(disk);
    disk.crash('power');
    found.push(look(disk));
  }
  return found;
}

const textOf = (disk: TestDisk): string | null => disk.readText('/d/file');

async function write(path: string, text: string, { synced, flags = 'w' }: { synced: boolean; flags?: string }) {
  const handle = await open(path, flags, 0o600);
  await handle.writeFile(text);
  if (synced) await handle.sync();
  await handle.close();
}

async function syncFolder(path: string): Promise<void> {
  const handle = await open(path);
  await handle.sync();
  await handle.close();
}

describe('a power failure', () => {
  test('leaves what was renamed without a sync old, new, empty or torn', async () => {
    const found = await afterPowerLoss(async () => {
      await write('/d/temp', NEW, { synced: false });
      await rename('/d/temp', '/d/file');
    }, textOf);
    expect(new Set(found.filter((text) => text?.length !== 2_000))).toContain('');
    expect(found).toContain(OLD);
    expect(found).toContain(NEW);
    expect(found.some((text) => text !== null && /^n{512,}\0+$/.test(text))).toBe(true);
  });

  test('leaves the old or the new file where its content was synced and its name was not', async () => {
    const found = await afterPowerLoss(async () => {
      await write('/d/temp', NEW, { synced: true });
      await rename('/d/temp', '/d/file');
    }, textOf);
    expect(new Set(found)).toEqual(new Set([OLD, NEW]));
  });

  test('leaves the new file once its directory was synced', async () => {
    const found = await afterPowerLoss(
      async () => {
        await write('/d/temp', NEW, { synced: true });
        await rename('/d/temp', '/d/file');
        await syncFolder('/d');
      },
      (disk) => [textOf(disk), ...disk.list('/d')].join(),
    );
    expect(new Set(found)).toEqual(new Set([`${NEW},file`]));
  });

  test('can lose a new name whose directory was not synced, and a removal', async () => {
    const found = await afterPowerLoss(
      async () => {
        await write('/d/new', NEW, { synced: true });
        await rm('/d/file');
      },
      (disk) => disk.list('/d').join(),
    );
    expect(new Set(found)).toEqual(new Set(['', 'file', 'new', 'file,new']));
  });

  test('leaves a renamed file under one of its names, never under both or none', async () => {
    const found = await afterPowerLoss(
      () => rename('/d/file', '/d/other'),
      (disk) => disk.list('/d').join(),
    );
    expect(new Set(found)).toEqual(new Set(['file', 'other']));
  });

  test('keeps of two renames none, the first, or both, and with a synced one those that it builds on', async () => {
    const renameTwice = async (disk: TestDisk): Promise<void> => {
      disk.makeDirectory('/e');
      disk.sync();
      await rename('/d/file', '/d/other');
      await rename('/d/other', '/e/third');
    };
    const names = (disk: TestDisk) => [...disk.list('/d'), ...disk.list('/e')].join();
    expect(new Set(await afterPowerLoss(renameTwice, names))).toEqual(new Set(['file', 'other', 'third']));
    const synced = await afterPowerLoss(async (disk) => {
      await renameTwice(disk);
      await syncFolder('/e');
    }, names);
    expect(new Set(synced)).toEqual(new Set(['third']));
  });

  test('tears what is overwritten in place at sectors of 512 bytes, until it is synced', async () => {
    const overwrite = (synced: boolean) => async () => {
      const handle = await open('/d/file', 'r+');
      await handle.write(Buffer.from(NEW), 0, NEW.length, 0);
      if (synced) await handle.datasync();
      await handle.close();
    };
    const torn = await afterPowerLoss(overwrite(false), textOf);
    for (const text of torn) {
      expect(text?.length).toBe(2_000);
      for (let at = 0; at < 2_000; at += 512) expect(text?.slice(at, at + 512)).toMatch(/^(?:o+|n+)$/);
    }
    // Of four sectors each can be old or new.
    expect(new Set(torn).size).toBe(16);
    expect(new Set(await afterPowerLoss(overwrite(true), textOf))).toEqual(new Set([NEW]));
  });

  test('leaves a sector that was written twice in one of its three states', async () => {
    const found = await afterPowerLoss(
      async () => {
        const handle = await open('/d/file', 'r+');
        await handle.write(Buffer.from('12'), 0, 2, 0);
        await handle.write(Buffer.from('3'), 0, 1, 1);
        await handle.close();
      },
      (disk) => textOf(disk)?.slice(0, 2),
    );
    expect(new Set(found)).toEqual(new Set(['oo', '12', '13']));
  });

  test('keeps the folders that lead to a synced one', async () => {
    const found = await afterPowerLoss(
      async (disk) => {
        disk.makeDirectory('/d/x/y');
        await write('/d/x/y/file', NEW, { synced: true });
        await syncFolder('/d/x/y');
      },
      (disk) => disk.readText('/d/x/y/file'),
    );
    expect(new Set(found)).toEqual(new Set([NEW]));
  });

  test('keeps what lay there for a minute, as the kernel writes back by itself', async () => {
    const found = await afterPowerLoss(
      async (disk) => {
        await write('/d/new', NEW, { synced: false });
        disk.clock.nowMs += 60_000;
      },
      (disk) => disk.readText('/d/new'),
    );
    expect(new Set(found)).toEqual(new Set([NEW]));
  });

  test('can lose for ever what a sync failed to write, though a later sync succeeds', async () => {
    let code: string | null = null;
    const disk = createTestDisk(0, { fault: ({ syscall }) => (syscall === 'fsync' ? code : null) });
    disk.writeText('/file', OLD);
    disk.sync();
    useDisk(disk.boot());
    const handle = await open('/file', 'r+');
    await handle.writeFile(NEW);
    code = 'EIO';
    await expect(handle.sync()).rejects.toMatchObject({ code: 'EIO', message: 'EIO: i/o error, fsync' });
    code = null;
    await handle.sync();
    expect([disk.readText('/file'), disk.durableText('/file')]).toEqual([NEW, OLD]);
    disk.crash('power');
    expect(disk.readText('/file')).toBe(OLD);
  });
});

describe('the end of a process', () => {
  test('keeps all that it did, and nothing that it was about to do; its calls never settle', async () => {
    const held: (() => void)[] = [];
    const disk = createTestDisk(0, { schedule: (_, run) => held.push(run) });
    const process = disk.boot();
    let settled = 0;
    const opened = process.program.promises.open('/file', 'w').finally(() => {
      settled += 1;
    });
    held.shift()?.();
    const handle = await opened;
    void handle.writeFile(NEW).finally(() => {
      settled += 1;
    });
    disk.crash('process');
    for (const run of held) run();
    await new Promise((resolve) => setImmediate(resolve));
    expect({ settled, text: disk.readText('/file'), open: disk.openPaths() }).toEqual({
      settled: 1,
      text: '',
      open: [],
    });
  });

  test('in the middle of a write leaves the first part of it', async () => {
    const disk = createTestDisk(0);
    useDisk(disk.boot());
    const crash = { kind: 'process', atOperation: 1, fraction: 0.25 } as const;
    expect(await disk.crashDuring(crash, () => write('/file', NEW, { synced: true }))).toBe(false);
    expect(disk.readText('/file')).toBe('n'.repeat(500));
  });

  test('frees its lock, unless a child has inherited the file', async () => {
    const disk = createTestDisk(0);
    const [first, second, third] = [disk.boot(), disk.boot(), disk.boot()];
    const lockBy = async (process: typeof first) => {
      const { fd } = await process.program.promises.open('/lock', 'a+');
      return { fd, isHeld: process.flock(fd) };
    };
    const { fd, isHeld } = await lockBy(first);
    const child = first.inherit(fd);
    const refused = (await lockBy(second)).isHeld;
    first.kill();
    const refusedByChild = (await lockBy(second)).isHeld;
    child.write('still here');
    child.close();
    expect([isHeld, refused, refusedByChild, (await lockBy(third)).isHeld]).toEqual([true, false, false, true]);
    expect(disk.readText('/lock')).toBe('still here');
  });
});

describe('chance', () => {
  const run = async (seed: number): Promise<string> => {
    const disk = createTestDisk(seed);
    const random = randomOf(seed + 1);
    for (let life = 0; life < 4; life += 1) {
      useDisk(disk.boot());
      for (const name of ['/a', '/b', '/c'])
        await write(name, String(random()).repeat(300), { synced: random() < 0.3 });
      await rename('/a', '/c');
      disk.crash('power');
    }
    return disk.hash();
  };

  test('comes from the seed alone', async () => {
    const [first, again, other] = [await run(3), await run(3), await run(4)];
    expect(again).toBe(first);
    expect(other).not.toBe(first);
  });
});

describe('a watch', () => {
  test('hears of changes in its directory, unless they are lost, and of nothing after its end', async () => {
    const told: string[] = [];
    for (const eventLoss of [0, 1]) {
      const disk = createTestDisk(0, { eventLoss });
      disk.makeDirectory('/d');
      useDisk(disk.boot());
      const watcher = watch('/d');
      watcher.on('change', (kind: string, name: string) => told.push(`${kind} ${name}`));
      await write('/d/file', 'x', { synced: false });
      disk.remove('/d/file');
      await readFile('/d/file').catch(() => null);
      watcher.close();
      disk.writeText('/d/later', 'x');
      await readFile('/d/file').catch(() => null);
    }
    expect(told).toEqual(['rename file', 'change file', 'rename file']);
  });
});
