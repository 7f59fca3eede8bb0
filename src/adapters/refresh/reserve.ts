/**
 * Reserves disk space for what a script will print: an answer that finds no room is a rotated refresh token lost.
 *
 * Rule: what cannot be reserved is not refused; only a disk that says it is full is.
 */
import { execa } from 'execa';
import { portErrorFrom } from '../port-error.ts';

/** A token response with a large id token and large scopes still fits. */
const RESERVED_BYTES = 64 * 1024;

/**
 * Asks the file system for blocks behind the end of an empty file, without changing its size. Where the file system or the
 * machine cannot do that (macOS has no `fallocate`), nothing is reserved and nothing is refused.
 * @param environment the child's: the program is found on its PATH
 * @throws PortError `disk_full` when there is no room, so that nothing is sent
 */
export async function reserveSpace(path: string, environment: Readonly<Record<string, string>>): Promise<void> {
  const { failed, stderr } = await execa('fallocate', ['--keep-size', '--length', String(RESERVED_BYTES), path], {
    env: { PATH: environment.PATH ?? '', LC_ALL: 'C' },
    extendEnv: false,
    reject: false,
    stdin: 'ignore',
  });
  if (failed && stderr?.includes('No space left')) {
    const error = Object.assign(new Error('no space left for the answer'), { code: 'ENOSPC' });
    throw portErrorFrom(error, { path, doing: 'reserve space for the output of a script in' });
  }
}
