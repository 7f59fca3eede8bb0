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

/** Of a class, not of closures: each credential has one, and ten thousand of them are to stay small. */
export class FileLook {
  readonly #options: FileLookOptions;
  readonly #codec: StoreCodec;
  #seen: Seen | null = null;

  constructor(options: FileLookOptions, codec: StoreCodec) {
    this.#options = options;
    this.#codec = codec;
  }

  /** @param ownText what we have just written ourselves, which needs no second look */
  async find(ownText: string | null = null): Promise<Finding> {
    const { path, now, patience = DEFAULT_PATIENCE } = this.#options;
    const wasThere = this.#seen !== null && this.#seen.digest !== null;
    const finding = await readSettled({ path, codec: this.#codec, patience, now, wasThere, ownText });
    this.#seen = remember(finding, now());
    return finding;
  }

  async findIfChanged(): Promise<StoreReading | { readonly kind: 'unchanged' }> {
    const before = this.#seen;
    if (before !== null && !before.isFresh && before.signature !== null) {
      if ((await signatureAt(this.#options.path)) === before.signature) return { kind: 'unchanged' };
    }
    const { reading } = await this.find();
    const isSame = before !== null && before.digest !== null && before.digest === this.#seen?.digest;
    return isSame && reading.kind === 'tokens' && before.kind === 'tokens' ? { kind: 'unchanged' } : reading;
  }
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
