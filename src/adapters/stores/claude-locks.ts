/**
 * Where Claude Code's two locks lie: one in the folder of its credentials, one beside that folder.
 *
 * Rule: a lock that the tool cannot see excludes nobody, so freshd writes only where both are on the store's own mount.
 */
import { readFile, realpath, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { PortError } from '../../daemon/ports.ts';
import { isAbsence, portErrorFrom } from '../port-error.ts';
import type { ToolLocksOptions } from './tool-locks.ts';

/** @param path of its credentials, as configured */
export function claudeLockPlaces(path: string): ToolLocksOptions['places'] {
  return async (use) => {
    const folder = dirname(path);
    try {
      const real = await realpath(folder);
      if (use === 'take') await refuseUnlessShared(real, path);
      return [join(folder, '.oauth_refresh.lock'), `${real}.lock`];
    } catch (error) {
      if (error instanceof PortError) throw error;
      throw portErrorFrom(error, { path: folder, doing: 'lock' });
    }
  };
}

async function refuseUnlessShared(folder: string, path: string): Promise<void> {
  const [inside, outside] = await Promise.all([stat(folder), stat(dirname(folder))]);
  if (inside.dev !== outside.dev) throw unusable(`${folder} is mounted by itself`);
  // A folder of the same file system can be mounted too, and a single file.
  const mounts = await mountPoints();
  const mounted = [folder, path].find((place) => mounts.has(place));
  if (mounted !== undefined) throw unusable(`${mounted} is mounted by itself`);
}

async function mountPoints(): Promise<ReadonlySet<string>> {
  const points = (await mountTable()).split('\n').map((line) => line.split(' ')[4] ?? '');
  return new Set(
    points.map((point) => point.replace(/\\(\d{3})/g, (_, octal) => String.fromCharCode(parseInt(octal, 8)))),
  );
}

/** Only Linux has it; elsewhere the comparison of devices has to do. */
async function mountTable(): Promise<string> {
  try {
    return await readFile(MOUNT_TABLE, 'utf8');
  } catch (error) {
    if (!isAbsence(error)) throw portErrorFrom(error, { path: MOUNT_TABLE, doing: 'read' });
    return '';
  }
}

const MOUNT_TABLE = '/proc/self/mountinfo';

function unusable(seen: string): PortError {
  const remedy =
    'run freshd where Claude Code runs, or let the tool refresh itself: a refresh script with "result": "store"';
  return new PortError(`the locks of Claude Code would exclude nobody: ${seen}; ${remedy}`, {
    code: 'lock_place_unusable',
    remedy,
  });
}
