/**
 * `node:fs/promises` as it is, but for calls on paths that are said to fail, as a disk or a mount does: for `vi.mock`.
 *
 * Rule: everything else goes to the real disk.
 */
import { createRequire } from 'node:module';
import { constants } from 'node:os';

type RealFs = typeof import('node:fs/promises');
type Call = (...parameters: never[]) => Promise<unknown>;

// Past the exchange of the module that is made with this.
const real: RealFs = createRequire(import.meta.url)('node:fs/promises');

/** By call and path (`stat /srv/x`); the name of the system's error. */
export const faults = new Map<string, keyof typeof constants.errno>();

function failing<K extends 'stat' | 'lstat' | 'realpath' | 'readlink' | 'readFile'>(name: K): RealFs[K] {
  const call = async (path: unknown, ...others: never[]): Promise<unknown> => {
    const errno = faults.get(`${name} ${String(path)}`);
    if (errno === undefined) return (real[name] as Call)(path as never, ...others);
    throw Object.assign(new Error(`${errno}, ${name}`), { code: errno, errno: -constants.errno[errno] });
  };
  return call as unknown as RealFs[K];
}

export const stat = failing('stat');
export const lstat = failing('lstat');
export const realpath = failing('realpath');
export const readlink = failing('readlink');
export const readFile = failing('readFile');

export const { access, chmod, link, mkdir, mkdtemp, open, readdir, rename, rm, rmdir, statfs, symlink, writeFile } =
  real;
