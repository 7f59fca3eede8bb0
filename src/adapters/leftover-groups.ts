/**
 * Process groups of hooks and alert commands under way: none of them outlives the daemon.
 *
 * Rule: a group is known here from its start until its leader has ended; what a finished program leaves running in the
 * background is its own business. Refresh scripts are not among them: the daemon waits for those.
 */
import { errnoOf } from './port-error.ts';

/**
 * @param leader of a process group of its own; undefined: it did not start
 * @returns to be called once the leader has ended
 */
export function endWithProcess(leader: number | undefined): () => void {
  if (leader === undefined) return () => undefined;
  if (groups.size === 0) process.on('exit', endAll);
  groups.add(leader);
  return () => {
    groups.delete(leader);
    if (groups.size === 0) process.off('exit', endAll);
  };
}

/** @returns whether the group has a member */
export function signalGroup(group: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(-group, signal);
    return true;
  } catch (error) {
    // EPERM: a member that took another user's rights; it is there, but not ours to end.
    if (errnoOf(error) === 'EPERM') return true;
    if (errnoOf(error) === 'ESRCH') return false;
    throw error;
  }
}

/** At the exit nothing else runs any more: waiting has to block. */
function endAll(): void {
  let living = [...groups].filter((group) => signalGroup(group, 'SIGTERM'));
  for (let waitedMs = 0; living.length > 0 && waitedMs < EXIT_GRACE_MS; waitedMs += EXIT_POLL_MS) {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, EXIT_POLL_MS);
    living = living.filter((group) => signalGroup(group, 0));
  }
  for (const group of living) signalGroup(group, 'SIGKILL');
}

const groups = new Set<number>();

// They had the whole stop to finish; this is for tidying up, and the service manager waits for us.
const EXIT_GRACE_MS = 300;
const EXIT_POLL_MS = 10;
