/**
 * Publishes a token as a file that holds only the token: `cat` is the fastest reader there is.
 *
 * Rule: no line ending behind it, so that `$(cat FILE)`, `read`, and programs that send the whole file all get the token; and
 * never readable by others. The file is freshd's own: whatever stands there is replaced.
 */
import { chmod, lstat, readFile, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { LogPort, PublisherPort } from '../../daemon/ports.ts';
import { syncDirectory, writeFileAtomic } from '../atomic-file.ts';
import { errnoOf, portErrorFrom } from '../port-error.ts';
import { makeDirectories } from '../private-directory.ts';
import { sweepBesideOnce, syncOnce } from './shared-files.ts';

/** @param options `path`: absolute; its directory is made, 0700, when it is missing (a runtime directory can be cleaned) */
export function createTokenFilePublisher({ path }: { readonly path: string }): PublisherPort {
  const directory = dirname(path);
  return {
    id: `tokenFile:${path}`,
    file: path,
    async publish({ token }) {
      try {
        await makeDirectories(directory, 0o700);
        await sweepBesideOnce(path);
        if (await holdsAlready(path, token.accessToken)) {
          await syncOnce(path);
          return;
        }
      } catch (error) {
        throw portErrorFrom(error, { path, doing: 'write' });
      }
      await writeFileAtomic(path, token.accessToken, { modeWhenCreated: 0o600, keepOwner: false });
    },
    async withdraw() {
      try {
        await rm(path, { force: true });
        await syncDirectory(directory);
      } catch (error) {
        if (errnoOf(error) === 'ENOENT') return;
        throw portErrorFrom(error, { path, doing: 'remove' });
      }
    },
  };
}

/** Removes files of ours that must not be there any more. Never throws: one that stays is said in the log, with what to do. */
export async function removeTokenFiles(paths: readonly string[], log: LogPort['write']): Promise<void> {
  for (const path of paths) {
    await rm(path, { force: true }).catch((error: unknown) =>
      log('error', 'token_file_left', { path, code: errnoOf(error) ?? null, remedy: `rm ${path}` }),
    );
  }
}

/** Also closes a file of ours that somebody opened to others: the write keeps the mode that it finds. */
async function holdsAlready(path: string, accessToken: string): Promise<boolean> {
  try {
    const stats = await lstat(path);
    if (!stats.isFile()) return false;
    if ((stats.mode & 0o777) !== 0o600) await chmod(path, 0o600);
    return (await readFile(path, 'utf8')) === accessToken;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return false;
    throw error;
  }
}
