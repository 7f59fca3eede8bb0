/**
 * freshd's own memory of each credential: a small versioned JSON file per name, without secrets.
 *
 * Rule: what cannot be understood is set aside and never overwritten; what is somebody else's is refused.
 */
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { type MemoryPort, PortError } from '../daemon/ports.ts';
import { writeFileAtomic } from './atomic-file.ts';
import { moveAside } from './broken-copy.ts';
import { errnoOf, portErrorFrom } from './port-error.ts';

/** Something was wrong with a memory, and what was done about it. */
export interface BrokenMemory {
  readonly credential: string;
  /** `state_broken`, `state_newer`; `mode_repaired`: it was readable by others, and is 0600 again. */
  readonly code: string;
  /** Where the broken one lies now; null when it is still in use. */
  readonly setAsidePath: string | null;
}

/**
 * @param directory an existing private directory
 * @param onBroken called from `load`, before it resolves
 * @throws PortError from its methods: `foreign_owner`, or one of `portErrorFrom`
 */
export function createMemory(directory: string, onBroken: (info: BrokenMemory) => void): MemoryPort {
  // Until it could be judged or set aside, what lies there must not be overwritten.
  const refused = new Map<string, PortError>();
  // Nothing was there yet. A first memory need not survive a power failure: without one the next start begins with a greater
  // generation. A later one must: the older one that stood in its place would lead back.
  const firsts = new Set<string>();
  const pathOf = (credential: string): string => join(directory, `${credential}.json`);

  const load = async (credential: string): Promise<unknown> => {
    const path = pathOf(credential);
    const found = await readMemory(path);
    if (found === null) {
      firsts.add(credential);
      return null;
    }
    if (found.modeRepaired) onBroken({ credential, code: 'mode_repaired', setAsidePath: null });
    if (found.code === null) return found.memory;
    const setAsidePath = await moveAside(path);
    onBroken({ credential, code: found.code, setAsidePath });
    return null;
  };

  return {
    load: async (credential) => {
      try {
        const memory = await load(credential);
        refused.delete(credential);
        return memory;
      } catch (error) {
        const refusal = portErrorFrom(error, { path: pathOf(credential), doing: 'load' });
        refused.set(credential, refusal);
        throw refusal;
      }
    },
    save: async (credential, memory) => {
      const refusal = refused.get(credential);
      if (refusal !== undefined) throw refusal;
      const text = `${JSON.stringify({ version: VERSION, memory }, null, 2)}\n`;
      await writeFileAtomic(pathOf(credential), text, { modeWhenCreated: 0o600, durable: !firsts.delete(credential) });
    },
  };
}

interface FoundMemory {
  readonly memory: unknown;
  /** Null: it is good. */
  readonly code: 'state_broken' | 'state_newer' | null;
  readonly modeRepaired: boolean;
}

/** @returns null when there is none */
async function readMemory(path: string): Promise<FoundMemory | null> {
  let handle: FileHandle;
  try {
    handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return null;
    throw error;
  }
  try {
    const found = await handle.stat();
    const broken = { memory: null, code: 'state_broken', modeRepaired: false } as const;
    if (process.geteuid !== undefined && found.uid !== process.geteuid()) throw foreignOwner(path, found.uid);
    if (!found.isFile() || found.size > BYTES_MAX) return broken;
    const modeRepaired = process.platform !== 'win32' && (found.mode & 0o777) !== 0o600;
    if (modeRepaired) await handle.chmod(0o600);
    return { ...parseMemory(await handle.readFile('utf8')), modeRepaired };
  } finally {
    await handle.close();
  }
}

function parseMemory(text: string): Pick<FoundMemory, 'memory' | 'code'> {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return { memory: null, code: 'state_broken' };
  }
  if (typeof json !== 'object' || json === null || !('version' in json) || !('memory' in json)) {
    return { memory: null, code: 'state_broken' };
  }
  if (json.version === VERSION) return { memory: json.memory, code: null };
  const newer = typeof json.version === 'number' && json.version > VERSION;
  return { memory: null, code: newer ? 'state_newer' : 'state_broken' };
}

function foreignOwner(path: string, uid: number): PortError {
  const remedy = `look who put it there, then remove it or \`chown\` it to the user that runs freshd`;
  return new PortError(`refused to use ${path}: expected a file of our own, it belongs to uid ${uid}; ${remedy}`, {
    code: 'foreign_owner',
    remedy,
  });
}

const VERSION = 1;

// A memory is about 10 KB at most; more is not ours, and would be parsed at every start.
const BYTES_MAX = 1024 * 1024;
