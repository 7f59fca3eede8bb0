/**
 * From a path to an inode, as the kernel walks it: symlinks, `..`, and which error when it cannot.
 *
 * Rule: reads the tree, changes nothing.
 */
import { Refused } from './disk-error.ts';
import type { Inode, Tree } from './disk-tree.ts';

export interface Found {
  /** Null: the root. */
  readonly directory: Inode | null;
  /** Last part of the path, links resolved as asked. */
  readonly name: string;
  /** Null: nothing has that name. */
  readonly inode: Inode | null;
  /** Without links. */
  readonly realPath: string;
}

interface Existing extends Found {
  readonly inode: Inode;
}

/**
 * @param follow whether a link at the very end is followed
 * @throws Refused `ENOENT` (of a folder on the way), `ENOTDIR`, `ELOOP`, `ENAMETOOLONG`
 */
export function find(tree: Tree, path: string, { follow }: { readonly follow: boolean }): Found {
  return findPlain(tree, path) ?? walk(tree, path, follow);
}

/** The usual path: absolute, no links, nothing missing but the end, no `.` and no `..`. @returns null for any other */
function findPlain(tree: Tree, path: string): Found | null {
  if (path.length > PLAIN_MAX || !path.startsWith('/')) return null;
  let directory: Inode = tree.root;
  for (let from = 1; ; ) {
    const slash = path.indexOf('/', from);
    const name = slash === -1 ? path.slice(from) : path.slice(from, slash);
    if (name === '' || name === '.' || name === '..') return null;
    const inode = directory.entries.get(name) ?? null;
    if (inode?.kind === 'symlink') return null;
    if (slash === -1) return { directory, name, inode, realPath: path };
    if (inode?.kind !== 'directory') return null;
    directory = inode;
    from = slash + 1;
  }
}

/** Any path, part by part. */
function walk(tree: Tree, path: string, follow: boolean): Found {
  if (Buffer.byteLength(path) >= PATH_BYTES_MAX) throw new Refused('ENAMETOOLONG');
  if (path === '') throw new Refused('ENOENT');
  const walked: { readonly name: string; readonly inode: Inode | null }[] = [];
  const ahead = partsOf(path);
  let links = 0;
  for (let part = ahead.shift(); part !== undefined; part = ahead.shift()) {
    const last = walked.at(-1);
    const here = last === undefined ? tree.root : last.inode;
    if (here === null) throw new Refused('ENOENT');
    if (here.kind !== 'directory') throw new Refused('ENOTDIR');
    if (part === '.') continue;
    if (part === '..') {
      walked.pop();
      continue;
    }
    if (Buffer.byteLength(part) > NAME_BYTES_MAX) throw new Refused('ENAMETOOLONG');
    const inode = here.entries.get(part) ?? null;
    if (inode?.kind !== 'symlink' || (ahead.length === 0 && !follow)) {
      walked.push({ name: part, inode });
      continue;
    }
    links += 1;
    if (links > LINKS_MAX) throw new Refused('ELOOP');
    if (inode.target.startsWith('/')) walked.length = 0;
    ahead.unshift(...partsOf(inode.target));
  }
  const end = walked.at(-1);
  const parent = walked.at(-2);
  return {
    directory: end === undefined ? null : parent === undefined ? tree.root : parent.inode,
    name: end?.name ?? '',
    inode: end === undefined ? tree.root : end.inode,
    realPath: `/${walked.map(({ name }) => name).join('/')}`,
  };
}

/** @throws Refused as {@link find}, and `ENOENT` where nothing is */
export function findExisting(tree: Tree, path: string, options: { readonly follow: boolean }): Existing {
  const found = find(tree, path, options);
  const { inode } = found;
  if (inode === null) throw new Refused('ENOENT');
  return { ...found, inode };
}

/** @returns whether, of a question that a missing path may also answer */
export function orFalse(question: () => boolean): boolean {
  try {
    return question();
  } catch (error) {
    if (error instanceof Refused) return false;
    throw error;
  }
}

/** A final slash asks for a directory, as `.` does. */
function partsOf(path: string): string[] {
  const parts = path.split('/').filter((part) => part !== '');
  return path.endsWith('/') && parts.length > 0 ? [...parts, '.'] : parts;
}

// In UTF-8 at most three times as many bytes: a name of 255, which the long way judges, is longer.
const PLAIN_MAX = 85;

// <linux/limits.h>
const PATH_BYTES_MAX = 4096;
const NAME_BYTES_MAX = 255;
const LINKS_MAX = 40;
