/**
 * The store in a file, for every format: reads what can be believed, and writes only what it has just read.
 *
 * Rule: the file's other content, mode and owner stay. A write happens under the store's lock and those of its own tool, and
 * only while both the file is the one that was read and the locks are ours, up to the moment of the rename; else the other
 * writer wins.
 */
import type { EpochMs, TokenResponse } from '../../core/token.ts';
import { PortError, type Release, type StorePort, type StoreReading } from '../../daemon/ports.ts';
import { syncFile, writeFileAtomic } from '../atomic-file.ts';
import type { DirectoryWatches } from './directory-watch.ts';
import { FileLook, type FileLookOptions } from './file-look.ts';
import { signatureAt } from './file-snapshot.ts';
import { FileWatch } from './file-watch.ts';
import type { Finding } from './settled-read.ts';
import type { StoreCodec } from './store-codec.ts';
import { type LockPlace, realPathOf, StoreLock } from './store-lock.ts';
import type { HeldToolLocks, ToolLocks } from './tool-locks.ts';

export interface FileStoreOptions extends FileLookOptions {
  /** Where the lock lies if it can be in none of `lockPlaces`; created with mode 0700. */
  readonly lockDirectory: string;
  /** Places of the user, best first: for a store that is his. */
  readonly lockPlaces?: readonly LockPlace[];
  /** Tells at once when the file may have changed; absent: nobody is told. */
  readonly watches?: DirectoryWatches | undefined;
}

/** @param toolLocks those of the tool that owns the file; null: it has none */
export function createFileStore(
  options: FileStoreOptions,
  codec: StoreCodec,
  toolLocks: ToolLocks | null = null,
): StorePort {
  return new FileStore(options, codec, toolLocks);
}

/** Of a class, not of closures: each credential has one, and ten thousand of them are to stay small. */
class FileStore implements StorePort {
  readonly path: string;
  readonly #codec: StoreCodec;
  readonly #now: () => EpochMs;
  readonly #look: FileLook;
  readonly #storeLock: StoreLock;
  readonly #toolLocks: ToolLocks | null;
  readonly #fileWatch: FileWatch | null;
  /** The tool's locks, while an attempt holds them. */
  #attemptLocks: HeldToolLocks | null = null;

  constructor(options: FileStoreOptions, codec: StoreCodec, toolLocks: ToolLocks | null) {
    this.path = options.path;
    this.#codec = codec;
    this.#now = options.now;
    this.#look = new FileLook(options, codec);
    this.#storeLock = new StoreLock(options);
    this.#toolLocks = toolLocks;
    this.#fileWatch = options.watches === undefined ? null : new FileWatch(options.path, options.watches);
  }

  async read(): Promise<StoreReading> {
    return (await this.#look.find()).reading;
  }

  readIfChanged(): ReturnType<StorePort['readIfChanged']> {
    this.#fileWatch?.revive();
    return this.#look.findIfChanged();
  }

  watch(onChange: () => void): () => void {
    return this.#fileWatch?.watch(onChange) ?? (() => undefined);
  }

  async write(response: TokenResponse, stillExpected: StillExpected): ReturnType<StorePort['write']> {
    const release = this.#storeLock.isHeld ? null : await this.#storeLock.acquire(LOCK_MS_MAX);
    try {
      const taken = this.#attemptLocks === null ? ((await this.#toolLocks?.take(TOOL_LOCK_MS_MAX)) ?? null) : null;
      try {
        return await this.#commit(response, { stillExpected, locks: this.#attemptLocks ?? taken });
      } finally {
        await taken?.release();
      }
    } finally {
      await release?.();
    }
  }

  async sync(): Promise<void> {
    await syncFile(await realPathOf(this.path));
  }

  async lock(timeoutMs: number, purpose: Parameters<StorePort['lock']>[1]): Promise<Release> {
    const unlock = await this.#storeLock.acquire(timeoutMs);
    if (this.#toolLocks === null) return unlock;
    try {
      const toolLimitMs = Math.min(timeoutMs, TOOL_LOCK_MS_MAX);
      if (purpose === 'script') await this.#toolLocks.waitUntilFree(toolLimitMs);
      else this.#attemptLocks = await this.#toolLocks.take(toolLimitMs);
    } catch (error) {
      await unlock();
      throw error;
    }
    return async () => {
      const held = this.#attemptLocks;
      this.#attemptLocks = null;
      try {
        await held?.release();
      } finally {
        await unlock();
      }
    };
  }

  wasOrphaned(): boolean {
    return this.#toolLocks?.wasOrphaned() ?? false;
  }

  async #commit(response: TokenResponse, { stillExpected, locks }: CommitTerms): ReturnType<StorePort['write']> {
    const [path, codec, look] = [this.path, this.#codec, this.#look];
    for (let tries = 0; tries < COMMIT_TRIES_MAX; tries += 1) {
      const finding = await look.find();
      if (!stillExpected(finding.reading)) return { committed: false, found: finding.reading };
      if (finding.reading.kind === 'broken') throw notOverwritten(finding.reading.detail);
      const text = codec.merge(finding.text, response, this.#now());
      refuseUnlessReadable(text, codec, { path, now: this.#now() });
      const isThere = text === finding.text;
      // By whoever wrote it: this process, in a write that was given up as hung, or one before it.
      if (isThere) await this.sync();
      if (isThere || (await replace(path, finding, { text, locks }))) {
        // Whatever an orphan's holder may have sent was replaced with this.
        this.wasOrphaned();
        return { committed: true, found: (await look.find(text)).reading };
      }
      // Whoever took the locks from us is writing now.
      if (locks !== null && !(await locks.areOurs())) break;
    }
    throw changesAllTheTime(path);
  }
}

type StillExpected = Parameters<StorePort['write']>[1];

interface CommitTerms {
  readonly stillExpected: StillExpected;
  readonly locks: HeldToolLocks | null;
}

/** @returns false when somebody else wrote meanwhile */
async function replace(
  path: string,
  finding: Finding,
  { text, locks }: { readonly text: string; readonly locks: HeldToolLocks | null },
): Promise<boolean> {
  try {
    // A symlink's target is replaced, never the link.
    await writeFileAtomic(await realPathOf(path), finding.byteOrderMark + text, {
      modeWhenCreated: 0o600,
      followSymlink: true,
      unchanged: async () =>
        (locks === null || (await locks.areOurs())) &&
        finding.signature !== null &&
        (await signatureAt(path)) === finding.signature,
    });
    return true;
  } catch (error) {
    if (error instanceof PortError && error.code === 'changed_meanwhile') return false;
    throw error;
  }
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

// Each try means that another program wrote within milliseconds; a tool writes once per refresh.
const COMMIT_TRIES_MAX = 5;

// A write outside an attempt waits as long as an attempt would.
const LOCK_MS_MAX = 30_000;

// Its tool holds them for the time of one request; with the rest of a write this stays below the limit of a step.
const TOOL_LOCK_MS_MAX = 10_000;
