/**
 * The store in a file, for every format: reads what can be believed, and writes only what it has just read.
 *
 * Rule: the file's other content, mode and owner stay. A write happens under the store's lock, and only while the file is
 * the one that was read, up to the moment of the rename; else the other writer wins.
 */
import { createHash } from 'node:crypto';
import type { EpochMs, TokenResponse } from '../../core/token.ts';
import { PortError, type StorePort, type StoreReading } from '../../daemon/ports.ts';
import { writeFileAtomic } from '../atomic-file.ts';
import { signatureAt } from './file-snapshot.ts';
import { DEFAULT_PATIENCE, type Finding, type Patience, readSettled } from './settled-read.ts';
import type { StoreCodec, WritableCodec } from './store-codec.ts';
import { createStoreLock, realPathOf } from './store-lock.ts';

export interface FileStoreOptions {
  readonly path: string;
  /** Where the lock lies; created with mode 0700. */
  readonly lockDirectory: string;
  /** Wall clock: tells a file at rest from one being written, and dates an answer that has no date. */
  readonly now: () => EpochMs;
  readonly patience?: Patience;
}

export function createFileStore(options: FileStoreOptions, codec: StoreCodec): StorePort {
  const { path, now, patience = DEFAULT_PATIENCE } = options;
  const storeLock = createStoreLock(path, options.lockDirectory);
  let seen: Seen | null = null;

  async function find(ownText: string | null = null): Promise<Finding> {
    const wasThere = seen !== null && seen.digest !== null;
    const finding = await readSettled({ path, codec, patience, now, wasThere, ownText });
    seen = remember(finding, now());
    return finding;
  }

  async function commit(writable: WritableCodec, response: TokenResponse, stillExpected: StillExpected) {
    for (let tries = 0; tries < COMMIT_TRIES_MAX; tries += 1) {
      const finding = await find();
      if (!stillExpected(finding.reading)) return { committed: false, found: finding.reading };
      if (finding.reading.kind === 'broken') throw notOverwritten(finding.reading.detail);
      const text = writable.merge(finding.text, response, now());
      refuseUnlessReadable(text, writable, { path, now: now() });
      if (text === finding.text || (await replace(path, finding, text))) {
        return { committed: true, found: (await find(text)).reading };
      }
    }
    throw changesAllTheTime(path);
  }

  return {
    path,
    read: async () => (await find()).reading,
    readIfChanged: async () => {
      const before = seen;
      if (before !== null && !before.isFresh && before.signature !== null) {
        if ((await signatureAt(path)) === before.signature) return { kind: 'unchanged' };
      }
      const { reading } = await find();
      const isSame = before !== null && before.digest !== null && before.digest === seen?.digest;
      return isSame && reading.kind === 'tokens' && before.kind === 'tokens' ? { kind: 'unchanged' } : reading;
    },
    write: async (response, stillExpected) => {
      if ('readOnlyReason' in codec) throw readOnly(path, codec.readOnlyReason);
      const release = storeLock.isHeld() ? null : await storeLock.acquire(LOCK_MS_MAX);
      try {
        return await commit(codec, response, stillExpected);
      } finally {
        await release?.();
      }
    },
    lock: (timeoutMs) => storeLock.acquire(timeoutMs),
  };
}

/** @returns false when somebody else wrote meanwhile */
async function replace(path: string, finding: Finding, text: string): Promise<boolean> {
  try {
    // A symlink's target is replaced, never the link.
    await writeFileAtomic(await realPathOf(path), finding.byteOrderMark + text, {
      modeWhenCreated: 0o600,
      followSymlink: true,
      unchanged: async () => finding.signature !== null && (await signatureAt(path)) === finding.signature,
    });
    return true;
  } catch (error) {
    if (error instanceof PortError && error.code === 'changed_meanwhile') return false;
    throw error;
  }
}

type StillExpected = Parameters<StorePort['write']>[1];

/** What the last read left behind, to tell whether the next one is needed. No content. */
interface Seen {
  readonly kind: StoreReading['kind'];
  readonly signature: string | null;
  /** Of the text; null when there was none. */
  readonly digest: string | null;
  /** It had changed so shortly before, that another change could bear the same time stamp. */
  readonly isFresh: boolean;
}

function remember({ reading, signature, text, changedAt }: Finding, now: EpochMs): Seen {
  return {
    kind: reading.kind,
    signature,
    digest: text === null ? null : createHash('sha256').update(text).digest('base64'),
    isFresh: changedAt !== null && Math.abs(now - changedAt) < STAMP_GRAIN_MS,
  };
}

/** A merge that cannot be read back would lose the grant; the old file is better than that. */
function refuseUnlessReadable(text: string, codec: StoreCodec, at: { path: string; now: EpochMs }): void {
  if (codec.read(text, at.now).kind === 'tokens') return;
  const remedy = 'see what the refresh printed, and whether this format can hold it';
  throw new PortError(`did not write ${at.path}: the merged file could not be read back; ${remedy}`, {
    code: 'not_representable',
    remedy,
  });
}

function readOnly(path: string, reason: string): PortError {
  return new PortError(`did not write ${path}: ${reason}`, {
    code: 'store_read_only',
    remedy: 'let its own tool refresh it: a refresh script with "result": "store"',
  });
}

function notOverwritten(detail: string): PortError {
  const remedy = 'repair or remove the file; what is broken is never overwritten';
  return new PortError(`did not write: ${detail}; ${remedy}`, { code: 'store_broken', remedy });
}

function changesAllTheTime(path: string): PortError {
  const remedy = 'nothing to do: it is repeated; if it stays, see which program keeps writing this file';
  return new PortError(`did not write ${path}: somebody else wrote before each try; ${remedy}`, {
    code: 'store_busy',
    remedy,
  });
}

// FAT counts in 2 s, NFS caches for up to 3 s; within that, two changes can look like one.
const STAMP_GRAIN_MS = 3_000;

// Each try means that another program wrote within milliseconds; a tool writes once per refresh.
const COMMIT_TRIES_MAX = 5;

// A write outside an attempt waits as long as an attempt would.
const LOCK_MS_MAX = 30_000;
