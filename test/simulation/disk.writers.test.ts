/**
 * freshd's own writers on the simulated disk, killed or cut off from power at each of their operations.
 *
 * Rule: what a reader finds afterwards is the old or the new, for every operation, moment and seed.
 */
import { describe, expect, test, vi } from 'vitest';
import { writeFileAtomic } from '../../src/adapters/atomic-file.ts';
import { createAttemptJournal } from '../../src/adapters/attempt-journal.ts';
import { SLOT_BYTES } from '../../src/adapters/journal-slot.ts';
import { createLastWritten } from '../../src/adapters/publish/last-written.ts';
import { createTokenFilePublisher } from '../../src/adapters/publish/token-file.ts';
import type { Publication } from '../../src/core/effect.ts';
import type { Fingerprint } from '../../src/core/token.ts';
import type { JournalEntry } from '../../src/daemon/ports.ts';
import type { DiskOperation } from './disk.ts';
import { type Crash, createTestDisk, type TestDisk } from './disk-test-kit.ts';
import { useDisk } from './fs-promises.ts';

vi.mock('node:fs', () => import('./fs.ts'));
vi.mock('node:fs/promises', () => import('./fs-promises.ts'));

const SEEDS = 51;
const OLD = 'o'.repeat(3_000);
const NEW = 'n'.repeat(9_000);
const OPTIONS = { modeWhenCreated: 0o600 };
const PUBLICATION: Publication = {
  credential: 'a',
  generation: 1,
  token: {
    accessToken: NEW,
    tokenType: 'Bearer',
    fingerprint: 'n' as Fingerprint,
    obtainedAt: null,
    notBefore: null,
    expiry: { kind: 'never' },
  },
};
const publisherOf = (path: string) => createTokenFilePublisher({ path });

/**
 * Every crash of each kind, before, into and after each of these operations, and one after all of them. Of a power failure
 * after one and before the next only the second: between them nothing changes.
 */
function everyCrash(operations: readonly DiskOperation[]): Crash[] {
  const during = operations.flatMap(({ bytes }, atOperation): Crash[] => [
    ...[0, 0.4, 1].map((fraction) => ({ kind: 'process', atOperation, fraction }) as const),
    ...(bytes > 0 ? [0, 0.4] : [0]).map((fraction) => ({ kind: 'power', atOperation, fraction }) as const),
  ]);
  const end = { atOperation: operations.length, fraction: 0 };
  return [...during, { kind: 'process', ...end }, { kind: 'power', ...end }];
}

/** @returns how many crashes were made */
async function afterEveryCrash(
  arrange: (disk: TestDisk) => Promise<unknown>,
  { work, check }: { work: () => Promise<unknown>; check: (disk: TestDisk, isDone: boolean) => unknown },
): Promise<number> {
  const begin = async (seed: number): Promise<TestDisk> => {
    const disk = createTestDisk(seed);
    disk.makeDirectory('/state');
    useDisk(disk.boot());
    await arrange(disk);
    disk.sync();
    return disk;
  };
  const trial = await begin(0);
  const before = trial.seen.length;
  await work();
  const crashes = everyCrash(trial.seen.slice(before));
  for (const crash of crashes) {
    // Chance decides only what a power failure leaves.
    for (let seed = 0; seed < (crash.kind === 'power' ? SEEDS : 1); seed += 1) {
      const disk = await begin(seed);
      const isDone = await disk.crashDuring(crash, work);
      useDisk(disk.boot());
      try {
        await check(disk, isDone);
      } catch (error) {
        throw new Error(`${JSON.stringify(crash)} seed ${seed}, done: ${isDone}`, { cause: error });
      }
    }
  }
  return crashes.length;
}

