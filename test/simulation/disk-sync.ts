/**
 * The functions of node:fs on the simulated disk, for one process: those that wait, those with callbacks, and watches.
 *
 * Rule: what waits happens at once and is not scheduled; what takes a callback is.
 */
import { dirname } from 'node:path';
import { readdirCall, rmdirCall, statCall, unlinkCall } from './disk-calls.ts';
import { flagsOf } from './disk-constants.ts';
import { fstatCall, readCall, writeCall } from './disk-descriptor.ts';
import { decoded, type Encoding } from './disk-handle.ts';
import type { DiskProcess } from './disk-process.ts';
import {
  isDirectory,
  isMissing,
  type ListOptions,
  listed,
  mkdirCall,
  promisesOf,
  type StatOptions,
} from './disk-promises.ts';
import { statsOf } from './disk-stats.ts';

type Callback<T> = (error: NodeJS.ErrnoException | null, result: T) => void;
type Done = (error: NodeJS.ErrnoException | null) => void;

export type DiskSync = ReturnType<typeof syncOf>;

export function syncOf(process: DiskProcess) {
  const { tree } = process;
  const now = process.callNow.bind(process);
  const look = (path: string, follow: boolean, options?: StatOptions) => {
    try {
      return statsOf(now(statCall(tree, path, { follow })), options);
    } catch (error) {
      if (options?.throwIfNoEntry === false && isMissing(error)) return undefined;
      throw error;
    }
  };
  const openSync = (path: string, flags?: string | number, mode = 0o666) =>
    now(process.open(path, { flags: flagsOf(flags), mode }));
  const statSync = (path: string, options?: StatOptions) => look(path, true, options);

  return {
    openSync,
    closeSync: (descriptor: number) => now(process.close(descriptor)),
    readFileSync: (path: string, options?: Encoding) => {
      const descriptor = openSync(path);
      try {
        const file = process.file(descriptor, 'read');
        const bytes = Buffer.alloc(Math.max(file.inode.content.size, 1));
        return decoded(bytes.subarray(0, now(readCall(file, bytes, 0))), options);
      } finally {
        now(process.close(descriptor));
      }
    },
    writeSync: (descriptor: number, data: string | Uint8Array) => {
      const bytes = typeof data === 'string' ? Buffer.from(data) : data;
      if (!STANDARD.has(descriptor)) return now(writeCall(tree, process.file(descriptor, 'write'), bytes, null));
      process.rules.standardOutput(descriptor, Buffer.from(bytes).toString('utf8'));
      return bytes.length;
    },
    fstatSync: (descriptor: number, options?: StatOptions) =>
      STANDARD.has(descriptor) ? NO_FILE : statsOf(now(fstatCall(process.file(descriptor, 'fstat'))), options),
    statSync,
    lstatSync: (path: string, options?: StatOptions) => look(path, false, options),
    existsSync: (path: string) => {
      try {
        return statSync(path, { throwIfNoEntry: false }) !== undefined;
      } catch (error) {
        if (error instanceof Error && 'syscall' in error) return false;
        throw error;
      }
    },
    readdirSync: (path: string, options?: ListOptions) => listed(path, now(readdirCall(tree, path)), options),
    mkdirSync: (path: string, options?: { readonly mode?: number; readonly recursive?: boolean }) => {
      const { mode = 0o777, recursive = false } = options ?? {};
      if (recursive) makeAll(path, (each) => now(mkdirCall(tree, each, mode)));
      else now(mkdirCall(tree, path, mode));
    },
    rmdirSync: (path: string) => now(rmdirCall(tree, path)),
    rmSync: (path: string, options?: { readonly force?: boolean }) => {
      try {
        if (now(statCall(tree, path, { follow: false })).kind === 'directory') throw isDirectory(path);
        now(unlinkCall(tree, path));
      } catch (error) {
        if (!(options?.force === true && isMissing(error))) throw error;
      }
    },
    watch: (path: string) => process.watch(path),
  };

  function makeAll(path: string, make: (path: string) => void): void {
    try {
      make(path);
    } catch (error) {
      if (isMissing(error) && dirname(path) !== path) {
        makeAll(dirname(path), make);
        makeAll(path, make);
      } else if (!isFolder(path)) throw error;
    }
  }

  function isFolder(path: string): boolean {
    try {
      return now(statCall(tree, path, { follow: true })).kind === 'directory';
    } catch (error) {
      if (error instanceof Error && 'code' in error) return false;
      throw error;
    }
  }
}

export type DiskCallbacks = ReturnType<typeof callbacksOf>;

export function callbacksOf(process: DiskProcess) {
  const promises = promisesOf(process);
  const tell = <T>(promise: Promise<T>, done: Callback<T>): void =>
    void promise.then(
      (result) => done(null, result),
      (error: NodeJS.ErrnoException) => (done as Done)(error),
    );
  type Stat = Awaited<ReturnType<typeof promises.stat>>;
  return {
    stat: (path: string, ...rest: [Callback<Stat>] | [StatOptions, Callback<Stat>]) =>
      rest.length === 1 ? tell(promises.stat(path), rest[0]) : tell(promises.stat(path, rest[0]), rest[1]),
    mkdir: (path: string, done: Done) => tell(promises.mkdir(path), done),
    rmdir: (path: string, done: Done) => tell(promises.rmdir(path), done),
    utimes: (path: string, accessed: number | Date, modified: number | Date, done: Done) =>
      tell(promises.utimes(path, accessed, modified), done),
  };
}

const STANDARD: ReadonlySet<number> = new Set([1, 2]);

/** Standard output leads to a file that nobody looks at: it never blocks. */
const NO_FILE = {
  isFile: () => true,
  isDirectory: () => false,
  isFIFO: () => false,
  isSocket: () => false,
  isCharacterDevice: () => false,
};
