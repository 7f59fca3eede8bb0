import {
  chmodSync,
  chownSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createAttemptJournal, type DamagedJournalInfo } from '../../src/adapters/attempt-journal.ts';
import { SLOT_BYTES } from '../../src/adapters/journal-slot.ts';
import type { Fingerprint, TokenResponse } from '../../src/core/token.ts';
import type { JournalEntry, JournalPort } from '../../src/daemon/ports.ts';
import { bundleProgram, runInOwnMounts, whyNoOwnMounts } from './child-program.ts';

let directory: string;
let file: string;
let journal: JournalPort;
let setAside: DamagedJournalInfo[];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'freshd-journal-'));
  file = join(directory, 'mail.journal');
  setAside = [];
  journal = createAttemptJournal(directory, (info) => setAside.push(info));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const isRoot = process.getuid?.() === 0;
const noMounts = whyNoOwnMounts();
const SECRET = 'canary-of-a-refresh-token';

function entry(attempt: number, response: TokenResponse | null = null): JournalEntry {
  return {
    attempt,
    fingerprint: 'f1' as Fingerprint,
    account: null,
    runId: `run-${attempt}`,
    process: { pid: 4711, startTime: '123' },
    bootId: 'boot',
    beganAt: 1_700_000_000_000,
    response,
  };
}
const answered = (attempt: number): JournalEntry => entry(attempt, { access_token: 'a', refresh_token: SECRET });

test('a journal that was never written holds nothing, and reading or emptying it makes no file', async () => {
  expect(await journal.read('mail')).toBeNull();
  await journal.empty('mail');
  expect(readdirSync(directory)).toEqual([]);
});

test('the newest entry is read back, also by another process', async () => {
  for (const attempt of [1, 2, 3]) await journal.write('mail', entry(attempt));
  await journal.write('mail', answered(3));
  await journal.write('other', entry(9));
  expect(await createAttemptJournal(directory).read('mail')).toEqual(answered(3));
  expect(await journal.read('other')).toEqual(entry(9));
});

test('the file is 0600, of one size for ever, and its blocks are really there', async () => {
  const { size, blocks } = await journal.write('mail', entry(1)).then(() => statSync(file));
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(size).toBe(3 * SLOT_BYTES);
  expect(blocks * 512).toBeGreaterThanOrEqual(size);
  for (const attempt of [2, 3, 4]) await journal.write('mail', answered(attempt));
  await journal.empty('mail');
  expect(statSync(file).size).toBe(size);
  expect(readdirSync(directory)).toEqual(['mail.journal']);
});

test('writing replaces no file: the same inode is overwritten in place', async () => {
  await journal.write('mail', entry(1));
  const { ino } = statSync(file);
  await journal.write('mail', answered(1));
  await journal.empty('mail');
  expect(statSync(file).ino).toBe(ino);
});

test('after empty nothing is in flight, and no byte of a secret is left', async () => {
  await journal.write('mail', entry(1, { refresh_token: SECRET.repeat(500) }));
  await journal.write('mail', answered(1));
  expect(readFileSync(file, 'latin1')).toContain(SECRET);
  await journal.empty('mail');
  expect(await journal.read('mail')).toBeNull();
  expect(readFileSync(file, 'latin1')).not.toContain(SECRET.slice(0, 8));
});

test('a shorter entry leaves nothing of the longer one in its slot', async () => {
  await journal.write('mail', entry(1, { refresh_token: SECRET.repeat(500) }));
  await journal.write('mail', entry(2));
  await journal.write('mail', entry(3));
  expect(readFileSync(file, 'latin1')).not.toContain(SECRET.slice(0, 8));
});

