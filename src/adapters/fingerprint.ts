/**
 * Fingerprints: shortened HMACs of secrets under a key that belongs to this installation.
 *
 * Rule: comparable over restarts, safe to log and store; without the key nobody can test a guess of a secret against one.
 */
import { createHmac, randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import type { Fingerprint, Fingerprinter } from '../core/token.ts';
import { PortError } from '../daemon/ports.ts';
import { createFileOnce } from './atomic-file.ts';
import { errnoOf, portErrorFrom } from './port-error.ts';

/**
 * @param stateDirectory an existing private directory; `install-key` (32 bytes, 0600) is created in it at the first start,
 *   by whoever of several starters comes first
 * @throws PortError `install_key_broken`, or one of `portErrorFrom`
 */
export async function loadFingerprinter(stateDirectory: string): Promise<Fingerprinter> {
  const path = join(stateDirectory, 'install-key');
  try {
    const key = (await readKey(path)) ?? (await createKey(path));
    return (secret) =>
      createHmac('sha256', key).update(secret).digest().toString('base64url', 0, TAG_BYTES) as Fingerprint;
  } catch (error) {
    throw portErrorFrom(error, { path, doing: 'read the install key' });
  }
}

async function createKey(path: string): Promise<Buffer> {
  await createFileOnce(path, randomBytes(KEY_BYTES), { mode: 0o600 });
  const key = await readKey(path);
  if (key === null) throw broken(path, 'it vanished right after it was created');
  return key;
}

async function readKey(path: string): Promise<Buffer | null> {
  let handle: Awaited<ReturnType<typeof open>>;
  try {
    handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return null;
    throw error;
  }
  try {
    const found = await handle.stat();
    if (!found.isFile() || found.size !== KEY_BYTES) throw broken(path, `expected a file of ${KEY_BYTES} bytes`);
    if (process.geteuid !== undefined && found.uid !== process.geteuid()) {
      throw broken(path, `it belongs to uid ${found.uid}, who could exchange it`);
    }
    if ((found.mode & 0o777) !== 0o600) await handle.chmod(0o600);
    return await handle.readFile();
  } finally {
    await handle.close();
  }
}

function broken(path: string, seen: string): PortError {
  const remedy = 'restore it from a backup; or remove it, and what freshd remembers of each credential is judged anew';
  return new PortError(`cannot use the install key ${path}: ${seen}; ${remedy}`, {
    code: 'install_key_broken',
    remedy,
  });
}

const KEY_BYTES = 32;

// 128 bits: a chance collision is out of the question, and a log line stays readable.
const TAG_BYTES = 16;
