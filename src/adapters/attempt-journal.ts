/**
 * The attempt journal: one file per credential that shows, after any crash, whether a refresh token may have been sent and
 * which answer came.
 *
 * Rule: every slot is allocated before anything is sent and overwritten in place, so recording an answer needs no free
 * space. (A file system that copies on write, btrfs or ZFS, needs some even so.) Of two slots the older is written: whatever
 * tears, the other one is whole. The third keeps an answer that the store refused; it is whole before the entry it comes from goes.
 * What no crash can have left is damage: it is kept beside, and replaced, never overwritten.
 */
import { constants } from 'node:fs';
import { type FileHandle, open, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type JournalEntry, type JournalPort, PortError } from '../daemon/ports.ts';
import { createFileOnce, syncDirectory } from './atomic-file.ts';
import { keepAside } from './broken-copy.ts';
import { decodeSlot, encodeSlot, SLOT_BYTES, type Slot } from './journal-slot.ts';
import { errnoOf, portErrorFrom } from './port-error.ts';
import { claimTempPath, releaseTempPath, removeTemp } from './temp-path.ts';
import { createTurns } from './turns.ts';

/** A journal that held nothing which could be understood was replaced; what it held is kept. */
export interface DamagedJournalInfo {
  readonly credential: string;
  readonly setAsidePath: string;
}

/**
 * @param directory an existing private directory; a credential's file is allocated at its first `write`
 * @param onSetAside called once the damaged file has its other name, before it is replaced
 * @throws PortError from its methods: `journal_failed`; from `write` also `answer_too_large`
 */
export function createAttemptJournal(
  directory: string,
  onSetAside: (info: DamagedJournalInfo) => void = () => undefined,
): JournalPort {
  // Two calls at once for one credential would take the same slot.
  const inTurn = createTurns();
  /** Credentials whose file a power failure cannot take away. */
  const named = new Set<string>();
  const run: Run = (credential, work) => {
    const path = join(directory, `${credential}.journal`);
    return inTurn(credential, () =>
      work(path).catch((error: unknown) => {
        throw error instanceof PortError && error.code === 'answer_too_large' ? error : journalFailed(path, error);
      }),
    );
  };

  const replaced = async (credential: string, path: string, slot: Buffer | null): Promise<void> => {
    onSetAside({ credential, setAsidePath: await keepAside(path) });
    await replace(path, slot);
    named.add(credential);
  };

  return {
    read: (credential) =>
      run(credential, (path) => withFile(path, async (handle) => newestEntry(await readSlots(handle)))),

    write: (credential, entry) =>
      run(credential, async (path) => {
        const payload = Buffer.from(JSON.stringify(entry));
        const first = (): Buffer => encodeSlot(1, payload);
        const found = await withFile(path, (handle) => append(handle, payload));
        if (found === null) {
          // Whole or not at all, with real bytes: a sparse file would need space later.
          const isOurs = await createFileOnce(path, fileOf(first()), { mode: 0o600 });
          if (!isOurs) throw new Error('it appeared while it was made');
          named.add(credential);
        } else if (found === DAMAGED) await replaced(credential, path, first());
        // Whoever made it may have died before its name was durable.
        else if (!named.has(credential)) {
          await syncDirectory(directory);
          named.add(credential);
        }
      }),

    empty: (credential) =>
      run(credential, async (path) => {
        if ((await withFile(path, empty)) === DAMAGED) await replaced(credential, path, null);
      }),

    ...keptAnswers(run),
  };
}

/** In place of a damaged file. There is no moment without one: until then it shows that something may be open. */
async function replace(path: string, slot: Buffer | null): Promise<void> {
  const next = claimTempPath(path);
  try {
    await createFileOnce(next, fileOf(slot), { mode: 0o600 });
    await rename(next, path);
  } catch (error) {
    await removeTemp(next);
    throw error;
  } finally {
    releaseTempPath(next);
  }
  await syncDirectory(dirname(path));
}

