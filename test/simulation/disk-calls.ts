/**
 * The system calls on paths, as calls that can be made now or later.
 *
 * Rule: as Linux does it for a privileged user: no permission is checked, since refusals are faults to be asked for.
 */
import { constants } from './disk-constants.ts';
import { truncateTo } from './disk-content.ts';
import { Refused } from './disk-error.ts';
import type { Call } from './disk-operation.ts';
import { find, findExisting } from './disk-path.ts';
import { changeNames, createInode, freeUnlessUsed, type Inode, type InodeKind, type Tree, touch } from './disk-tree.ts';

/** An open file description. */
export interface OpenFile {
  readonly inode: Inode;
  readonly path: string;
  /** Under which name it was opened, for watchers; null for the root. */
  readonly place: { readonly directory: Inode; readonly name: string } | null;
  readonly flags: number;
  offset: number;
  /** Descriptors that share it. */
  sharers: number;
  isLocking: boolean;
  /** Of the tree when it was opened: a power failure closes what an earlier one had opened. */
  readonly boot: number;
}

export interface DirectoryEntry {
  readonly name: string;
  readonly kind: InodeKind;
}

export function openCall(tree: Tree, path: string, { flags, mode }: { flags: number; mode: number }): Call<OpenFile> {
  const has = (flag: number): boolean => (flags & flag) === flag;
  const creates = has(constants.O_CREAT);
  const follow = !has(constants.O_NOFOLLOW) && !(creates && has(constants.O_EXCL));
  const isWriting = (flags & ACCESS_MODE) !== constants.O_RDONLY;
  const isNew = (): boolean => creates && find(tree, path, { follow }).inode === null;
  return {
    syscall: 'open',
    path,
    isModifying: isWriting || creates,
    needsSpace: () => orFalse(isNew),
    perform: () => {
      const found = find(tree, path, { follow });
      const { directory, name } = found;
      if (found.inode !== null && creates && has(constants.O_EXCL)) throw new Refused('EEXIST');
      if (found.inode === null && (!creates || directory === null)) throw new Refused('ENOENT');
      if (found.inode === null && path.endsWith('/')) throw new Refused('EISDIR');
      const inode = found.inode ?? createInode(tree, 'file', { mode });
      refuseKind(inode, { flags, creates, isWriting });
      if (found.inode === null && directory !== null) changeNames(tree, [{ directory, name, inode }]);
      if (has(constants.O_TRUNC) && inode.kind === 'file') {
        truncateTo(inode.content, 0, tree.now());
        touch(tree, inode, { modified: true });
      }
      inode.opens += 1;
      const place = directory === null ? null : { directory, name };
      return { inode, path, place, flags, offset: 0, sharers: 1, isLocking: false, boot: tree.boots };
    },
  };
}

function refuseKind(inode: Inode, how: { flags: number; creates: boolean; isWriting: boolean }): void {
  const { flags, creates, isWriting } = how;
  if ((flags & constants.O_DIRECTORY) !== 0 && inode.kind !== 'directory') throw new Refused('ENOTDIR');
  if (inode.kind === 'symlink') throw new Refused('ELOOP');
  if (inode.kind === 'directory' && (isWriting || creates)) throw new Refused('EISDIR');
  if (inode.kind === 'socket') throw new Refused('ENXIO');
  if (inode.kind !== 'fifo') return;
  // A program that opens it so would hang for ever, which is never meant.
  if ((flags & constants.O_NONBLOCK) === 0) throw new Error('opened a FIFO without O_NONBLOCK');
  if ((flags & ACCESS_MODE) === constants.O_WRONLY) throw new Refused('ENXIO');
}

/** Nobody has it open any more. */
export function closeFile(tree: Tree, { inode, isLocking }: OpenFile): void {
  inode.opens -= 1;
  if (isLocking) inode.isLocked = false;
  freeUnlessUsed(tree, inode);
}

export function statCall(tree: Tree, path: string, { follow }: { readonly follow: boolean }): Call<Inode> {
  const perform = (): Inode => findExisting(tree, path, { follow }).inode;
  return { syscall: follow ? 'stat' : 'lstat', path, perform };
}

export function accessCall(tree: Tree, path: string, mode: number): Call<void> {
  return {
    syscall: 'access',
    path,
    perform: () => {
      const { inode } = findExisting(tree, path, { follow: true });
      // Even a privileged user may execute a file only if somebody may.
      const isRefused = (mode & constants.X_OK) !== 0 && inode.kind === 'file' && (inode.attributes.mode & 0o111) === 0;
      if (isRefused) throw new Refused('EACCES');
    },
  };
}

export function realpathCall(tree: Tree, path: string): Call<string> {
  return { syscall: 'realpath', path, perform: () => findExisting(tree, path, { follow: true }).realPath };
}

/** In the order of their bytes, as libuv sorts them. */
export function readdirCall(tree: Tree, path: string): Call<readonly DirectoryEntry[]> {
  return {
    syscall: 'scandir',
    path,
    perform: () => {
      const { inode } = findExisting(tree, path, { follow: true });
      if (inode.kind !== 'directory') throw new Refused('ENOTDIR');
      return [...inode.entries].map(([name, { kind }]) => ({ name, kind })).sort((a, b) => byBytes(a.name, b.name));
    },
  };
}

