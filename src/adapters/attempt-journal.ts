/**
 * The attempt journal: one file per credential that shows, after any crash, whether a refresh token may have been sent and
 * which answer came.
 *
 * Rule: every slot is allocated before anything is sent and overwritten in place, so recording an answer needs no free
 * space. (A file system that copies on write, btrfs or ZFS, needs some even so.) Of two slots the older is written: whatever
 * tears, the other one is whole. The third keeps an answer that the store refused; it is whole before the entry it comes from goes.
 */
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { type JournalEntry, type JournalPort, PortError } from '../daemon/ports.ts';
import { createFileOnce, syncDirectory } from './atomic-file.ts';
import { decodeSlot, encodeSlot, SLOT_BYTES, type Slot } from './journal-slot.ts';
import { errnoOf, portErrorFrom } from './port-error.ts';
import { createTurns } from './turns.ts';

/**
 * @param directory an existing private directory; a credential's file is allocated at its first `write`
 * @throws PortError from its methods: `journal_failed`; from `write` also `answer_too_large`
 */
export function createAttemptJournal(directory: string): JournalPort {
  // Two calls at once for one credential would take the same slot.
  const inTurn = createTurns();
  /** Credentials whose file a power failure cannot take away. */
  const named = new Set<string>();
  const run = <T>(credential: string, work: (path: string) => Promise<T>): Promise<T> => {
    const path = join(directory, `${credential}.journal`);
    return inTurn(credential, () =>
      work(path).catch((error: unknown) => {
        throw error instanceof PortError && error.code === 'answer_too_large' ? error : journalFailed(path, error);
      }),
    );
  };

  return {
    read: (credential) =>
      run(credential, (path) => withFile(path, async (handle) => newestEntry(await readSlots(handle)))),

    write: (credential, entry) =>
      run(credential, async (path) => {
        const payload = Buffer.from(JSON.stringify(entry));
        if ((await withFile(path, (handle) => append(handle, payload))) !== null) {
          // Whoever made it may have died before its name was durable.
          if (!named.has(credential)) await syncDirectory(directory);
          named.add(credential);
          return;
        }
        // Whole or not at all, with real bytes: a sparse file would need space later.
        await createFileOnce(path, Buffer.alloc(FILE_BYTES), { mode: 0o600 });
        if ((await withFile(path, (handle) => append(handle, payload))) === null) throw new Error('it vanished');
        named.add(credential);
      }),

    empty: (credential) => run(credential, async (path) => void (await withFile(path, empty))),

    setAside: (credential) =>
      run(credential, async (path) => {
        await withFile(path, async (handle) => {
          const entry = newestEntry(await readSlots(handle));
          if (entry !== null && entry.response !== null) {
            await writeSlot(handle, SET_ASIDE, encodeSlot(1, Buffer.from(JSON.stringify(entry))));
          }
          await empty(handle);
        });
      }),

    readSetAside: (credential) =>
      run(credential, (path) =>
        withFile(path, async (handle) => {
          const slot = await readSlot(handle, SET_ASIDE);
          return slot.kind === 'intact' ? parseEntry(slot.payload) : null;
        }),
      ),

    forgetSetAside: (credential) =>
      run(credential, async (path) => {
        await withFile(path, async (handle) => {
          const { kind } = await readSlot(handle, SET_ASIDE);
          if (kind !== 'blank') await writeSlot(handle, SET_ASIDE, Buffer.alloc(SLOT_BYTES));
        });
      }),
  };
}

async function empty(handle: FileHandle): Promise<void> {
  const written = await append(handle, Buffer.alloc(0));
  // The emptiness is durable; now the answer's secrets go.
  await writeSlot(handle, 1 - written, Buffer.alloc(SLOT_BYTES));
}

/** @returns null when there is no file */
async function withFile<T>(path: string, use: (handle: FileHandle) => Promise<T>): Promise<T | null> {
  let handle: FileHandle;
  try {
    handle = await open(path, constants.O_RDWR | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return null;
    throw error;
  }
  try {
    const found = await handle.stat();
    const ourUid = process.geteuid?.() ?? found.uid;
    if (!found.isFile() || found.uid !== ourUid) throw new Error('expected a regular file of our own');
    if (process.platform !== 'win32' && (found.mode & 0o777) !== 0o600) await handle.chmod(0o600);
    return await use(handle);
  } finally {
    await handle.close();
  }
}

/** Writes the older slot. @returns which one that was */
async function append(handle: FileHandle, payload: Buffer): Promise<0 | 1> {
  const { older, sequence } = order(await readSlots(handle));
  await writeSlot(handle, older, encodeSlot(sequence + 1, payload));
  return older;
}

async function readSlots(handle: FileHandle): Promise<readonly [Slot, Slot]> {
  return [await readSlot(handle, 0), await readSlot(handle, 1)];
}

async function readSlot(handle: FileHandle, index: number): Promise<Slot> {
  const bytes = Buffer.alloc(SLOT_BYTES);
  const { bytesRead } = await handle.read(bytes, 0, SLOT_BYTES, index * SLOT_BYTES);
  return decodeSlot(bytes.subarray(0, bytesRead));
}

async function writeSlot(handle: FileHandle, index: number, bytes: Buffer): Promise<void> {
  for (let written = 0; written < bytes.length; ) {
    const position = index * SLOT_BYTES + written;
    written += (await handle.write(bytes, written, bytes.length - written, position)).bytesWritten;
  }
  await handle.datasync();
}

/** Which slot is to be written, and the highest sequence number so far. */
function order([first, second]: readonly [Slot, Slot]): { older: 0 | 1; sequence: number } {
  const [a, b] = [first, second].map((slot) => (slot.kind === 'intact' ? slot.sequence : 0)) as [number, number];
  return { older: a <= b ? 0 : 1, sequence: Math.max(a, b) };
}

/**
 * A crash tears one slot, never both; and a first write that tore was never answered, so nothing was sent on its account.
 * @throws when nothing is intact and that cannot have come from a crash
 */
function newestEntry(slots: readonly [Slot, Slot]): JournalEntry | null {
  const { older } = order(slots);
  const newest = slots[1 - older];
  if (newest?.kind === 'intact') return newest.payload.length === 0 ? null : parseEntry(newest.payload);
  if (slots.some((slot) => slot.kind === 'blank')) return null;
  throw new DamagedJournal('both slots are damaged');
}

class DamagedJournal extends Error {}

function parseEntry(payload: Buffer): JournalEntry {
  // Ours, whole and unchanged: the checksum says so, and the magic names the version of the shape.
  return JSON.parse(payload.toString('utf8')) as JournalEntry;
}

function journalFailed(path: string, cause: unknown): PortError {
  const ours = errnoOf(cause) === undefined && cause instanceof Error;
  const seen = ours ? cause.message : portErrorFrom(cause, { path, doing: 'use' }).message;
  const remedy = `see that ${path} can be written; if it is damaged, remove it once the store is known to hold a good token`;
  return new PortError(`the attempt journal ${path} failed: ${seen}; ${remedy}`, {
    code: cause instanceof DamagedJournal ? 'journal_damaged' : 'journal_failed',
    remedy,
    cause,
  });
}

// Two that alternate, and a third that holds an answer which the store refused.
const SLOTS = 3;
const SET_ASIDE = 2;
const FILE_BYTES = SLOTS * SLOT_BYTES;
