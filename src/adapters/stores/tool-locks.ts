/**
 * Locks of another tool, made as it makes them: directories, kept alive by their modification time (proper-lockfile).
 *
 * Rule: whether a lock is an orphan is never judged by the wall clock, which jumps; only by its time not having moved while
 * we watched it ourselves. All locks are held or none: whoever waits for the second one gives the first one back.
 */
import { setTimeout as wait } from 'node:timers/promises';
import { PortError, type Release } from '../../daemon/ports.ts';
import { createLockFiles, type LockFiles } from './lock-files.ts';

export interface ToolLocksOptions {
  /**
   * Directories, in the order in which they are taken.
   * @throws PortError when a lock there would exclude nobody
   */
  readonly places: (use: 'look' | 'take') => Promise<readonly string[]>;
  /** Milliseconds on a clock that never steps. */
  readonly monotonicMs: () => number;
  readonly onTakenOver: (path: string) => void;
  readonly pollMs?: number;
}

export interface ToolLocks {
  /** For a script that makes the tool itself refresh, and so needs the locks. @throws PortError `store_busy` */
  waitUntilFree(timeoutMs: number): Promise<void>;
  /** Takes them all. @throws PortError `store_busy`, `lock_place_unusable`, or one of `portErrorFrom` */
  take(timeoutMs: number): Promise<HeldToolLocks>;
  /** Was an orphan taken over since this was last asked? */
  wasOrphaned(): boolean;
}

export interface HeldToolLocks {
  /** False once one of them was removed or taken over, for example while this process stood still. */
  areOurs(): Promise<boolean>;
  readonly release: Release;
}

export function createToolLocks(options: ToolLocksOptions): ToolLocks {
  const { places, pollMs = POLL_MS } = options;
  const files = createLockFiles();
  const watch = createOrphanWatch(options, files);

  return {
    waitUntilFree: async (timeoutMs) => {
      for (let waitedMs = 0; ; waitedMs += pollMs) {
        const held = await firstHeld(await places('look'));
        if (held === null) return;
        if (waitedMs >= timeoutMs) throw busy(held, timeoutMs);
        await wait(pollMs);
      }
    },
    take: async (timeoutMs) => {
      for (let waitedMs = 0; ; waitedMs += pollMs) {
        const paths = await places('take');
        const taken = await takeAll(paths, files);
        if ('release' in taken) return taken;
        if ((await watch.look(taken.heldAt)) === 'free') continue;
        if (waitedMs >= timeoutMs) throw busy(taken.heldAt, timeoutMs);
        await wait(pollMs);
      }
    },
    wasOrphaned: () => watch.wasOrphaned(),
  };

  /** Looks at all of them, so that two orphans are watched at the same time. */
  async function firstHeld(paths: readonly string[]): Promise<string | null> {
    const looks = await Promise.all(paths.map(async (path) => ({ path, state: await watch.look(path) })));
    return looks.find(({ state }) => state === 'held')?.path ?? null;
  }
}

async function takeAll(
  paths: readonly string[],
  files: LockFiles,
): Promise<HeldToolLocks | { readonly heldAt: string }> {
  const taken: string[] = [];
  const release = async (): Promise<void> => {
    for (const path of taken.splice(0).reverse()) await files.release(path);
  };
  try {
    for (const path of paths) {
      if (await files.take(path)) taken.push(path);
      else {
        await release();
        return { heldAt: path };
      }
    }
  } catch (error) {
    await release();
    throw error;
  }
  const areOurs = async (): Promise<boolean> => {
    const answers = await Promise.all(paths.map((path) => files.isOurs(path)));
    return answers.every(Boolean);
  };
  return { areOurs, release };
}

/** Remembers over several waits how long each lock has not moved. */
function createOrphanWatch({ monotonicMs, onTakenOver }: ToolLocksOptions, files: LockFiles) {
  const watched = new Map<string, { readonly signature: string; readonly stillMs: number; readonly at: number }>();
  let hasTakenOver = false;

  /** @returns `free` also when it was an orphan, and is removed now */
  async function look(path: string): Promise<'free' | 'held'> {
    const signature = await files.signatureOf(path);
    const before = watched.get(path);
    if (signature === null) {
      watched.delete(path);
      return 'free';
    }
    const at = monotonicMs();
    const isStill = before?.signature === signature;
    // A long gap is no watching: this process, and the holder with it, may have stood still.
    const stillMs = isStill ? before.stillMs + Math.min(Math.max(0, at - before.at), LOOK_GAP_MS_MAX) : 0;
    watched.set(path, { signature, stillMs, at });
    if (stillMs < ORPHAN_MS) return 'held';
    watched.delete(path);
    if (!(await files.remove(path, signature))) return 'held';
    hasTakenOver = true;
    onTakenOver(path);
    return 'free';
  }

  function wasOrphaned(): boolean {
    const answer = hasTakenOver;
    hasTakenOver = false;
    return answer;
  }

  return { look, wasOrphaned };
}

function busy(path: string, timeoutMs: number): PortError {
  const remedy = 'nothing to do: the tool that owns the store is at work, and this is repeated';
  return new PortError(`the lock ${path} of another tool was not free within ${timeoutMs} ms; ${remedy}`, {
    code: 'store_busy',
    remedy,
  });
}

const POLL_MS = 250;

// Twelve heartbeats of a holder that lives; the tool itself gives up on a lock after as long.
const ORPHAN_MS = 60_000;

// One heartbeat: what moved meanwhile must have been visible.
const LOOK_GAP_MS_MAX = 5_000;
