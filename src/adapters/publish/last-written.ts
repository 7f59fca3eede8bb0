/**
 * What freshd last wrote into a file that it shares with people, kept over restarts as fingerprints.
 *
 * Rule: never a secret; and what cannot be read is taken for "nothing", so that a doubtful value counts as somebody else's.
 */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Fingerprint } from '../../core/token.ts';
import { syncFile, writeFileAtomic } from '../atomic-file.ts';
import { errnoOf, portErrorFrom } from '../port-error.ts';
import { makeDirectories } from '../private-directory.ts';

export interface LastWritten {
  /** Fingerprints of what stood there through us, and of what we were about to write. */
  load(): Promise<readonly Fingerprint[]>;
  /** Durable when it resolves. @throws PortError */
  save(fingerprints: readonly Fingerprint[]): Promise<void>;
  /** Makes durable what `load` found, which an earlier life may not have waited for; costs something once. @throws PortError */
  sync(): Promise<void>;
}

/**
 * @param directory freshd's own, made when it is missing
 * @param id of the publication target; names the file, hashed, because it holds a path
 */
export function createLastWritten(directory: string, id: string): LastWritten {
  const path = join(directory, `${createHash('sha256').update(id).digest('hex').slice(0, 32)}.json`);
  let isDurable = false;
  return {
    async load() {
      try {
        return fingerprintsIn(await readFile(path, 'utf8'));
      } catch (error) {
        if (errnoOf(error) === 'ENOENT') return [];
        throw portErrorFrom(error, { path, doing: 'read' });
      }
    },
    async save(fingerprints) {
      isDurable = false;
      try {
        await makeDirectories(directory, 0o700);
      } catch (error) {
        throw portErrorFrom(error, { path: directory, doing: 'create' });
      }
      const text = `${JSON.stringify({ version: 1, target: id, fingerprints })}\n`;
      await writeFileAtomic(path, text, { modeWhenCreated: 0o600 });
      isDurable = true;
    },
    async sync() {
      if (isDurable) return;
      await syncFile(path);
      isDurable = true;
    },
  };
}

function fingerprintsIn(text: string): readonly Fingerprint[] {
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return [];
    throw error;
  }
  const fingerprints = (content as { fingerprints?: unknown } | null)?.fingerprints;
  return Array.isArray(fingerprints) && fingerprints.every((entry) => typeof entry === 'string')
    ? (fingerprints as Fingerprint[])
    : [];
}
