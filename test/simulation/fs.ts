/**
 * Stands in the place of node:fs in a simulated freshd: everything happens on the disk in use.
 *
 * Rule: only names and the way to the disk; what each does is in disk-sync.ts. What a library imports and no simulated
 * daemon uses is here by name, and says so when it is called after all.
 */
import { currentDisk } from './disk-current.ts';
import type { Program } from './disk-program.ts';

export { constants } from './disk-constants.ts';
export { useDisk } from './disk-current.ts';

export const closeSync = on('sync', 'closeSync');
export const existsSync = on('sync', 'existsSync');
export const fstatSync = on('sync', 'fstatSync');
export const lstatSync = on('sync', 'lstatSync');
export const mkdirSync = on('sync', 'mkdirSync');
export const openSync = on('sync', 'openSync');
export const readFileSync = on('sync', 'readFileSync');
export const readdirSync = on('sync', 'readdirSync');
export const rmSync = on('sync', 'rmSync');
export const rmdirSync = on('sync', 'rmdirSync');
export const statSync = on('sync', 'statSync');
export const watch = on('sync', 'watch');
export const writeSync = on('sync', 'writeSync');

export const mkdir = on('callbacks', 'mkdir');
export const rmdir = on('callbacks', 'rmdir');
export const stat = on('callbacks', 'stat');
export const utimes = on('callbacks', 'utimes');

/** Nothing is watched by looking: `reloadOnChange` is off in a simulation. */
export const watchFile = missing('watchFile');
export function unwatchFile(): void {
  // There is never a watch to end.
}

export const appendFileSync = missing('appendFileSync');
export const createReadStream = missing('createReadStream');
export const createWriteStream = missing('createWriteStream');
export const writeFileSync = missing('writeFileSync');

function on<Group extends 'sync' | 'callbacks', Name extends keyof Program[Group]>(
  group: Group,
  name: Name,
): Program[Group][Name] {
  const call = (...args: unknown[]): unknown =>
    (currentDisk()[group][name] as (...args: unknown[]) => unknown)(...args);
  return call as Program[Group][Name];
}

function missing(name: string): () => never {
  return () => {
    throw new Error(`the simulated disk has no ${name}: nothing in a simulated daemon was to use it`);
  };
}