describe('F72: an answer that is set aside', () => {
  test('is kept over attempts and restarts until it is forgotten, and then no byte of it is left', async () => {
    await journal.write('mail', answered(1));
    await journal.setAside('mail');
    expect(await journal.read('mail')).toBeNull();
    for (const attempt of [2, 3, 4]) await journal.write('mail', entry(attempt));
    await journal.empty('mail');
    expect(await createAttemptJournal(directory).readSetAside('mail')).toEqual(answered(1));
    await journal.forgetSetAside('mail');
    expect(await journal.readSetAside('mail')).toBeNull();
    expect(readFileSync(file, 'latin1')).not.toContain(SECRET.slice(0, 8));
    expect(statSync(file).size).toBe(3 * SLOT_BYTES);
  });

  test('gives way to a later one, and stays when there is no answer to set aside', async () => {
    await journal.write('mail', answered(1));
    await journal.setAside('mail');
    await journal.write('mail', entry(2));
    await journal.setAside('mail');
    expect(await journal.read('mail')).toBeNull();
    expect(await journal.readSetAside('mail')).toEqual(answered(1));
    await journal.write('mail', answered(3));
    await journal.setAside('mail');
    expect(await journal.readSetAside('mail')).toEqual(answered(3));
  });

  test('is nothing where there is no journal, and where a crash tore it; its entry is then still open', async () => {
    await journal.setAside('mail');
    await journal.forgetSetAside('mail');
    expect(await journal.readSetAside('mail')).toBeNull();
    expect(readdirSync(directory)).toEqual([]);
    await journal.write('mail', answered(1));
    const before = readFileSync(file);
    await journal.setAside('mail');
    readFileSync(file).copy(before, 2 * SLOT_BYTES, 2 * SLOT_BYTES, 2 * SLOT_BYTES + 100);
    writeFileSync(file, before);
    expect(await journal.readSetAside('mail')).toBeNull();
    expect(await journal.read('mail')).toEqual(answered(1));
  });
});

test('calls at once are taken in turn: the last one wins', async () => {
  const attempts = Array.from({ length: 10 }, (_, index) => index + 1);
  await Promise.all(attempts.map((attempt) => journal.write('mail', entry(attempt))));
  expect(await journal.read('mail')).toEqual(entry(10));
  // Each took the slot that was the older one after the one before it: the sequence numbers are without gap or repeat.
  const bytes = readFileSync(file);
  expect([0, 1].map((slot) => Number(bytes.readBigUInt64BE(slot * SLOT_BYTES + 8))).sort()).toEqual([10, 9]);
});

test('an answer that does not fit is refused by name, without its content, and the old entry stays', async () => {
  await journal.write('mail', entry(1));
  const refusal = await journal.write('mail', entry(1, { access_token: SECRET.repeat(5000) })).catch((e: Error) => e);
  expect(refusal).toMatchObject({ name: 'PortError', code: 'answer_too_large' });
  expect(String(refusal)).not.toContain(SECRET.slice(0, 8));
  expect(await journal.read('mail')).toEqual(entry(1));
});