/** Work on the journal of a credential, alone; what it throws is a PortError. */
type Run = <T>(credential: string, work: (path: string) => Promise<T>) => Promise<T>;

/** What is done with the third slot. */
function keptAnswers(run: Run): Pick<JournalPort, 'setAside' | 'readSetAside' | 'forgetSetAside'> {
  return {
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

async function empty(handle: FileHandle): Promise<0 | 1 | typeof DAMAGED> {
  const written = await append(handle, Buffer.alloc(0));
  // The emptiness is durable; now the answer's secrets go.
  if (written !== DAMAGED) await writeSlot(handle, written === 0 ? 1 : 0, Buffer.alloc(SLOT_BYTES));
  return written;
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

/** Writes the older slot. @returns which one that was; `DAMAGED`: none, as nothing here is ours to overwrite */
async function append(handle: FileHandle, payload: Buffer): Promise<0 | 1 | typeof DAMAGED> {
  const slots = await readSlots(handle);
  if (isDamaged(slots)) return DAMAGED;
  const { older, sequence } = order(slots.pair);
  await writeSlot(handle, older, encodeSlot(sequence + 1, payload));
  return older;
}

interface Slots {
  readonly pair: readonly [Slot, Slot];
  /** A part of the two is missing: we make the file whole, and never shorten it. */
  readonly isCut: boolean;
}

async function readSlots(handle: FileHandle): Promise<Slots> {
  const { size } = await handle.stat();
  return { pair: [await readSlot(handle, 0), await readSlot(handle, 1)], isCut: size < SET_ASIDE * SLOT_BYTES };
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
 * @throws DamagedJournal
 */
function newestEntry(slots: Slots): JournalEntry | null {
  if (isDamaged(slots)) throw new DamagedJournal('it holds nothing that can be understood');
  const newest = newestOf(slots);
  return newest === null || newest.length === 0 ? null : parseEntry(newest);
}

/** Nothing is intact, or what is says that nothing is open, and a part is missing in which something else may have stood. */
function isDamaged(slots: Slots): boolean {
  const newest = newestOf(slots);
  if (slots.isCut) return newest === null || newest.length === 0;
  return newest === null && slots.pair.every(({ kind }) => kind === 'torn');
}

function newestOf({ pair }: Slots): Buffer | null {
  const newest = pair[order(pair).older === 0 ? 1 : 0];
  return newest.kind === 'intact' ? newest.payload : null;
}

/** A whole journal. @param slot its first, or none */
function fileOf(slot: Buffer | null): Buffer {
  const bytes = Buffer.alloc(FILE_BYTES);
  slot?.copy(bytes);
  return bytes;
}

class DamagedJournal extends Error {}

function parseEntry(payload: Buffer): JournalEntry {
  // Ours, whole and unchanged: the checksum says so, and the magic names the version of the shape.
  return JSON.parse(payload.toString('utf8')) as JournalEntry;
}

function journalFailed(path: string, cause: unknown): PortError {
  const isDamage = cause instanceof DamagedJournal;
  const ours = errnoOf(cause) === undefined && cause instanceof Error;
  const seen = ours ? cause.message : portErrorFrom(cause, { path, doing: 'use' }).message;
  const remedy = isDamage
    ? `nothing to do: the next attempt keeps it as ${path}.broken-1 (or a later number) and begins a new one`
    : `see that ${path} is a file of freshd's own, and can be written`;
  return new PortError(`the attempt journal ${path} failed: ${seen}; ${remedy}`, {
    code: isDamage ? 'journal_damaged' : 'journal_failed',
    remedy,
    cause,
  });
}

// Two that alternate, and a third that holds an answer which the store refused.
const SLOTS = 3;
const SET_ASIDE = 2;
const FILE_BYTES = SLOTS * SLOT_BYTES;

const DAMAGED = 'damaged';
