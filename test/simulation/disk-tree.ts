/**
 * The simulated file system's tree: inodes, the names that lead to them, and the name changes that are not durable yet.
 *
 * Rule: every change of a name goes through {@link changeNames}; a rename is one change, so it lasts whole or not at all.
 */
import { emptyContent, type FileContent } from './disk-content.ts';

export type InodeKind = 'file' | 'directory' | 'symlink' | 'socket' | 'fifo';

export interface Attributes {
  /** Permission bits only. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly atimeNs: bigint;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
}

export interface Inode {
  /** Never used again. */
  readonly id: number;
  /** As `stat` shows it; that of a removed file comes back soon, as on ext4. */
  ino: number;
  readonly kind: InodeKind;
  attributes: Attributes;
  durableAttributes: Attributes;
  readonly content: FileContent;
  entries: Map<string, Inode>;
  readonly durableEntries: Map<string, Inode>;
  /** Of a symlink. */
  readonly target: string;
  names: number;
  opens: number;
  /** Whether somebody holds its `flock`. */
  isLocked: boolean;
}

export interface NameSetting {
  readonly directory: Inode;
  readonly name: string;
  /** Null: the name goes. */
  readonly inode: Inode | null;
}

export interface NameChange {
  readonly settings: readonly NameSetting[];
  readonly atMs: number;
}

export type ChangeKind = 'rename' | 'change';

export interface Tree {
  readonly root: Inode;
  /** Epoch ms. */
  readonly now: () => number;
  /** Ms that only grow: how long something has waited to be written back. */
  readonly elapsed: () => number;
  readonly uid: number;
  readonly gid: number;
  /** Oldest first. */
  pendingNames: NameChange[];
  nextId: number;
  freeInos: number[];
  /** How many power failures there were. */
  boots: number;
  /** @param name null: the directory itself went or moved */
  onEvent: (directory: Inode, kind: ChangeKind, name: string | null) => void;
}

export function createTree(options: Pick<Tree, 'now' | 'elapsed' | 'uid' | 'gid'>): Tree {
  const { now, elapsed, uid, gid } = options;
  const stamp = coarse(now());
  const attributes: Attributes = { mode: 0o755, uid, gid, atimeNs: stamp, mtimeNs: stamp, ctimeNs: stamp };
  const root = bareInode({ id: ROOT_INO, kind: 'directory', attributes });
  root.names = 1;
  return {
    now,
    elapsed,
    uid,
    gid,
    root,
    pendingNames: [],
    nextId: ROOT_INO + 1,
    freeInos: [],
    boots: 0,
    onEvent: () => undefined,
  };
}

export function createInode(tree: Tree, kind: InodeKind, options: { mode: number; target?: string }): Inode {
  const stamp = timeStamp(tree);
  const { uid, gid } = tree;
  const mode = options.mode & 0o7777;
  const attributes: Attributes = { mode, uid, gid, atimeNs: stamp, mtimeNs: stamp, ctimeNs: stamp };
  const id = tree.nextId++;
  const inode = bareInode({ id, kind, attributes, target: options.target ?? '' });
  inode.ino = tree.freeInos.pop() ?? id;
  return inode;
}

/** Changes names in the kernel's image; they become durable when their directory is synced. */
export function changeNames(tree: Tree, settings: readonly NameSetting[]): void {
  const stamp = timeStamp(tree);
  const lost: Inode[] = [];
  for (const { directory, name, inode } of settings) {
    const old = directory.entries.get(name);
    if (old !== undefined) {
      old.names -= 1;
      lost.push(old);
    }
    if (inode === null) directory.entries.delete(name);
    else {
      directory.entries.set(name, inode);
      inode.names += 1;
    }
    for (const changed of [old, inode]) {
      if (changed !== undefined && changed !== null) changed.attributes = { ...changed.attributes, ctimeNs: stamp };
    }
    directory.attributes = { ...directory.attributes, mtimeNs: stamp, ctimeNs: stamp };
  }
  tree.pendingNames.push({ settings, atMs: tree.elapsed() });
  if (tree.pendingNames.length > PENDING_MAX) commitNames(tree, tree.pendingNames.slice(0, PENDING_MAX / 2));
  for (const { directory, name } of settings) tree.onEvent(directory, 'rename', name);
  for (const inode of lost) {
    if (inode.kind === 'directory') tree.onEvent(inode, 'rename', null);
    freeUnlessUsed(tree, inode);
  }
}

/** @param changes some of those pending, oldest first */
export function commitNames(tree: Tree, changes: readonly NameChange[]): void {
  for (const { settings } of changes) {
    for (const { directory, name, inode } of settings) {
      if (inode === null) directory.durableEntries.delete(name);
      else directory.durableEntries.set(name, inode);
    }
  }
  const committed = new Set(changes);
  tree.pendingNames = tree.pendingNames.filter((change) => !committed.has(change));
}

/** Gives the number of an inode back that no name and no descriptor leads to. */
export function freeUnlessUsed(tree: Tree, inode: Inode): void {
  if (inode.names === 0 && inode.opens === 0) tree.freeInos.push(inode.ino);
}

/** Content changed (`modified`), or only what `stat` shows. */
export function touch(tree: Tree, inode: Inode, changes: Partial<Attributes> & { readonly modified?: boolean }): void {
  const { modified = false, ...attributes } = changes;
  const stamp = timeStamp(tree);
  const times = modified ? { mtimeNs: stamp, ctimeNs: stamp } : { ctimeNs: stamp };
  inode.attributes = { ...inode.attributes, ...times, ...attributes };
}

function timeStamp(tree: Tree): bigint {
  return coarse(tree.now());
}

function coarse(epochMs: number): bigint {
  return BigInt(Math.floor(epochMs / STAMP_GRAIN_MS) * STAMP_GRAIN_MS) * 1_000_000n;
}

function bareInode(parts: Pick<Inode, 'id' | 'kind' | 'attributes'> & { target?: string }): Inode {
  const { id, kind, attributes, target = '' } = parts;
  const entries = { entries: new Map<string, Inode>(), durableEntries: new Map<string, Inode>() };
  const content = emptyContent();
  return {
    id,
    ino: id,
    kind,
    attributes,
    durableAttributes: attributes,
    content,
    target,
    names: 0,
    opens: 0,
    isLocked: false,
    ...entries,
  };
}

const ROOT_INO = 2;

// Linux stamps files with the time of the last tick: of two changes within 4 ms (CONFIG_HZ=250) none is later.
const STAMP_GRAIN_MS = 4;

const PENDING_MAX = 512;
