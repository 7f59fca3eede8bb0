/**
 * Stands in the place of node:fs/promises in a simulated freshd: everything happens on the disk in use.
 *
 * Rule: only names and the way to the disk; what each does is in disk-promises.ts.
 */
import { currentDisk } from './disk-current.ts';
import type { DiskPromises } from './disk-promises.ts';

export { useDisk } from './disk-current.ts';
export type { DiskHandle as FileHandle } from './disk-handle.ts';

export const access = on('access');
export const chmod = on('chmod');
export const link = on('link');
export const lstat = on('lstat');
export const mkdir = on('mkdir');
export const open = on('open');
export const readFile = on('readFile');
export const readdir = on('readdir');
export const readlink = on('readlink');
export const realpath = on('realpath');
export const rename = on('rename');
export const rm = on('rm');
export const rmdir = on('rmdir');
export const stat = on('stat');
export const statfs = on('statfs');
export const symlink = on('symlink');
export const unlink = on('unlink');
export const utimes = on('utimes');
export const writeFile = on('writeFile');

function on<Name extends keyof DiskPromises>(name: Name): DiskPromises[Name] {
  const call = (...args: unknown[]): unknown =>
    (currentDisk().promises[name] as (...args: unknown[]) => unknown)(...args);
  return call as DiskPromises[Name];
}