describe('damage', () => {
  /** What a crash during the write of the second entry can leave: the bytes of its slot up to some point are new. */
  test('a write torn at any byte leaves the old entry or the new one, whole', async () => {
    await journal.write('mail', answered(1));
    await journal.write('mail', entry(2));
    const before = readFileSync(file);
    await journal.write('mail', answered(3));
    const after = readFileSync(file);
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(128), { minLength: 128, maxLength: 128 }), async (order) => {
        // Pages of 512 bytes reach the disk in any order; each is old or new.
        const torn = Buffer.from(before);
        order.forEach((choice, page) => {
          if (choice % 2 === 0) after.copy(torn, page * 512, page * 512, (page + 1) * 512);
        });
        writeFileSync(file, torn);
        const found = await journal.read('mail');
        expect([entry(2), answered(3)]).toContainEqual(found);
      }),
      { numRuns: 100 },
    );
  });

  test('a very first write that tore reads as nothing: it was never answered, so nothing was sent', async () => {
    await journal.write('mail', answered(1));
    for (const page of [0, 100]) {
      const bytes = Buffer.alloc(3 * SLOT_BYTES);
      readFileSync(file).copy(bytes, page, page, 150);
      writeFileSync(file, bytes);
      expect(await journal.read('mail')).toBeNull();
    }
  });

  test('a damaged sequence number does not make the older entry the newest', async () => {
    await journal.write('mail', entry(1));
    await journal.write('mail', answered(1));
    const bytes = readFileSync(file);
    bytes[8] = 1;
    writeFileSync(file, bytes);
    expect(await journal.read('mail')).toEqual(answered(1));
  });

  test('any corruption within one slot yields the old or the new entry, never a mix and never an error', async () => {
    await journal.write('mail', answered(1));
    await journal.write('mail', answered(2));
    const intact = readFileSync(file);
    const damage = fc.record({
      slot: fc.constantFrom(0, 1),
      at: fc.oneof(fc.nat(400), fc.nat(SLOT_BYTES - 1)),
      bytes: fc.uint8Array({ minLength: 1, maxLength: 600 }),
    });
    await fc.assert(
      fc.asyncProperty(damage, async ({ slot, at, bytes }) => {
        const damaged = Buffer.from(intact);
        damaged.set(bytes.subarray(0, SLOT_BYTES - at), slot * SLOT_BYTES + at);
        writeFileSync(file, damaged);
        const found = await journal.read('mail');
        expect([answered(1), answered(2)]).toContainEqual(found);
        // Whatever was damaged, the next write is read back.
        await journal.write('mail', entry(3));
        expect(await journal.read('mail')).toEqual(entry(3));
      }),
      { numRuns: 150 },
    );
  });

  test('F37: a file cut off anywhere yields an entry that was written, or is damaged', async () => {
    await journal.write('mail', answered(1));
    await journal.write('mail', answered(2));
    const intact = readFileSync(file);
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.nat(400), fc.nat(3 * SLOT_BYTES)), async (length) => {
        writeFileSync(file, intact);
        truncateSync(file, length);
        const found = await journal.read('mail').catch((error: { code: string }) => error.code);
        expect([answered(1), answered(2), 'journal_damaged']).toContainEqual(found);
        await journal.write('mail', entry(3));
        expect(await journal.read('mail')).toEqual(entry(3));
        // What was cut off is kept when nothing of it could be used.
        expect(readdirSync(directory).length > 1).toBe(found === 'journal_damaged');
        for (const name of readdirSync(directory)) if (name !== 'mail.journal') rmSync(join(directory, name));
      }),
      { numRuns: 100 },
    );
  });

  test('F37: a file cut off after it was emptied may have held an open attempt: damage, not nothing', async () => {
    await journal.write('mail', entry(1));
    await journal.empty('mail');
    const whole = readFileSync(file);
    for (const length of [0, 1, SLOT_BYTES, 2 * SLOT_BYTES - 1]) {
      writeFileSync(file, whole.subarray(0, length));
      await expect(journal.read('mail')).rejects.toMatchObject({ code: 'journal_damaged' });
    }
    // An older version had no third slot.
    writeFileSync(file, whole.subarray(0, 2 * SLOT_BYTES));
    expect(await journal.read('mail')).toBeNull();
    expect(await journal.readSetAside('mail')).toBeNull();
  });

  describe('F37: two damaged slots', () => {
    const garbage = (letter: string) => Buffer.alloc(3 * SLOT_BYTES, letter);
    const kept = () => readdirSync(directory).filter((name) => name !== 'mail.journal');

    test('are said, not guessed about, as often as they are read, and nothing is touched by that', async () => {
      writeFileSync(file, garbage('x'));
      for (const reading of [journal.read('mail'), journal.read('mail'), journal.setAside('mail')]) {
        await expect(reading).rejects.toMatchObject({
          name: 'PortError',
          code: 'journal_damaged',
          remedy: expect.stringContaining(`${file}.broken-1`),
        });
      }
      expect(readFileSync(file)).toEqual(garbage('x'));
      expect(kept()).toEqual([]);
    });

    test.each([
      ['a write', () => journal.write('mail', entry(3)), entry(3)],
      ['an emptying', () => journal.empty('mail'), null],
    ])('are kept as they are by %s, 0600 and said once, and a new file takes its place', async (_, change, found) => {
      writeFileSync(file, garbage('x'), { mode: 0o644 });
      await change();
      expect(setAside).toEqual([{ credential: 'mail', setAsidePath: `${file}.broken-1` }]);
      expect(readFileSync(`${file}.broken-1`)).toEqual(garbage('x'));
      expect(statSync(`${file}.broken-1`).mode & 0o777).toBe(0o600);
      expect(await journal.read('mail')).toEqual(found);
      await journal.write('mail', answered(4));
      expect(await createAttemptJournal(directory).read('mail')).toEqual(answered(4));
      expect([statSync(file).size, statSync(file).nlink, kept()]).toEqual([
        3 * SLOT_BYTES,
        1,
        ['mail.journal.broken-1'],
      ]);
      expect(setAside).toHaveLength(1);
    });

    test('again and again: the number kept is bounded, and the first is never lost', async () => {
      for (const letter of 'abcdefghijkl') {
        writeFileSync(file, garbage(letter));
        await journal.write('mail', entry(1));
      }
      expect(kept()).toHaveLength(8);
      expect(readFileSync(`${file}.broken-1`)).toEqual(garbage('a'));
      expect(readFileSync(`${file}.broken-8`)).toEqual(garbage('l'));
    });

    test('have one name more when their keeper died before it replaced them, and no copy more', async () => {
      writeFileSync(file, garbage('x'));
      linkSync(file, `${file}.broken-1`);
      await journal.write('mail', entry(1));
      expect(kept()).toEqual(['mail.journal.broken-1']);
      expect(readFileSync(`${file}.broken-1`)).toEqual(garbage('x'));
    });

    test('of another version of the entry are kept too', async () => {
      await journal.write('mail', answered(1));
      await journal.write('mail', answered(2));
      const newer = readFileSync(file);
      for (const slot of [0, 1]) newer.write('FRESHDJ2', slot * SLOT_BYTES, 'latin1');
      writeFileSync(file, newer);
      await journal.write('mail', entry(3));
      expect(readFileSync(`${file}.broken-1`)).toEqual(newer);
    });
  });

  test('swapped slots are the same: the number in them says which is newer', async () => {
    await journal.write('mail', entry(1));
    await journal.write('mail', answered(1));
    const bytes = readFileSync(file);
    const swapped = Buffer.concat([bytes.subarray(SLOT_BYTES, 2 * SLOT_BYTES), bytes.subarray(0, SLOT_BYTES)]);
    writeFileSync(file, Buffer.concat([swapped, bytes.subarray(2 * SLOT_BYTES)]));
    expect(await journal.read('mail')).toEqual(answered(1));
    await journal.empty('mail');
    expect(await journal.read('mail')).toBeNull();
  });

  test('a file readable by others becomes 0600 again', async () => {
    await journal.write('mail', answered(1));
    chmodSync(file, 0o644);
    await journal.read('mail');
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  test('what is no file of our own is journal_failed: a symlink, a directory, somebody else’s', async (ctx) => {
    writeFileSync(join(directory, 'real'), '');
    symlinkSync('real', join(directory, 'link.journal'));
    mkdirSync(join(directory, 'directory.journal'));
    for (const name of ['link', 'directory']) {
      await expect(journal.read(name)).rejects.toMatchObject({ code: 'journal_failed' });
      await expect(journal.write(name, entry(1))).rejects.toMatchObject({ code: 'journal_failed' });
    }
    if (!isRoot) return ctx.skip('the last part needs root');
    await journal.write('mail', entry(1));
    chownSync(file, 1234, 1234);
    await expect(journal.read('mail')).rejects.toMatchObject({ code: 'journal_failed' });
  });

  test('a missing directory is journal_failed when written', async () => {
    const nowhere = createAttemptJournal(join(directory, 'gone'));
    await expect(nowhere.write('mail', entry(1))).rejects.toMatchObject({ code: 'journal_failed' });
  });
});

