/**
 * Directories of our own (state, runtime, journal): made for nobody but us, or refused.
 *
 * Rule: an existing directory is judged, never changed; whoever may write it could exchange the files in it.
 */
import { mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { PortError } from '../daemon/ports.ts';
import { errnoOf, isAbsence, portErrorFrom } from './port-error.ts';

/**
 * Creates the directory (and its parents) with mode 0700 where it is missing.
 * @throws PortError `directory_not_private` when group or others may write it, `foreign_owner` when it is somebody else's,
 *   `not_a_directory`, or one of `portErrorFrom`
 */
export async function ensurePrivateDirectory(path: string): Promise<void> {
  try {
    await makeDirectories(path, 0o700);
    const found = await stat(path);
    // Windows has no owner ids and reports modes that mean nothing.
    const ourUid = process.geteuid?.();
    if (ourUid === undefined) return;
    if (found.uid !== ourUid) {
      throw refusal('foreign_owner', {
        seen: `${path} belongs to uid ${found.uid}, and this is uid ${ourUid}`,
        remedy: `run freshd as its owner, or name another directory, or \`chown ${ourUid} ${path}\``,
      });
    }
    if ((found.mode & 0o022) !== 0) {
      throw refusal('directory_not_private', {
        seen: `others may write ${path} (mode 0${(found.mode & 0o7777).toString(8)})`,
        remedy: `\`chmod go-w ${path}\`, after a look at what is in it`,
      });
    }
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') {
      throw refusal('not_a_directory', { seen: `${path} is no directory`, remedy: 'remove it, or name another one' });
    }
    throw portErrorFrom(error, { path, doing: 'use the directory' });
  }
}

/**
 * Makes the directory, and its parents, where they are missing. Not by `recursive: true`: where the parent is there and
 * still nothing can be made in it (`/proc`), Node's own way goes round for ever.
 * @throws the system's error; `EEXIST` where something else stands in the way
 */
export async function makeDirectories(path: string, mode: number): Promise<void> {
  try {
    await mkdir(path, { mode });
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' && dirname(path) !== path) {
      await makeDirectories(dirname(path), mode);
      await mkdirOnce(path, mode);
    } else if (!(await isDirectory(path))) throw error;
  }
}

/** Somebody else may have made it meanwhile. */
async function mkdirOnce(path: string, mode: number): Promise<void> {
  try {
    await mkdir(path, { mode });
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST' || !(await isDirectory(path))) throw error;
  }
}

async function isDirectory(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (error) {
    if (!isAbsence(error)) throw error;
    return false;
  }
}

function refusal(code: string, { seen, remedy }: { seen: string; remedy: string }): PortError {
  return new PortError(`expected a directory that only we may write: ${seen}; ${remedy}`, { code, remedy });
}
