/**
 * Durable writes of whole files: after a crash or a full disk a reader finds the old content or the new one, never a mix.
 *
 * Rule: every failure leaves the old file whole and no temp behind, and is a PortError with a code of its own.
 */
import { constants, type Stats } from 'node:fs';
import { type FileHandle, link, lstat, open, realpath, rename, rm, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { PortError } from '../daemon/ports.ts';
import { errnoOf, portErrorFrom } from './port-error.ts';
import { claimTempPath, releaseTempPath, removeLeftTemps, removeTemp } from './temp-path.ts';

// Who writes files atomically also has to sweep what a killed writer left.
export { sweepStaleTemps } from './temp-path.ts';

export interface AtomicWriteOptions {
  /** Mode of a new file, whatever the umask; an existing file keeps its own. */
  readonly modeWhenCreated: number;
  /** Write to what a symlink points to; without it a symlink is refused. */
  readonly followSymlink?: boolean;
  /** Asked right before the rename; false: somebody else wrote meanwhile, and the write is refused. */
  readonly unchanged?: () => Promise<boolean>;
  /** Owner and group of an existing file are kept (default), or the write is refused; false: it becomes ours. */
  readonly keepOwner?: boolean;
  /** False: not waited for until a disk has it; a power failure may then leave an empty file. */
  readonly durable?: boolean;
}

/**
 * Replaces the file at `path` by one that holds `data`: temp in the same directory, fsync, rename, fsync of the directory.
 * ACLs and extended attributes are not carried over.
 * @throws PortError `symlink_refused`, `not_a_regular_file`, `hard_link_refused`, `changed_meanwhile`, `bind_mounted`, or
 *   one of {@link portErrorFrom}
 */
export async function writeFileAtomic(
  path: string,
  data: string | Uint8Array,
  options: AtomicWriteOptions,
): Promise<void> {
  try {
    const { target, old } = await resolveTarget(path, options.followSymlink ?? false);
    if (old !== null) refuseUnlessPlainFile(target, old);
    const mode = old === null ? options.modeWhenCreated : old.mode & 0o7777;
    const owner = options.keepOwner === false ? null : old;
    const durable = options.durable ?? true;
    await withTemp(target, { data, mode, owner, durable }, async (temp) => {
      if (options.unchanged !== undefined && !(await options.unchanged())) throw changedMeanwhile(target);
      await rename(temp, target);
    });
    if (durable) await syncDirectory(dirname(target));
  } catch (error) {
    throw await explain(error, path);
  }
}

/**
 * Creates the file with its whole content, unless one is there: of several creators exactly one succeeds.
 * @returns whether it was this one
 * @throws PortError as {@link writeFileAtomic}
 */
export async function createFileOnce(
  path: string,
  data: string | Uint8Array,
  options: { readonly mode: number },
): Promise<boolean> {
  try {
    const created = await withTemp(path, { data, mode: options.mode, owner: null, durable: true }, async (temp) => {
      try {
        await link(temp, path);
        return true;
      } catch (error) {
        if (errnoOf(error) === 'EEXIST') return false;
        throw error;
      } finally {
        await rm(temp, { force: true });
      }
    });
    await syncDirectory(dirname(path));
    return created;
  } catch (error) {
    throw await explain(error, path);
  }
}

/**
 * Overwrites a file where it lies, for targets that cannot be renamed over (a bind-mounted file). A reader may see half of
 * it, and a crash may leave half of it; when the write fails, the old content is put back.
 * @throws PortError as {@link writeFileAtomic}
 */
export async function writeInPlace(path: string, data: string | Uint8Array): Promise<void> {
  try {
    // O_NONBLOCK: opening a FIFO must fail, not wait for somebody at its other end.
    const handle = await open(path, constants.O_RDWR | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      refuseUnlessPlainFile(path, await handle.stat());
      const old = await handle.readFile();
      await overwrite(handle, Buffer.from(data)).catch(async (error: unknown) => {
        await overwrite(handle, old);
        throw error;
      });
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw await explain(error, path);
  }
}

/** Makes a file durable that somebody else wrote, and its name; harmless where none is. @throws one of {@link portErrorFrom} */
export async function syncFile(path: string): Promise<void> {
  try {
    const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
    await syncDirectory(dirname(path));
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw portErrorFrom(error, { path, doing: 'sync' });
  }
}

/** Makes created, renamed and removed names durable. */
export async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await handle.sync();
  } catch (error) {
    // Some network and FUSE mounts cannot sync a directory; the file itself is synced, and more cannot be had there.
    if (!['EINVAL', 'ENOTSUP', 'ENOSYS'].includes(errnoOf(error) ?? '')) throw error;
  } finally {
    await handle.close();
  }
}

