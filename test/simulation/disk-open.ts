/**
 * Open files of the simulated disk: how one is opened, shared and closed.
 *
 * Rule: what is open outlives its name and its process's other files, but not a power failure.
 */
import { constants } from './disk-constants.ts';
import { truncateTo } from './disk-content.ts';
import { Refused } from './disk-error.ts';
import type { Call } from './disk-operation.ts';
import { find, orFalse } from './disk-path.ts';
import { changeNames, createInode, freeUnlessUsed, type Inode, type Tree, touch } from './disk-tree.ts';

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
        truncateTo(inode.content, 0, tree.elapsed());
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

/** One of those that share it goes; with the last one its lock goes too. */
export function closeFile(tree: Tree, file: OpenFile): void {
  file.sharers -= 1;
  if (file.sharers > 0 || file.boot !== tree.boots) return;
  file.inode.opens -= 1;
  if (file.isLocking) file.inode.isLocked = false;
  freeUnlessUsed(tree, file.inode);
}

const ACCESS_MODE = constants.O_RDONLY | constants.O_WRONLY | constants.O_RDWR;
