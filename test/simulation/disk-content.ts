/**
 * The bytes of one simulated file: what the kernel shows, what is durable, and the changes between the two.
 *
 * Rule: nothing becomes durable but by a sync, by age, or by the luck of a power failure (disk-power.ts).
 */

export interface FileContent {
  /** Of at least `size` bytes; what lies behind is zero. */
  bytes: Buffer;
  size: number;
  durable: Buffer;
  /** Since `durable`, oldest first. */
  pending: Change[];
  /** Numbers of the blocks that need no space any more. */
  readonly blocks: Set<number>;
}

export type Change =
  | { readonly kind: 'write'; readonly position: number; readonly data: Buffer; readonly atMs: number }
  | { readonly kind: 'size'; readonly size: number; readonly atMs: number };

export const BLOCK_BYTES = 4096;

export function emptyContent(): FileContent {
  return { bytes: Buffer.alloc(0), size: 0, durable: Buffer.alloc(0), pending: [], blocks: new Set() };
}

export function visible(content: FileContent): Buffer {
  return content.bytes.subarray(0, content.size);
}

/** @param atMs when, for the write-back by age */
export function writeAt(content: FileContent, position: number, data: Uint8Array, atMs: number): void {
  if (data.length === 0) return;
  const copy = Buffer.from(data);
  reserve(content, position, copy.length);
  place(content, position, copy);
  note(content, { kind: 'write', position, data: copy, atMs });
}

export function truncateTo(content: FileContent, size: number, atMs: number): void {
  if (size < content.size) {
    content.bytes.fill(0, size, content.size);
    for (const block of [...content.blocks]) if (block * BLOCK_BYTES >= size) content.blocks.delete(block);
  }
  grow(content, size);
  content.size = size;
  note(content, { kind: 'size', size, atMs });
}

/** Blocks behind the end too, as `fallocate --keep-size` does. */
export function reserve(content: FileContent, position: number, length: number): void {
  for (const block of blocksOf(position, length)) content.blocks.add(block);
}

export function needsSpace(content: FileContent, position: number, length: number): boolean {
  return blocksOf(position, length).some((block) => !content.blocks.has(block));
}

export function sync(content: FileContent): void {
  writeBack(content, content.pending.length);
}

/** After a failed sync the kernel takes the pages for clean: what was to be written will never be. */
export function forgetPending(content: FileContent): void {
  content.pending = [];
}

export function writeBackOlderThan(content: FileContent, atMs: number): void {
  const young = content.pending.findIndex((change) => change.atMs >= atMs);
  writeBack(content, young === -1 ? content.pending.length : young);
}

/** What is there now is all there is: after a power failure, or when a test begins. */
export function settleOn(content: FileContent, bytes: Buffer): void {
  content.bytes = Buffer.from(bytes);
  content.size = bytes.length;
  content.durable = Buffer.from(bytes);
  content.pending = [];
  content.blocks.clear();
  reserve(content, 0, bytes.length);
}

/** @returns a new buffer */
export function replay(base: Buffer, changes: readonly Change[]): Buffer {
  return applied(Buffer.from(base), changes);
}

type Image = Pick<FileContent, 'bytes' | 'size'>;

/** @param base is changed, or given up for a larger one */
function applied(base: Buffer, changes: readonly Change[]): Buffer {
  const image: Image = { bytes: base, size: base.length };
  for (const change of changes) {
    if (change.kind === 'write') place(image, change.position, change.data);
    else {
      if (change.size < image.size) image.bytes.fill(0, change.size, image.size);
      grow(image, change.size);
      image.size = change.size;
    }
  }
  return image.bytes.length === image.size ? image.bytes : Buffer.from(image.bytes.subarray(0, image.size));
}

function place(image: Image, position: number, data: Buffer): void {
  grow(image, position + data.length);
  data.copy(image.bytes, position);
  image.size = Math.max(image.size, position + data.length);
}

function grow(image: Image, size: number): void {
  if (size <= image.bytes.length) return;
  // By half again: a log is written line by line.
  const larger = Buffer.alloc(Math.max(size, Math.ceil(image.bytes.length * 1.5)));
  image.bytes.copy(larger);
  image.bytes = larger;
}

function note(content: FileContent, change: Change): void {
  content.pending.push(change);
  // A kernel too writes back when there is much; a file that nobody ever syncs must not fill the memory.
  if (content.pending.length > PENDING_MAX) writeBack(content, PENDING_MAX / 2);
}

function writeBack(content: FileContent, count: number): void {
  if (count === 0) return;
  // In place: a journal is far larger than what is written to it at a time.
  content.durable = applied(content.durable, content.pending.slice(0, count));
  content.pending = content.pending.slice(count);
}

function blocksOf(position: number, length: number): number[] {
  if (length === 0) return [];
  const first = Math.floor(position / BLOCK_BYTES);
  const last = Math.floor((position + length - 1) / BLOCK_BYTES);
  return Array.from({ length: last - first + 1 }, (_, nth) => first + nth);
}

const PENDING_MAX = 256;
