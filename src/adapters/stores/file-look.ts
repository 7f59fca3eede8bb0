/**
 * Looks at a store file, and remembers of the last look what tells whether the next one is needed.
 *
 * Rule: nothing of the content is remembered but a digest.
 */
import { createHash } from 'node:crypto';
import type { EpochMs } from '../../core/token.ts';
import type { StoreReading } from '../../daemon/ports.ts';
import { signatureAt } from './file-snapshot.ts';
import { DEFAULT_PATIENCE, type Finding, type Patience, readSettled } from './settled-read.ts';
import type { StoreCodec } from './store-codec.ts';

export interface FileLookOptions {
  readonly path: string;
  /** Wall clock: tells a file at rest from one being written. */
  readonly now: () => EpochMs;
  readonly patience?: Patience;
}

export interface FileLook {
  /** @param ownText what we have just written ourselves, which needs no second look */
  find(ownText?: string | null): Promise<Finding>;
  findIfChanged(): Promise<StoreReading | { readonly kind: 'unchanged' }>;
}

export function createFileLook(options: FileLookOptions, codec: StoreCodec): FileLook {
  const { path, now, patience = DEFAULT_PATIENCE } = options;
  let seen: Seen | null = null;

  async function find(ownText: string | null = null): Promise<Finding> {
    const wasThere = seen !== null && seen.digest !== null;
    const finding = await readSettled({ path, codec, patience, now, wasThere, ownText });
    seen = remember(finding, now());
    return finding;
  }

  return {
    find,
    findIfChanged: async () => {
      const before = seen;
      if (before !== null && !before.isFresh && before.signature !== null) {
        if ((await signatureAt(path)) === before.signature) return { kind: 'unchanged' };
      }
      const { reading } = await find();
      const isSame = before !== null && before.digest !== null && before.digest === seen?.digest;
      return isSame && reading.kind === 'tokens' && before.kind === 'tokens' ? { kind: 'unchanged' } : reading;
    },
  };
}

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

// FAT counts in 2 s, NFS caches for up to 3 s; within that, two changes can look like one.
const STAMP_GRAIN_MS = 3_000;
