/**
 * The system calls on paths, as calls that can be made now or later.
 *
 * Rule: as Linux does it for a privileged user: no permission is checked, since refusals are faults to be asked for.
 */
import { constants } from './disk-constants.ts';
import { Refused } from './disk-error.ts';
import type { Call } from './disk-operation.ts';
import { find, findExisting, orFalse } from './disk-path.ts';
import { changeNames, createInode, type Inode, type InodeKind, type Tree, touch } from './disk-tree.ts';

export interface DirectoryEntry {
  readonly name: string;
  readonly kind: InodeKind;
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

export function readlinkCall(tree: Tree, path: string): Call<string> {
  const perform = (): string => {
    const { inode } = findExisting(tree, path, { follow: false });
    if (inode.kind !== 'symlink') throw new Refused('EINVAL');
    return inode.target;
  };
  return { syscall: 'readlink', path, perform };
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