test('F39: on a full disk an answer is recorded and emptied; only a first attempt is refused', async (ctx) => {
  if (noMounts !== null) return ctx.skip(noMounts);
  const program = await bundleProgram(
    directory,
    `import { execFileSync } from 'node:child_process';
     import { statfsSync } from 'node:fs';
     import { createAttemptJournal, type DamagedJournalInfo } from './adapters/attempt-journal.ts';
     const [directory] = process.argv.slice(2);
     const journal = createAttemptJournal(directory);
     const entry = { attempt: 1, response: null };
     await journal.write('mail', entry);
     execFileSync('sh', ['-c', 'cat /dev/zero > ' + directory + '/fill || true'], { stdio: 'ignore' });
     console.log('free', statfsSync(directory).bavail);
     await journal.write('mail', { ...entry, response: { refresh_token: 'new' } });
     console.log((await journal.read('mail')).response.refresh_token);
     await journal.empty('mail');
     console.log(await journal.read('mail'));
     await journal.write('first', entry).catch((error) => console.log(error.code, error.message));`,
  );
  const script = `mount -t tmpfs -o size=1m none /mnt; ${process.execPath} ${program} /mnt; ls -A /mnt`;
  const run = runInOwnMounts(script);
  expect(run.stderr).toBe('');
  const [free, answer, emptied, refused, ...files] = run.stdout.trim().split('\n');
  expect([free, answer, emptied]).toEqual(['free 0', 'new', 'null']);
  expect(refused).toMatch(/^journal_failed .*the disk is full/);
  expect(files).toEqual(['fill', 'mail.journal']);
});
