/**
 * The system calls on open files.
 *
 * Rule: a write is one call and may be cut short; a sync is the only call that makes anything durable.
 */

import { constants } from './disk-constants.ts';
import { BLOCK_BYTES, forgetPending, needsSpace, reserve, sync, truncateTo, visible, writeAt } from './disk-content.ts';
import { Refused } from './disk-error.ts';
import { syncNames } from './disk-names.ts';
import type { OpenFile } from './disk-open.ts';
import type { Call } from './disk-operation.ts';
import { findExisting } from './disk-path.ts';
import { type Inode, type Tree, touch } from './disk-tree.ts';

export function fstatCall({ inode, path }: OpenFile): Call<Inode> {
  return { syscall: 'fstat', path, isOnDescriptor: true, perform: () => inode };
}

/** @param position null: where the descriptor stands, which moves on */
export function readCall(file: OpenFile, buffer: Uint8Array, position: number | null): Call<number> {
  const { inode, path } = file;
  return {
    syscall: 'read',
    path,
    isOnDescriptor: true,
    perform: () => {
      if ((file.flags & ACCESS_MODE) === constants.O_WRONLY) throw new Refused('EBADF');
      if (inode.kind === 'directory') throw new Refused('EISDIR');
      const from = position ?? file.offset;
      const bytes = visible(inode.content).subarray(from, from + buffer.length);
      buffer.set(bytes);
      if (position === null) file.offset += bytes.length;
      return bytes.length;
    },
  };
}

/** @returns a call that resolves with the number of bytes taken */
export function writeCall(tree: Tree, file: OpenFile, data: Uint8Array, position: number | null): Call<number> {
  const { inode, path } = file;
  const at = (): number => ((file.flags & constants.O_APPEND) !== 0 ? inode.content.size : (position ?? file.offset));
  const write = (bytes: Uint8Array): number => {
    if ((file.flags & ACCESS_MODE) === constants.O_RDONLY) throw new Refused('EBADF');
    const from = at();
    writeAt(inode.content, from, bytes, tree.elapsed());
    if (position === null) file.offset = from + bytes.length;
    if (bytes.length > 0) changed(tree, file);
    return bytes.length;
  };
  return {
    syscall: 'write',
    path,
    isOnDescriptor: true,
    bytes: data.length,
    isModifying: true,
    needsSpace: () => needsSpace(inode.content, at(), data.length),
    perform: () => write(data),
    performPart: (bytes) => write(data.subarray(0, bytes)),
  };
}

export function truncateCall(tree: Tree, file: OpenFile, size: number): Call<void> {
  return {
    syscall: 'ftruncate',
    path: file.path,
    isOnDescriptor: true,
    isModifying: true,
    perform: () => {
      if ((file.flags & ACCESS_MODE) === constants.O_RDONLY) throw new Refused('EINVAL');
      truncateTo(file.inode.content, size, tree.elapsed());
      changed(tree, file);
    },
  };
}

export function syncCall(tree: Tree, { inode, path }: OpenFile, syscall: 'fsync' | 'fdatasync'): Call<void> {
  return {
    syscall,
    path,
    isOnDescriptor: true,
    onFault: (code) => {
      if (code === 'EIO') forgetPending(inode.content);
    },
    perform: () => {
      if (inode.kind === 'directory') {
        syncNames(tree, inode);
        return;
      }
      sync(inode.content);
      if (syscall === 'fsync') inode.durableAttributes = inode.attributes;
    },
  };
}

export function fattributesCall(
  tree: Tree,
  file: OpenFile,
  { syscall, change }: { readonly syscall: string; readonly change: Parameters<typeof touch>[2] },
): Call<void> {
  return {
    syscall,
    path: file.path,
    isOnDescriptor: true,
    isModifying: true,
    perform: () => {
      touch(tree, file.inode, change);
      tell(tree, file);
    },
  };
}

/** Blocks without a change of size: `fallocate --keep-size`, which another program does. */
export function reserveCall(tree: Tree, path: string, bytes: number): Call<void> {
  const content = () => findExisting(tree, path, { follow: true }).inode.content;
  return {
    syscall: 'fallocate',
    path,
    isModifying: true,
    needsSpace: () => needsSpace(content(), 0, bytes),
    perform: () => reserve(content(), 0, bytes),
  };
}

/** How much of a write a disk still takes that is full after some blocks. */
export function bytesBeforeFull(data: number, share: number): number {
  return Math.floor(Math.ceil(data / BLOCK_BYTES) * share) * BLOCK_BYTES;
}

function changed(tree: Tree, file: OpenFile): void {
  touch(tree, file.inode, { modified: true });
  tell(tree, file);
}

function tell(tree: Tree, { inode, place }: OpenFile): void {
  if (place?.directory.entries.get(place.name) === inode) tree.onEvent(place.directory, 'change', place.name);
}

const ACCESS_MODE = constants.O_RDONLY | constants.O_WRONLY | constants.O_RDWR;
