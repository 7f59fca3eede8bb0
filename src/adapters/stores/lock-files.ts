/**
 * Single lock directories by proper-lockfile: taken, kept alive, given back; only ever what is still ours.
 *
 * Rule: a lock that is there is held. proper-lockfile would remove one that looks old by the wall clock; it is let remove
 * only what we made ourselves and what is still ours.
 */
import * as fs from 'node:fs';
import { rmdir, stat } from 'node:fs/promises';
import { PortError } from '../../daemon/ports.ts';
import { errnoOf, portErrorFrom } from '../port-error.ts';

export interface LockFiles {
  /** @returns false when somebody holds it. @throws PortError */
  take(path: string): Promise<boolean>;
  isOurs(path: string): Promise<boolean>;
  /** Harmless when it is ours no more. */
  release(path: string): Promise<void>;
  /** Changes with each heartbeat of its holder; null: there is no such lock. @throws PortError */
  signatureOf(path: string): Promise<string | null>;
  /** Removes an orphan, if it is still the one with that signature. @throws PortError */
  remove(path: string, signature: string): Promise<boolean>;
}

interface OurLock {
  readonly inode: bigint;
  /** Our last heartbeat and the one before, in ms: one of them is on disk while the newer one is being written. */
  readonly beats: number[];
  readonly release: () => Promise<void>;
}

export function createLockFiles(): LockFiles {
  const ours = new Map<string, OurLock>();
  /** Just made, and not yet known to be held: given back if proper-lockfile cannot go on. */
  const made = new Set<string>();
  const isOurs = async (path: string): Promise<boolean> => isSame(ours.get(path), await statOrNull(path));
  const lockFs = createLockFs({
    onMade: (path) => made.add(path),
    onBeat: (path, beat) => noteBeat(ours.get(path), beat),
    mayRemove: async (path) => made.has(path) || (await isOurs(path)),
    isOursNow: (path) => isSame(ours.get(path), fs.statSync(path, { bigint: true, throwIfNoEntry: false }) ?? null),
  });

  return {
    isOurs,
    signatureOf: async (path) => signatureOf(await statOrNull(path)),
    take: async (path) => {
      // Only who needs it pays for it: it watches the process's signals to remove its locks at exit.
      const { default: lockfile } = await import('proper-lockfile');
      try {
        const onCompromised = () => ours.delete(path);
        const settings = { stale: STALE_MS, update: UPDATE_MS, realpath: false, lockfilePath: path, fs: lockFs };
        const release = await lockfile.lock(path, { ...settings, onCompromised });
        const found = await statOrNull(path);
        if (found === null) {
          // Gone before we held it: what comes there next is not ours.
          made.delete(path);
          await release();
          return false;
        }
        ours.set(path, { inode: found.ino, beats: [Number(found.mtimeMs)], release });
        return true;
      } catch (error) {
        if (errnoOf(error) === 'ELOCKED') return false;
        throw lockTrouble(error, path);
      } finally {
        made.delete(path);
      }
    },
    release: async (path) => {
      const lock = ours.get(path);
      try {
        await lock?.release();
      } catch (error) {
        if (!LOST_CODES.has(errnoOf(error) ?? '')) throw lockTrouble(error, path);
      } finally {
        ours.delete(path);
      }
    },
    remove: async (path, signature) => {
      try {
        // As close together as a file system lets them be.
        if (signatureOf(await statOrNull(path)) !== signature) return false;
        await rmdir(path);
        return true;
      } catch (error) {
        if (errnoOf(error) === 'ENOENT') return true;
        throw lockTrouble(error, path);
      }
    },
  };
}

type Done = (error: NodeJS.ErrnoException | null) => void;

/** The few calls that proper-lockfile makes, with our rule in them. */
function createLockFs(rules: {
  readonly onMade: (path: string) => void;
  readonly onBeat: (path: string, beatMs: number) => void;
  readonly mayRemove: (path: string) => Promise<boolean>;
  readonly isOursNow: (path: string) => boolean;
}) {
  return {
    stat: fs.stat,
    mkdir: (path: string, done: Done) =>
      fs.mkdir(path, (error) => {
        if (error === null) rules.onMade(path);
        done(error);
      }),
    utimes: (path: string, accessed: fs.TimeLike, modified: fs.TimeLike, done: Done) => {
      rules.onBeat(path, Number(modified));
      fs.utimes(path, accessed, modified, done);
    },
    rmdir: (path: string, done: Done) =>
      void rules.mayRemove(path).then(
        (mayRemove) => (mayRemove ? fs.rmdir(path, done) : done(null)),
        (error: NodeJS.ErrnoException) => done(error),
      ),
    rmdirSync: (path: string) => {
      if (rules.isOursNow(path)) fs.rmdirSync(path);
    },
  };
}

function noteBeat(lock: OurLock | undefined, beatMs: number): void {
  lock?.beats.push(beatMs);
  if (lock !== undefined && lock.beats.length > 2) lock.beats.shift();
}

function isSame(lock: OurLock | undefined, found: fs.BigIntStats | null): boolean {
  if (lock === undefined || found?.ino !== lock.inode) return false;
  const { mtimeMs } = found;
  return lock.beats.some((beat) => Math.abs(beat - Number(mtimeMs)) <= ROUNDING_MS);
}

function signatureOf(found: fs.BigIntStats | null): string | null {
  return found === null ? null : `${found.ino}:${found.mtimeNs}`;
}

/** @throws PortError for anything but absence */
async function statOrNull(path: string): Promise<fs.BigIntStats | null> {
  try {
    return await stat(path, { bigint: true });
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return null;
    throw lockTrouble(error, path);
  }
}

function lockTrouble(error: unknown, path: string): PortError {
  const errno = errnoOf(error) ?? '';
  const remedy = UNUSABLE[errno];
  if (remedy === undefined) return portErrorFrom(error, { path, doing: 'lock' });
  return new PortError(`cannot make the lock ${path} of the tool that owns the store: ${errno}; ${remedy}`, {
    code: 'lock_place_unusable',
    remedy,
    cause: error,
  });
}

const AS_THE_TOOL =
  'run freshd as the user of that tool, with its folder writable, or let a script make the tool refresh';

/** What keeps a lock from being made where the tool would see it, by the system's name of the error. */
const UNUSABLE: Readonly<Record<string, string>> = {
  EACCES: AS_THE_TOOL,
  EPERM: AS_THE_TOOL,
  EROFS: AS_THE_TOOL,
  ENOTDIR: 'remove what stands there; the lock of the tool is a directory',
};

// The settings of the tool: others judge our locks by them.
const STALE_MS = 60_000;
const UPDATE_MS = 5_000;

// A time goes to the file system as seconds with a fraction, and comes back cut off.
const ROUNDING_MS = 1;

/** It was taken from us meanwhile, which whoever commits asks before. */
const LOST_CODES: ReadonlySet<string> = new Set(['ERELEASED', 'ENOTACQUIRED']);
