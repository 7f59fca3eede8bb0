/**
 * The file that an env publication edits: which one it really is, and its text.
 *
 * Rule: only a plain file of UTF-8 is read; anything else is refused by name, and nothing here blocks on what it finds.
 */
import { constants } from 'node:fs';
import { open, realpath } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { PortError } from '../../daemon/ports.ts';
import { errnoOf, portErrorFrom } from '../port-error.ts';

export interface EnvTarget {
  readonly path: string;
  readonly followSymlink: boolean;
}

/**
 * The path that writers of the same file agree on. A link at its end stays one, to be refused later, unless it may be followed.
 * @throws PortError `directory_missing`, …
 */
export async function realFile({ path, followSymlink }: EnvTarget): Promise<string> {
  if (followSymlink) {
    try {
      return await realpath(path);
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT') throw portErrorFrom(error, { path, doing: 'resolve' });
    }
  }
  try {
    return join(await realpath(dirname(path)), basename(path));
  } catch (error) {
    throw portErrorFrom(error, { path: dirname(path), doing: 'find' });
  }
}

/**
 * @returns null when there is no file
 * @throws PortError `symlink_refused`, `not_a_regular_file`, `file_too_large`, `not_utf8`, …
 */
export async function readText(file: string): Promise<string | null> {
  try {
    // O_NONBLOCK: a FIFO must be refused, not waited for.
    const handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      const stats = await handle.stat();
      if (!stats.isFile()) throw refusal(file, 'not_a_regular_file', 'something else', 'name a file');
      if (stats.size > BYTES_MAX) {
        throw refusal(file, 'file_too_large', `${stats.size} bytes`, `keep it below ${BYTES_MAX} bytes`);
      }
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(await handle.readFile());
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return null;
    // Bytes that are no text could not be written back as they were.
    if (errnoOf(error) === 'ERR_ENCODING_INVALID_ENCODED_DATA') {
      throw refusal(file, 'not_utf8', 'bytes that are no UTF-8', 'save it as UTF-8');
    }
    throw portErrorFrom(error, { path: file, doing: 'read' });
  }
}

function refusal(file: string, code: string, seen: string, remedy: string): PortError {
  return new PortError(`cannot edit ${file}: expected a text file, found ${seen}; ${remedy}`, { code, remedy });
}

// Far above any env file; a limit on what one target can make this process read.
const BYTES_MAX = 1_048_576;
