/**
 * Keeps freshd's own memory of each credential, and of each chain, on disk: loaded once, and saved after a step that changed it, the latest wins.
 *
 * Rule: at most one save per credential is under way. A save that fails is logged once per row of failures and repeated with
 * the next change, and at the latest at `flush`; losing a memory costs comfort (an alert twice), never a token.
 */
import { createHash } from 'node:crypto';
import { epochMs, type Now } from '../core/token.ts';
import { describeBug } from './bug.ts';
import { createGate } from './gate.ts';
import { type LogPort, type MemoryPort, PortError } from './ports.ts';

export interface MemoryKeeperOptions<State> {
  readonly port: MemoryPort;
  /** Plain JSON without secrets. */
  readonly remember: (state: State, now: Now) => unknown;
  readonly log: LogPort;
}

export interface MemoryKeeper<State> {
  /**
   * What is remembered of it, which need not be saved again.
   * @returns null when there is nothing, and when it cannot be read, which is logged
   */
  load(credential: string): Promise<unknown>;
  note(state: State, now: Now): void;
  forget(credential: string): void;
  /** Resolves when everything noted is saved or has failed. */
  flush(): Promise<void>;
}

interface Kept {
  /** Not saved yet; null: nothing. */
  wanted: string | null;
  /** Digest of what the disk holds: ten thousand memories are not all kept twice. */
  saved: string | null;
  saving: Promise<void> | null;
  failing: boolean;
}

export function createMemoryKeeper<State extends { readonly name: string }>(
  options: MemoryKeeperOptions<State>,
): MemoryKeeper<State> {
  const kept = new Map<string, Kept>();
  const gate = createGate(SAVES_MAX);
  const steadied = createSteadier();

  return {
    async load(credential) {
      const memory = await read(credential, options);
      if (memory !== null) keptOf(credential).saved = digestOf(JSON.stringify(memory));
      return memory;
    },
    note(state, now) {
      const memory = keptOf(state.name);
      const text = JSON.stringify(options.remember(state, steadied(now)));
      const isSaved = memory.saving === null && memory.saved === digestOf(text);
      memory.wanted = isSaved ? null : text;
      start(state.name, memory);
    },
    forget: (credential) => {
      kept.delete(credential);
    },
    async flush() {
      for (const [credential, memory] of kept) start(credential, memory);
      await Promise.all([...kept.values()].map((memory) => memory.saving));
    },
  };

  function keptOf(credential: string): Kept {
    const known = kept.get(credential);
    if (known !== undefined) return known;
    const memory: Kept = { wanted: null, saved: null, saving: null, failing: false };
    kept.set(credential, memory);
    return memory;
  }

  function start(credential: string, memory: Kept): void {
    if (memory.saving !== null || memory.wanted === null) return;
    memory.saving = save(credential, memory).finally(() => {
      memory.saving = null;
    });
  }

  async function save(credential: string, memory: Kept): Promise<void> {
    for (let text = memory.wanted; text !== null; text = memory.wanted) {
      const saving = text;
      if (!(await gate.run(() => attempt(credential, memory, saving)))) return;
      memory.saved = digestOf(saving);
      if (memory.wanted === saving) memory.wanted = null;
    }
  }

  async function attempt(credential: string, memory: Kept, text: string): Promise<boolean> {
    try {
      await options.port.save(credential, JSON.parse(text));
      if (memory.failing) options.log.write('info', 'memory_restored', { credential });
      memory.failing = false;
      return true;
    } catch (error) {
      if (!memory.failing) {
        const about = error instanceof PortError ? { code: error.code, remedy: error.remedy } : describeBug(error);
        options.log.write('warn', 'memory_failed', { credential, ...about });
      }
      memory.failing = true;
      return false;
    }
  }
}

async function read(
  credential: string,
  { port, log }: Pick<MemoryKeeperOptions<never>, 'port' | 'log'>,
): Promise<unknown> {
  try {
    return await port.load(credential);
  } catch (error) {
    log.write('warn', 'memory_unreadable', { credential, ...describeBug(error) });
    return null;
  }
}

/** The two clocks are never quite in step; a memory must not look changed because they differ by a millisecond more. */
function createSteadier(): (now: Now) => Now {
  let offsetMs = Number.NaN;
  return ({ wallMs, monotonicMs }) => {
    const seenMs = wallMs - monotonicMs;
    if (!(Math.abs(seenMs - offsetMs) <= CLOCK_NOISE_MS)) offsetMs = seenMs;
    return { wallMs: epochMs(monotonicMs + offsetMs), monotonicMs };
  };
}

const digestOf = (text: string): string => createHash('sha256').update(text).digest('base64');

// Far more than time servers slew between two looks, far less than a wait that is remembered.
const CLOCK_NOISE_MS = 1_000;

// As for publications: busy enough for a disk, far below the usual limit of descriptors.
const SAVES_MAX = 64;
