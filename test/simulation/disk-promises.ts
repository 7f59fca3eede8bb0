/**
 * The functions of node:fs/promises on the simulated disk, for one process.
 *
 * Rule: arguments, results and errors as Node has them; what freshd does not use is not here.
 */
import {
  accessCall,
  attributesCall,
  linkCall,
  makeCall,
  readdirCall,
  readlinkCall,
  realpathCall,
  renameCall,
  rmdirCall,
  statCall,
  symlinkCall,
  unlinkCall,
} from './disk-calls.ts';
import { flagsOf } from './disk-constants.ts';
import { BLOCK_BYTES } from './disk-content.ts';
import { systemError } from './disk-error.ts';
import { DiskHandle, type Encoding } from './disk-handle.ts';
import type { Call } from './disk-operation.ts';
import { findExisting } from './disk-path.ts';
import type { DiskProcess } from './disk-process.ts';
import { DiskEntry, statsOf } from './disk-stats.ts';
import type { Tree } from './disk-tree.ts';

export type StatOptions = { readonly bigint?: boolean; readonly throwIfNoEntry?: boolean };
type MakeOptions = number | { readonly mode?: number; readonly recursive?: boolean } | null;
type RemoveOptions = { readonly force?: boolean; readonly recursive?: boolean };
export type ListOptions = { readonly withFileTypes?: boolean } | BufferEncoding | null;
type WriteOptions = { readonly mode?: number; readonly flag?: string } | BufferEncoding | null;

export type DiskPromises = ReturnType<typeof promisesOf>;

export function promisesOf(process: DiskProcess) {
  const { tree } = process;
  const open = async (path: string, flags?: string | number, mode = 0o666): Promise<DiskHandle> =>
    new DiskHandle(process, await process.call(process.open(path, { flags: flagsOf(flags), mode })));
  const using = async <T>(
    path: string,
    how: [string, number?],
    use: (handle: DiskHandle) => Promise<T>,
  ): Promise<T> => {
    const handle = await open(path, ...how);
    try {
      return await use(handle);
    } finally {
      await handle.close();
    }
  };

  return {
    open,
    readFile: (path: string, options?: Encoding) => using(path, ['r'], (handle) => handle.readFile(options)),
    writeFile: (path: string, data: string | Uint8Array, options?: WriteOptions) => {
      const { mode = 0o666, flag = 'w' } = typeof options === 'object' ? (options ?? {}) : {};
      return using(path, [flag, mode], (handle) => handle.writeFile(data));
    },
    stat: async (path: string, options?: StatOptions) =>
      statsOf(await process.call(statCall(tree, path, { follow: true })), options),
    lstat: async (path: string, options?: StatOptions) =>
      statsOf(await process.call(statCall(tree, path, { follow: false })), options),
    access: (path: string, mode = 0) => process.call(accessCall(tree, path, mode)),
    readlink: (path: string) => process.call(readlinkCall(tree, path)),
    realpath: (path: string) => process.call(realpathCall(tree, path)),
    readdir: async (path: string, options?: ListOptions) =>
      listed(path, await process.call(readdirCall(tree, path)), options),
    mkdir: (path: string, options?: MakeOptions) => process.call(mkdirCall(tree, path, options)),
    rmdir: (path: string) => process.call(rmdirCall(tree, path)),
    unlink: (path: string) => process.call(unlinkCall(tree, path)),
    rm: async (path: string, options: RemoveOptions = {}) => {
      try {
        const found = await process.call(statCall(tree, path, { follow: false }));
        if (options.recursive === true) throw new Error('the simulated disk removes one file at a time');
        if (found.kind === 'directory') throw isDirectory(path);
        await process.call(unlinkCall(tree, path));
      } catch (error) {
        if (!(options.force === true && isMissing(error))) throw error;
      }
    },
    rename: (from: string, to: string) => process.call(renameCall(tree, from, to)),
    link: (from: string, to: string) => process.call(linkCall(tree, from, to)),
    symlink: (target: string, path: string) => process.call(symlinkCall(tree, target, path)),
    chmod: (path: string, mode: number) =>
      process.call(attributesCall(tree, path, { syscall: 'chmod', change: { mode: mode & 0o7777 } })),
    utimes: (path: string, accessed: number | Date, modified: number | Date) =>
      process.call(utimesCall(tree, path, { accessed, modified })),
    statfs: async (path: string) => process.call(statfsCall(process, path)),
  };
}

export function mkdirCall(tree: Tree, path: string, options?: MakeOptions): Call<void> {
  const { mode = 0o777, recursive = false } = typeof options === 'number' ? { mode: options } : (options ?? {});
  if (recursive) throw new Error('the simulated disk makes one directory at a time');
  return makeCall(tree, path, { kind: 'directory', mode });
}

export function listed(
  path: string,
  entries: ReturnType<ReturnType<typeof readdirCall>['perform']>,
  options?: ListOptions,
) {
  const withTypes = typeof options === 'object' && options?.withFileTypes === true;
  return entries.map(({ name, kind }) => (withTypes ? new DiskEntry(name, kind, path) : name));
}

/** Seconds, as Node takes them: cut off to microseconds on their way. */
function utimesCall(
  tree: Tree,
  path: string,
  { accessed, modified }: { readonly accessed: number | Date; readonly modified: number | Date },
): Call<void> {
  const change = { atimeNs: nanoseconds(accessed), mtimeNs: nanoseconds(modified) };
  return attributesCall(tree, path, { syscall: 'utime', change });
}

function nanoseconds(time: number | Date): bigint {
  const seconds = typeof time === 'number' ? time : time.getTime() / 1000;
  return BigInt(Math.floor(seconds * 1e6)) * 1000n;
}

function statfsCall(process: DiskProcess, path: string): Call<Record<string, number>> {
  return {
    syscall: 'statfs',
    path,
    perform: () => {
      findExisting(process.tree, path, { follow: true });
      const { freeBlocks, freeInodes } = process.rules.space();
      const blocks = { bsize: BLOCK_BYTES, blocks: BLOCKS, bfree: freeBlocks, bavail: freeBlocks };
      return { ...blocks, files: INODES, ffree: freeInodes };
    },
  };
}

export function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}

/** Node's own refusal, before any system call. */
export function isDirectory(path: string): Error {
  const error = systemError('EISDIR', { syscall: 'rm', path });
  return Object.assign(error, { code: 'ERR_FS_EISDIR', message: `Path is a directory: rm returned EISDIR ${path}` });
}

const BLOCKS = 10_000_000;
const INODES = 2_000_000;
