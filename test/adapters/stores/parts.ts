/** What the tests of the stores share: a directory of their own, stores with test-sized patience, and token sets. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import type { DirectoryWatches } from '../../../src/adapters/stores/directory-watch.ts';
import type { JsonPointers } from '../../../src/adapters/stores/json.ts';
import { createStore, type StoreOptions } from '../../../src/adapters/stores/registry.ts';
import { type EpochMs, epochMs, type TokenSet } from '../../../src/core/token.ts';
import type { ExpiresRule } from '../../../src/core/token-response.ts';
import type { StorePort, StoreReading } from '../../../src/daemon/ports.ts';

export const HOUR_MS = 3_600_000;

/** A new directory, removed after the tests of the file. */
export async function makeDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'freshd-stores-'));
  directories.push(directory);
  return directory;
}

const directories: string[] = [];
afterAll(async () => {
  for (const directory of directories) await rm(directory, { recursive: true, force: true });
});

/** What some formats want beside the file. */
interface Particulars {
  readonly entry?: string | null;
  readonly pointers?: JsonPointers;
  readonly variable?: string;
  readonly expiresAtVariable?: string | null;
  readonly watches?: DirectoryWatches;
  readonly monotonicMs?: () => number;
  readonly onTakenOver?: (path: string) => void;
  readonly pollMs?: number;
}

/** A store in a file, which is looked at again after milliseconds instead of seconds. */
export function storeIn(
  format: StoreOptions['format'],
  options: { path: string; lockDirectory: string } & Particulars & Partial<typeof COMMON>,
): StorePort {
  return createStore({ ...COMMON, ...CLAUDE_ONLY, format, ...options } as StoreOptions);
}

const COMMON = {
  now: () => epochMs(Date.now()),
  expiresInDefaultMs: HOUR_MS,
  expires: { kind: 'as_stated' } as ExpiresRule,
  patience: { settledMs: 5, everyMs: 5, forMs: 100 },
};

const CLAUDE_ONLY = { monotonicMs: () => performance.now(), onTakenOver: () => undefined, pollMs: 1 };

export function tokensOf(reading: StoreReading | { readonly kind: 'unchanged' }): TokenSet {
  if (reading.kind === 'tokens') return reading.tokens;
  throw new Error(`expected tokens, got ${JSON.stringify(reading)}`);
}

export function known(expiresAt: number): TokenSet['expiry'] {
  return { kind: 'known', expiresAt: epochMs(expiresAt) };
}

export const always = (): boolean => true;

export function jwt(claims: object): string {
  const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  return `${encode({ alg: 'none' })}.${encode(claims)}.c2ln`;
}

/** The clock of these tests, to be set. */
export function clockAt(start: number): { now: () => EpochMs; set: (ms: number) => void } {
  let ms = start;
  return {
    now: () => epochMs(ms),
    set: (next) => {
      ms = next;
    },
  };
}
