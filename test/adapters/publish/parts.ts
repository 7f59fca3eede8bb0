/** What the tests of the publications share: directories and env files that go away, publications, publishers of `TOKEN`. */
import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, onTestFinished } from 'vitest';
import { createEnvFilePublisher, type EnvFileOptions } from '../../../src/adapters/publish/env-file.ts';
import type { LastWritten } from '../../../src/adapters/publish/last-written.ts';
import type { Publication } from '../../../src/core/effect.ts';
import { type Expiry, epochMs, type Fingerprint } from '../../../src/core/token.ts';
import type { PublisherPort } from '../../../src/daemon/ports.ts';

export const EXPIRES_AT_SECONDS = 1_900_000_000;

export async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'freshd-publish-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

/** Of the test that runs: its own directory, and an env file in it that is not there yet. See {@link arrangeEnvFile}. */
export let directory: string;
export let path: string;
export const text = (): string => readFileSync(path, 'utf8');

/** To be called once by a test file that uses them. */
export function arrangeEnvFile(): void {
  beforeEach(async () => {
    directory = await temporaryDirectory();
    path = join(directory, '.env');
  });
}

export const fingerprint = (secret: string): Fingerprint =>
  createHmac('sha256', 'a key of the tests').update(secret).digest('hex').slice(0, 16) as Fingerprint;

export function publication(accessToken: string, generation = 7, expiry: Expiry = KNOWN_EXPIRY): Publication {
  return {
    credential: 'demo',
    token: {
      accessToken,
      tokenType: 'Bearer',
      fingerprint: fingerprint(accessToken),
      obtainedAt: null,
      notBefore: null,
      expiry,
    },
    generation,
  };
}

const KNOWN_EXPIRY: Expiry = { kind: 'known', expiresAt: epochMs(EXPIRES_AT_SECONDS * 1000) };

/** A memory without a disk; `onSave` runs between the reading of the env file and its write. */
export function memoryInRam(onSave: () => Promise<void> = async () => undefined): LastWritten {
  let kept: readonly Fingerprint[] = [];
  return {
    load: async () => kept,
    save: async (fingerprints) => {
      kept = fingerprints;
      await onSave();
    },
    sync: async () => undefined,
  };
}

/** A publisher of `TOKEN` without metadata, and what it noticed. */
export function envFile(
  path: string,
  options: Partial<EnvFileOptions> = {},
): { readonly publisher: PublisherPort; readonly notices: string[] } {
  const notices: string[] = [];
  const publisher = createEnvFilePublisher({
    path,
    variable: 'TOKEN',
    metadata: false,
    followSymlink: false,
    write: 'atomic',
    fingerprint,
    lastWritten: memoryInRam(),
    onNotice: (code, { variable }) => notices.push(`${code} ${variable}`),
    ...options,
  });
  return { publisher, notices };
}
