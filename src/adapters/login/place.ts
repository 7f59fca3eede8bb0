/**
 * The place of a store, made ready for the grant that a person is about to get.
 *
 * Rule: a directory is made only here, where a person asked for it: the daemon would make it in place of a disk that is not
 * mounted. An existing one is left as it is.
 */
import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { dirname } from 'node:path';
import { portErrorFrom } from '../port-error.ts';
import { makeDirectories } from '../private-directory.ts';
import { realPathOf } from '../stores/store-lock.ts';

/** @throws PortError when nothing could be written there */
export async function preparePlace(path: string): Promise<void> {
  const directory = dirname(await realPathOf(path));
  try {
    await makeDirectories(directory, 0o700);
    await access(directory, constants.W_OK | constants.X_OK);
  } catch (error) {
    throw portErrorFrom(error, { path: directory, doing: 'write into' });
  }
}