describe('a whole file that is replaced', () => {
  test('F35 F36: holds the old content or the new after a crash at any operation, and at most one temp beside it', async () => {
    const made = await afterEveryCrash(async (disk) => disk.writeText('/state/file', OLD, { mode: 0o644 }), {
      work: () => writeFileAtomic('/state/file', NEW, OPTIONS),
      check: (disk, isDone) => {
        const text = disk.readText('/state/file');
        if (isDone || text !== OLD) expect(text).toBe(NEW);
        expect((disk.stat('/state/file')?.mode ?? 0) & 0o777).toBe(0o644);
        const temps = disk.list('/state').filter((name) => name !== 'file');
        expect(temps.length).toBeLessThanOrEqual(1);
      },
    });
    expect(made).toBeGreaterThan(40);
  });

  test('F36: a first write leaves the whole file or none', async () => {
    await afterEveryCrash(async () => undefined, {
      work: () => writeFileAtomic('/state/file', NEW, OPTIONS),
      check: (disk, isDone) => expect(isDone ? [NEW] : [NEW, null]).toContain(disk.readText('/state/file')),
    });
  });

  test('F36 I8: a publication that a killed daemon made is on the disk once the next one has published the same', async () => {
    const begin = (seed: number, path: string): TestDisk => {
      const disk = createTestDisk(seed);
      disk.makeDirectory('/tokens');
      disk.writeText(path, OLD, { mode: 0o600 });
      disk.sync();
      useDisk(disk.boot());
      return disk;
    };
    const trial = begin(0, '/tokens/trial');
    await publisherOf('/tokens/trial').publish(PUBLICATION);
    for (const [atOperation] of trial.seen.entries()) {
      for (let seed = 0; seed < 8; seed += 1) {
        // A path of its own for each: what was synced is known for the life of a process, and here all share one.
        const path = `/tokens/${atOperation}-${seed}`;
        const disk = begin(seed, path);
        const isDone = await disk.crashDuring({ kind: 'process', atOperation, fraction: 1 }, () =>
          publisherOf(path).publish(PUBLICATION),
        );
        // The first one also swept beside it, once in the life of a process, and so took more steps.
        if (isDone) continue;
        useDisk(disk.boot());
        await publisherOf(path).publish(PUBLICATION);
        disk.crash('power');
        expect(disk.readText(path)).toBe(NEW);
      }
    }
  });

  test('F81 F36: what a killed daemon remembered of a file, and the next one synced, survives a power failure', async () => {
    const [old, pending] = ['old' as Fingerprint, 'pending' as Fingerprint];
    const life = () => createLastWritten('/state/published', 'envFile:/srv/.env#TOKEN');
    const begin = async (seed: number): Promise<TestDisk> => {
      const disk = createTestDisk(seed);
      disk.makeDirectory('/state');
      useDisk(disk.boot());
      await life().save([old]);
      disk.sync();
      return disk;
    };
    const trial = await begin(0);
    const before = trial.seen.length;
    await life().save([old, pending]);
    const operations = trial.seen.length - before;
    let seen = 0;
    for (let atOperation = 0; atOperation < operations; atOperation += 1) {
      for (let seed = 0; seed < 8; seed += 1) {
        const disk = await begin(seed);
        await disk.crashDuring({ kind: 'process', atOperation, fraction: 1 }, () => life().save([old, pending]));
        useDisk(disk.boot());
        const next = life();
        const known = await next.load();
        if (known.includes(pending)) seen += 1;
        await next.sync();
        disk.crash('power');
        useDisk(disk.boot());
        expect(await life().load()).toEqual(known);
      }
    }
    expect(seen).toBeGreaterThan(5);
  });

  test('is found empty or torn where nothing was synced, so the checks above can fail', async () => {
    const found = new Set<string | null>();
    await afterEveryCrash(async (disk) => disk.writeText('/state/file', OLD), {
      work: () => writeFileAtomic('/state/file', NEW, { ...OPTIONS, durable: false }),
      check: (disk) => void found.add(disk.readText('/state/file')),
    });
    expect([...found]).toContain('');
    expect([...found].filter((text) => text !== OLD && text !== NEW).length).toBeGreaterThan(1);
  });
});

describe('the attempt journal', () => {
  test('F32 F33: holds the entry before or the new one, whole, after a crash at any operation', async () => {
    const [before, after] = [entry(2), entry(3, 'r'.repeat(3_000))];
    const made = await afterEveryCrash(() => write(entry(1), before), {
      work: () => write(after),
      check: async (_, isDone) => {
        const found = await journal().read('mail');
        expect(isDone ? [after] : [before, after]).toContainEqual(found);
      },
    });
    expect(made).toBeGreaterThan(30);
  });

  test('F32: is empty or holds the entry after a crash during its first write', async () => {
    await afterEveryCrash(async () => undefined, {
      work: () => write(entry(1)),
      check: async (_, isDone) => {
        const found = await journal().read('mail');
        expect(isDone ? [entry(1)] : [null, entry(1)]).toContainEqual(found);
      },
    });
  });

  test('holds the entry or nothing after a crash while it is emptied', async () => {
    await afterEveryCrash(() => write(entry(1), entry(2)), {
      work: () => journal().empty('mail'),
      check: async (_, isDone) => {
        const found = await journal().read('mail');
        expect(isDone ? [null] : [null, entry(2)]).toContainEqual(found);
      },
    });
  });

  test('F37: damaged, stays damaged until it holds the entry, and is kept after a crash at any operation', async () => {
    const damaged = 'x'.repeat(3 * SLOT_BYTES);
    const arrange = async (disk: TestDisk) => disk.writeText('/state/mail.journal', damaged, { mode: 0o600 });
    const aside = '/state/mail.journal.broken-1';
    await afterEveryCrash(arrange, {
      work: () => write(entry(3)),
      check: async (disk, isDone) => {
        const found = await journal()
          .read('mail')
          .catch((error: { code: string }) => error.code);
        expect(isDone ? [entry(3)] : ['journal_damaged', entry(3)]).toContainEqual(found);
        if (found !== 'journal_damaged') expect(disk.readText(aside)).toBe(damaged);
        await write(entry(4));
        expect(await journal().read('mail')).toEqual(entry(4));
        expect(disk.readText(aside)).toBe(damaged);
        expect(disk.list('/state').filter((name) => name.includes('broken'))).toEqual(['mail.journal.broken-1']);
      },
    });
  });

  test('F39: takes an answer on a full disk once it is allocated, and refuses to begin before', async () => {
    let isFull = false;
    const disk = createTestDisk(0, { fault: () => (isFull ? 'ENOSPC' : null) });
    disk.makeDirectory('/state');
    useDisk(disk.boot());
    await write(entry(1));
    isFull = true;
    await write(entry(2, 'answer'));
    expect(await journal().read('mail')).toEqual(entry(2, 'answer'));
    await expect(journal().write('other', entry(1))).rejects.toMatchObject({ code: 'journal_failed' });
    expect(disk.list('/state')).toEqual(['mail.journal']);
  });
});

const journal = () => createAttemptJournal('/state');

async function write(...entries: readonly JournalEntry[]): Promise<void> {
  for (const each of entries) await journal().write('mail', each);
}

function entry(attempt: number, refreshToken: string | null = null): JournalEntry {
  const response = refreshToken === null ? null : { access_token: 'a', refresh_token: refreshToken };
  const sent = { fingerprint: null, account: null, process: null, bootId: 'boot', beganAt: 1_700_000_000_000 };
  return { ...sent, attempt, runId: `run-${attempt}`, response };
}
