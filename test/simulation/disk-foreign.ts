/**
 * The simulated disk as checkers and other programs use it: at once, with no fault, no latency, and no crash in between.
 *
 * Rule: changes go the same way as those of the program, so watchers hear of them and a power failure can lose them.
 */

import { dirname } from 'node:path';
import {
  attributesCall,
  byBytes,
  linkCall,
  makeCall,
  renameCall,
  rmdirCall,
  symlinkCall,
  unlinkCall,
} from './disk-calls.ts';
import { constants } from './disk-constants.ts';
import { visible } from './disk-content.ts';
import { writeCall } from './disk-descriptor.ts';
import { Refused } from './disk-error.ts';
import { closeFile, openCall } from './disk-open.ts';
import type { Call } from './disk-operation.ts';
import { find } from './disk-path.ts';
import { DiskStats } from './disk-stats.ts';
import type { Inode, Tree } from './disk-tree.ts';

export interface ForeignView {
  /** Null where no file is; links are followed. */
  readText(path: string): string | null;
  /** The kernel's own, until the next change. */
  readBytes(path: string): Buffer | null;
  /** As a power failure at this moment would surely leave it; null where even the name could be gone. */
  durableText(path: string): string | null;
  durableBytes(path: string): Buffer | null;
  /** Null where nothing is; a link itself. */
  stat(path: string): DiskStats | null;
  /** Names in the order of their bytes; none where no directory is. */
  list(path: string): readonly string[];
  /**
   * Writes as another program would, folders made as needed.
   * @param options `mode` of a new file, default 0600; `how`: over a temp and a rename (default), or where it lies
   */
  writeText(
    path: string,
    text: string,
    options?: { readonly mode?: number; readonly how?: 'rename' | 'in-place' },
  ): void;
  /** Empties the file and writes the first half. @returns what writes the rest */
  writeInTwoSteps(path: string, text: string): () => void;
  makeDirectory(path: string, options?: { readonly mode?: number }): void;
  makeNode(path: string, kind: 'socket' | 'fifo', options?: { readonly mode?: number }): void;
  symlink(target: string, path: string): void;
  rename(from: string, to: string): void;
  link(from: string, to: string): void;
  chmod(path: string, mode: number): void;
  chown(path: string, uid: number, gid?: number): void;
  /** Moves mtime, as `touch` does. */
  utimes(path: string, modifiedMs: number): void;
  /** With all that is in it; harmless where nothing is. */
  remove(path: string): void;
}

export function foreignView(tree: Tree): ForeignView {
  const now = <T>({ perform }: Call<T>): T => perform();
  const write = (path: string, bytes: Buffer, { flags, mode }: { flags: number; mode: number }): void => {
    const file = now(openCall(tree, path, { flags, mode }));
    now(writeCall(tree, file, bytes, null));
    closeFile(tree, file);
  };
  const makeDirectory = (path: string, { mode = 0o700 } = {}): void => {
    if (look(tree, path) !== null) return;
    if (dirname(path) !== path) makeDirectory(dirname(path), { mode });
    now(makeCall(tree, path, { kind: 'directory', mode }));
  };
  const change = (path: string, syscall: string, change: Parameters<typeof attributesCall>[2]['change']): void =>
    now(attributesCall(tree, path, { syscall, change }));
  const readBytes = (path: string): Buffer | null => {
    const inode = look(tree, path);
    return inode?.kind === 'file' ? visible(inode.content) : null;
  };
  let tempCount = 0;

  return {
    readBytes,
    readText: (path) => readBytes(path)?.toString('utf8') ?? null,
    durableText: (path) => durableOf(tree, path)?.toString('utf8') ?? null,
    durableBytes: (path) => durableOf(tree, path),
    stat: (path) => {
      const inode = look(tree, path, false);
      return inode === null ? null : new DiskStats(inode);
    },
    list: (path) => [...(look(tree, path)?.entries.keys() ?? [])].sort(byBytes),
    writeText: (path, text, { mode = 0o600, how = 'rename' } = {}) => {
      makeDirectory(dirname(path));
      if (how === 'in-place') {
        write(path, Buffer.from(text), { flags: OVERWRITE, mode });
        return;
      }
      const temp = `${path}.foreign-${tempCount++}`;
      write(temp, Buffer.from(text), { flags: OVERWRITE, mode: look(tree, path)?.attributes.mode ?? mode });
      now(renameCall(tree, temp, path));
    },
    writeInTwoSteps: (path, text) => {
      const bytes = Buffer.from(text);
      const half = Math.floor(bytes.length / 2);
      const file = now(openCall(tree, path, { flags: OVERWRITE, mode: 0o600 }));
      now(writeCall(tree, file, bytes.subarray(0, half), 0));
      return () => {
        // Whoever wrote the first half did not survive a power failure either.
        if (file.boot === tree.boots) now(writeCall(tree, file, bytes.subarray(half), half));
        closeFile(tree, file);
      };
    },
    makeDirectory,
    makeNode: (path, kind, { mode = 0o600 } = {}) => now(makeCall(tree, path, { kind, mode })),
    symlink: (target, path) => now(symlinkCall(tree, target, path)),
    rename: (from, to) => now(renameCall(tree, from, to)),
    link: (from, to) => now(linkCall(tree, from, to)),
    chmod: (path, mode) => change(path, 'chmod', { mode }),
    chown: (path, uid, gid = uid) => change(path, 'chown', { uid, gid }),
    utimes: (path, modifiedMs) => change(path, 'utime', { mtimeNs: BigInt(Math.floor(modifiedMs)) * 1_000_000n }),
    remove: (path) => removeAll(tree, path),
  };
}

function removeAll(tree: Tree, path: string): void {
  const inode = look(tree, path, false);
  if (inode === null) return;
  if (inode.kind !== 'directory') {
    unlinkCall(tree, path).perform();
    return;
  }
  for (const name of [...inode.entries.keys()]) removeAll(tree, `${path}/${name}`);
  rmdirCall(tree, path).perform();
}

function look(tree: Tree, path: string, follow = true): Inode | null {
  try {
    return find(tree, path, { follow }).inode;
  } catch (error) {
    if (error instanceof Refused) return null;
    throw error;
  }
}

/** Durable names only; links are not followed. */
function durableOf(tree: Tree, path: string): Buffer | null {
  let inode: Inode | undefined = tree.root;
  for (const name of path.split('/').filter((part) => part !== '')) inode = inode?.durableEntries.get(name);
  return inode?.kind === 'file' ? inode.content.durable : null;
}

const OVERWRITE = constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC;
