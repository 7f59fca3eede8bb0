/**
 * The file that says "this credential is down, and why": anything can test for it, without a socket.
 *
 * Rule: it exists exactly while the credential is down, and holds no secret.
 */
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { SentinelPort } from '../../daemon/ports.ts';
import { sweepStaleTemps, writeFileAtomic } from '../atomic-file.ts';
import { errnoOf, portErrorFrom } from '../port-error.ts';
import { makeDirectories } from '../private-directory.ts';

export interface Sentinel extends SentinelPort {
  /** Removes the sentinels of credentials that are not among `names` (they left the configuration) and stale temps. */
  sweep(names: readonly string[]): Promise<void>;
}

/** @param directory freshd's own, made when it is missing; sentinels lie in it by credential name */
export function createSentinel(directory: string): Sentinel {
  // After the sweep: the sentinels that lie there. Thousands of credentials are up at each start, and have none to remove.
  let present: Set<string> | null = null;
  return {
    async set(credential, down) {
      const path = join(directory, credential);
      try {
        if (down === null) {
          if (present?.has(credential) === false) return;
          await rm(path, { force: true });
          present?.delete(credential);
          return;
        }
        present?.add(credential);
        await makeDirectories(directory, 0o755);
      } catch (error) {
        throw portErrorFrom(error, { path, doing: down === null ? 'remove' : 'write' });
      }
      const since = new Date(down.since).toISOString();
      const { reason, code, remedy } = down;
      const text = `${JSON.stringify({ credential, since, reason, code, remedy })}\n`;
      await writeFileAtomic(path, text, { modeWhenCreated: 0o644, keepOwner: false });
    },
    async sweep(names) {
      const kept = new Set(names);
      try {
        await sweepStaleTemps(directory);
        // A name that begins with a dot is a temp of a living writer: credential names never do.
        const entries = (await readdir(directory)).filter((entry) => !entry.startsWith('.'));
        for (const entry of entries) if (!kept.has(entry)) await rm(join(directory, entry), { force: true });
        present = new Set(entries.filter((entry) => kept.has(entry)));
      } catch (error) {
        if (errnoOf(error) === 'ENOENT') {
          present = new Set();
          return;
        }
        throw portErrorFrom(error, { path: directory, doing: 'sweep' });
      }
    },
  };
}