export function byBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

/** A directory, socket or pipe. */
export function makeCall(
  tree: Tree,
  path: string,
  options: { readonly kind: InodeKind; readonly mode: number },
): Call<void> {
  const syscall = options.kind === 'directory' ? 'mkdir' : 'mknod';
  // A directory may be made of a path with a slash at its end.
  const bare = path.replace(/(.)\/+$/, '$1');
  return { syscall, path, ...making(tree, bare, () => createInode(tree, options.kind, options)) };
}

/** Its errors name what it leads to first, as Node's do. */
export function symlinkCall(tree: Tree, target: string, path: string): Call<void> {
  const create = (): Inode => createInode(tree, 'symlink', { mode: 0o777, target });
  return { syscall: 'symlink', path: target, destination: path, ...making(tree, path, create) };
}

function making(tree: Tree, path: string, create: () => Inode): Omit<Call<void>, 'syscall' | 'path'> {
  return {
    isModifying: true,
    needsSpace: () => orFalse(() => find(tree, path, { follow: false }).inode === null),
    perform: () => {
      const { directory, name, inode } = find(tree, path, { follow: false });
      if (inode !== null || directory === null) throw new Refused('EEXIST');
      changeNames(tree, [{ directory, name, inode: create() }]);
    },
  };
}

export function unlinkCall(tree: Tree, path: string): Call<void> {
  return {
    syscall: 'unlink',
    path,
    isModifying: true,
    perform: () => {
      const { directory, name, inode } = findExisting(tree, path, { follow: false });
      if (directory === null || inode.kind === 'directory') throw new Refused('EISDIR');
      changeNames(tree, [{ directory, name, inode: null }]);
    },
  };
}

export function rmdirCall(tree: Tree, path: string): Call<void> {
  return {
    syscall: 'rmdir',
    path,
    isModifying: true,
    perform: () => {
      const { directory, name, inode } = findExisting(tree, path, { follow: false });
      if (directory === null) throw new Refused('EBUSY');
      if (inode.kind !== 'directory') throw new Refused('ENOTDIR');
      if (inode.entries.size > 0) throw new Refused('ENOTEMPTY');
      changeNames(tree, [{ directory, name, inode: null }]);
    },
  };
}

export function renameCall(tree: Tree, path: string, destination: string): Call<void> {
  return {
    syscall: 'rename',
    path,
    destination,
    isModifying: true,
    perform: () => {
      // Both folders are looked up before either name.
      const from = find(tree, path, { follow: false });
      const to = find(tree, destination, { follow: false });
      if (from.inode === null) throw new Refused('ENOENT');
      if (from.directory === null || to.directory === null) throw new Refused('EBUSY');
      if (to.inode === from.inode) return;
      refuseRename(from.inode, from.directory, { into: to.directory, replaced: to.inode });
      changeNames(tree, [
        { directory: from.directory, name: from.name, inode: null },
        { directory: to.directory, name: to.name, inode: from.inode },
      ]);
    },
  };
}

function refuseRename(
  inode: Inode,
  outOf: Inode,
  { into, replaced }: { readonly into: Inode; readonly replaced: Inode | null },
): void {
  if (contains(inode, into)) throw new Refused('EINVAL');
  if (replaced === null) return;
  if (contains(replaced, outOf)) throw new Refused('ENOTEMPTY');
  if (inode.kind === 'directory' && replaced.kind !== 'directory') throw new Refused('ENOTDIR');
  if (inode.kind !== 'directory' && replaced.kind === 'directory') throw new Refused('EISDIR');
  if (replaced.entries.size > 0) throw new Refused('ENOTEMPTY');
}

function contains(outer: Inode, inner: Inode): boolean {
  return outer === inner || [...outer.entries.values()].some((child) => contains(child, inner));
}

export function linkCall(tree: Tree, path: string, destination: string): Call<void> {
  return {
    syscall: 'link',
    path,
    destination,
    isModifying: true,
    perform: () => {
      const { inode } = findExisting(tree, path, { follow: false });
      const to = find(tree, destination, { follow: false });
      if (to.inode !== null || to.directory === null) throw new Refused('EEXIST');
      if (inode.kind === 'directory') throw new Refused('EPERM');
      changeNames(tree, [{ directory: to.directory, name: to.name, inode }]);
    },
  };
}

/** chmod, chown, utimes: what `stat` shows of a file. */
export function attributesCall(
  tree: Tree,
  path: string,
  { syscall, change }: { readonly syscall: string; readonly change: Parameters<typeof touch>[2] },
): Call<void> {
  return {
    syscall,
    path,
    isModifying: true,
    perform: () => {
      const { directory, name, inode } = findExisting(tree, path, { follow: true });
      touch(tree, inode, change);
      if (directory !== null) tree.onEvent(directory, 'change', name);
    },
  };
}

/** @returns whether, of a question that a missing path may also answer */
function orFalse(question: () => boolean): boolean {
  try {
    return question();
  } catch (error) {
    if (error instanceof Refused) return false;
    throw error;
  }
}

const ACCESS_MODE = constants.O_RDONLY | constants.O_WRONLY | constants.O_RDWR;
