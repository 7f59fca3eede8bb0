/**
 * What `stat` says of a simulated inode, in Node's two shapes: numbers, or bigints with nanoseconds.
 *
 * Rule: the same facts as on Linux; a change of content moves mtime and ctime, a change of names or mode ctime.
 */
import { constants } from './disk-constants.ts';
import { BLOCK_BYTES } from './disk-content.ts';
import type { Inode, InodeKind } from './disk-tree.ts';

abstract class KindOf {
  abstract readonly kind: InodeKind;

  isFile(): boolean {
    return this.kind === 'file';
  }
  isDirectory(): boolean {
    return this.kind === 'directory';
  }
  isSymbolicLink(): boolean {
    return this.kind === 'symlink';
  }
  isSocket(): boolean {
    return this.kind === 'socket';
  }
  isFIFO(): boolean {
    return this.kind === 'fifo';
  }
  isBlockDevice(): boolean {
    return false;
  }
  isCharacterDevice(): boolean {
    return false;
  }
}

/** As `readdir` with `withFileTypes` lists it. */
export class DiskEntry extends KindOf {
  readonly name: string;
  readonly parentPath: string;
  readonly kind: InodeKind;

  constructor(name: string, kind: InodeKind, parentPath: string) {
    super();
    this.name = name;
    this.kind = kind;
    this.parentPath = parentPath;
  }
}

export class DiskStats extends KindOf {
  readonly kind: InodeKind;
  readonly dev = DEVICE;
  readonly ino: number;
  readonly mode: number;
  readonly nlink: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly blksize = BLOCK_BYTES;
  readonly blocks: number;
  readonly atimeMs: number;
  readonly mtimeMs: number;
  readonly ctimeMs: number;

  constructor(inode: Inode) {
    super();
    const { mode, uid, gid, atimeNs, mtimeNs, ctimeNs } = inode.attributes;
    this.kind = inode.kind;
    this.ino = inode.ino;
    this.mode = TYPE_BITS[inode.kind] | mode;
    this.nlink = linkCount(inode);
    this.uid = uid;
    this.gid = gid;
    this.size = sizeOf(inode);
    this.blocks = (inode.content.blocks.size * BLOCK_BYTES) / SECTOR_BYTES;
    [this.atimeMs, this.mtimeMs, this.ctimeMs] = [atimeNs, mtimeNs, ctimeNs].map((ns) => Number(ns) / 1e6) as Times;
  }

  get atime(): Date {
    return new Date(this.atimeMs);
  }
  get mtime(): Date {
    return new Date(this.mtimeMs);
  }
  get ctime(): Date {
    return new Date(this.ctimeMs);
  }
}

export class DiskBigIntStats extends KindOf {
  readonly kind: InodeKind;
  readonly dev = BigInt(DEVICE);
  readonly ino: bigint;
  readonly mode: bigint;
  readonly nlink: bigint;
  readonly uid: bigint;
  readonly gid: bigint;
  readonly size: bigint;
  readonly atimeNs: bigint;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
  readonly atimeMs: bigint;
  readonly mtimeMs: bigint;
  readonly ctimeMs: bigint;

  constructor(inode: Inode) {
    super();
    const { mode, uid, gid, atimeNs, mtimeNs, ctimeNs } = inode.attributes;
    this.kind = inode.kind;
    this.ino = BigInt(inode.ino);
    this.mode = BigInt(TYPE_BITS[inode.kind] | mode);
    this.nlink = BigInt(linkCount(inode));
    this.uid = BigInt(uid);
    this.gid = BigInt(gid);
    this.size = BigInt(sizeOf(inode));
    this.atimeNs = atimeNs;
    this.mtimeNs = mtimeNs;
    this.ctimeNs = ctimeNs;
    this.atimeMs = atimeNs / 1_000_000n;
    this.mtimeMs = mtimeNs / 1_000_000n;
    this.ctimeMs = ctimeNs / 1_000_000n;
  }
}

export function statsOf(inode: Inode, options?: { readonly bigint?: boolean }): DiskStats | DiskBigIntStats {
  return options?.bigint === true ? new DiskBigIntStats(inode) : new DiskStats(inode);
}

function linkCount(inode: Inode): number {
  if (inode.kind !== 'directory') return inode.names;
  const folders = [...inode.entries.values()].filter(({ kind }) => kind === 'directory').length;
  return inode.names === 0 ? 0 : folders + 2;
}

function sizeOf(inode: Inode): number {
  if (inode.kind === 'directory') return BLOCK_BYTES;
  return inode.kind === 'symlink' ? Buffer.byteLength(inode.target) : inode.content.size;
}

type Times = [number, number, number];

const TYPE_BITS: Readonly<Record<InodeKind, number>> = {
  file: constants.S_IFREG,
  directory: constants.S_IFDIR,
  symlink: constants.S_IFLNK,
  socket: constants.S_IFSOCK,
  fifo: constants.S_IFIFO,
};

// One file system: nothing is mounted inside it.
const DEVICE = 2049;

// The unit of `blocks`, whatever the block size.
const SECTOR_BYTES = 512;