async function resolveTarget(path: string, followSymlink: boolean): Promise<{ target: string; old: Stats | null }> {
  const found = await statOrNull(path);
  if (found === null || !found.isSymbolicLink()) return { target: path, old: found };
  if (!followSymlink) {
    throw refusal('symlink_refused', path, 'a symbolic link', 'name the file it points to, or allow links for it');
  }
  try {
    const target = await realpath(path);
    return { target, old: await statOrNull(target) };
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
    throw refusal('symlink_refused', path, 'a link that points nowhere', 'create the file that it points to');
  }
}

function refuseUnlessPlainFile(path: string, stats: Stats): void {
  if (!stats.isFile()) throw refusal('not_a_regular_file', path, 'something else', 'name a file');
  if (stats.nlink > 1) {
    const remedy = 'copy it, so that it has one name; replacing it would leave the other names with the old content';
    throw refusal('hard_link_refused', path, `a file with ${stats.nlink} names`, remedy);
  }
}

function refusal(code: string, path: string, seen: string, remedy: string): PortError {
  return new PortError(`cannot write ${path}: expected a regular file, found ${seen}; ${remedy}`, { code, remedy });
}

function changedMeanwhile(path: string): PortError {
  const remedy = 'nothing to do: it is read again and the write repeated';
  return new PortError(`did not write ${path}: it changed since it was read; ${remedy}`, {
    code: 'changed_meanwhile',
    remedy,
  });
}

interface TempContent {
  readonly data: string | Uint8Array;
  readonly mode: number;
  /** Whose the file shall be; null: ours. */
  readonly owner: Stats | null;
  readonly durable: boolean;
}

/** Gives `commit` a complete temp beside `target`; whatever fails, the temp is removed. */
async function withTemp<T>(target: string, content: TempContent, commit: (temp: string) => Promise<T>): Promise<T> {
  const temp = claimTempPath(target);
  try {
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
    const handle = await open(temp, flags, 0o600);
    try {
      const ours = await handle.stat();
      const { owner } = content;
      if (owner !== null && (owner.uid !== ours.uid || owner.gid !== ours.gid)) {
        await handle.chown(owner.uid, owner.gid);
      }
      await handle.writeFile(content.data);
      // Only now as open as its target: a temp that a crash leaves half-written stays private.
      if ((ours.mode & 0o7777) !== content.mode) await handle.chmod(content.mode);
      if (content.durable) await handle.sync();
    } finally {
      await handle.close();
    }
    const result = await commit(temp);
    removeLeftTemps();
    return result;
  } catch (error) {
    await removeTemp(temp);
    throw error;
  } finally {
    releaseTempPath(temp);
  }
}

async function overwrite(handle: FileHandle, data: Uint8Array): Promise<void> {
  for (let written = 0; written < data.length; ) {
    written += (await handle.write(data, written, data.length - written, written)).bytesWritten;
  }
  await handle.truncate(data.length);
  await handle.sync();
}

/** What stands at `path`, a symbolic link not followed; null: nothing. */
export async function statOrNull(path: string): Promise<Stats | null> {
  try {
    return await lstat(path);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return null;
    throw error;
  }
}

/** The system says ENOSPC for two things that are cured differently. */
async function explain(error: unknown, path: string): Promise<PortError> {
  if (errnoOf(error) === 'ENOSPC') {
    const space = await statfs(dirname(path)).catch(() => null);
    if (space !== null && space.bavail > 0 && space.files > 0 && space.ffree === 0) {
      const remedy = 'remove files on that file system: it has space, but no inode is left';
      return new PortError(`cannot write ${path}: ${remedy}`, { code: 'out_of_inodes', remedy, cause: error });
    }
  }
  return portErrorFrom(error, { path, doing: 'write' });
}
