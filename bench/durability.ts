/**
 * What it costs that no answer is lost: every step of a refresh that waits for a disk, against one write that does.
 *
 * Rule: the real adapters in the order of the daemon, on one file system; the bare write is of as many bytes, and interleaved.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pass } from 'node:timers/promises';
import { createAttemptJournal } from '../src/adapters/attempt-journal.ts';
import { createEnvFilePublisher } from '../src/adapters/publish/env-file.ts';
import { createLastWritten } from '../src/adapters/publish/last-written.ts';
import { createTokenFilePublisher } from '../src/adapters/publish/token-file.ts';
import { createStore } from '../src/adapters/stores/registry.ts';
import type { Publication } from '../src/core/effect.ts';
import { epochMs, type Fingerprint, type TokenResponse } from '../src/core/token.ts';
import type { JournalEntry } from '../src/daemon/ports.ts';
import { makeDirectory } from './daemon.ts';
import { type Finding, median, quantile } from './table.ts';

const STEPS = ['bare', 'intent', 'answer', 'store', 'close', 'publish'] as const;
type Step = (typeof STEPS)[number];

export async function measureDurability(): Promise<readonly Finding[]> {
  const directory = makeDirectory(existsSync(DISK_BACKED) ? DISK_BACKED : tmpdir());
  const steps = createSteps(directory);
  const timesMs: Record<Step, number[]> = { bare: [], intent: [], answer: [], store: [], close: [], publish: [] };
  const wholeMs: number[] = [];
  for (let round = -WARM_UP_ROUNDS; round < ROUNDS; round += 1) {
    // In life the last write to the store is minutes ago; one of this moment is looked at twice.
    await pass(REST_MS);
    let whole = 0;
    for (const step of STEPS) {
      const began = performance.now();
      await steps[step](round + WARM_UP_ROUNDS);
      const tookMs = performance.now() - began;
      if (round >= 0) timesMs[step].push(tookMs);
      if (step !== 'bare') whole += tookMs;
    }
    if (round >= 0) wholeMs.push(whole);
  }
  const bareMs = median(timesMs.bare);
  const told = (what: string, ms: number, to: number | null): Finding => ({
    what,
    figure: `${ms.toFixed(2)} ms`,
    ratio: to === null ? null : ms / to,
    ratioMax: null,
  });
  const step = (name: Step, what: string) => told(`${what}, p50`, median(timesMs[name]), bareMs);
  return [
    told(`one write of ${textOf(0).length} bytes that waits for the disk, p50`, bareMs, null),
    told('the same, p99', quantile(timesMs.bare, P99), null),
    step('intent', 'before the request: the attempt into the journal'),
    step('answer', 'answer received to durable (journal)'),
    told('the same, p99, to p99', quantile(timesMs.answer, P99), quantile(timesMs.bare, P99)),
    step('store', 'the answer into the store'),
    step('close', 'the journal emptied, its secrets overwritten'),
    step('publish', 'published: .env and token file'),
    told('all of it for one refresh, p50', median(wholeMs), bareMs),
  ];
}

/** Each does its part of the n-th refresh. */
function createSteps(directory: string): Readonly<Record<Step, (nth: number) => Promise<unknown>>> {
  const [journalDirectory, publishedDirectory] = [join(directory, 'journal'), join(directory, 'published')];
  mkdirSync(journalDirectory, { mode: 0o700 });
  const journal = createAttemptJournal(journalDirectory);
  const life = { expires: { kind: 'as_stated' }, expiresInDefaultMs: 0 } as const;
  const now = () => epochMs(Date.now());
  const place = { path: join(directory, 'store.json'), lockDirectory: join(directory, 'locks') };
  const store = createStore({ format: 'token-response', entry: null, ...life, ...place, now });
  const env = join(directory, '.env');
  const publishers = [
    createTokenFilePublisher({ path: join(directory, 'tokens', 'c') }),
    createEnvFilePublisher({
      path: env,
      variable: 'TOKEN',
      metadata: true,
      followSymlink: false,
      write: 'atomic',
      fingerprint,
      lastWritten: createLastWritten(publishedDirectory, `envFile:${env}#TOKEN`),
      onNotice: () => undefined,
    }),
  ];
  return {
    bare: async (nth) => {
      const file = await open(join(directory, 'bare'), 'w', 0o600);
      await file.writeFile(textOf(nth));
      await file.sync();
      await file.close();
    },
    intent: (nth) => journal.write('c', entryOf(nth, null)),
    answer: (nth) => journal.write('c', entryOf(nth, responseOf(nth))),
    store: (nth) => store.write(responseOf(nth), () => true),
    close: () => journal.empty('c'),
    publish: (nth) => Promise.all(publishers.map((publisher) => publisher.publish(publicationOf(nth)))),
  };
}

/** With an access token as long as a JWT. */
const responseOf = (nth: number): TokenResponse => ({
  access_token: `access-${nth}-${'x'.repeat(1_000)}`,
  token_type: 'Bearer',
  expires_in: 3_600,
  refresh_token: `refresh-${nth}-${'y'.repeat(100)}`,
});

const textOf = (nth: number): string => JSON.stringify(responseOf(nth));

const entryOf = (nth: number, response: TokenResponse | null): JournalEntry => ({
  attempt: nth,
  fingerprint: fingerprint(`refresh-${nth - 1}`),
  account: null,
  runId: `run-${nth}`,
  process: null,
  bootId: null,
  beganAt: nth,
  response,
});

const publicationOf = (nth: number): Publication => ({
  credential: 'c',
  token: {
    accessToken: String(responseOf(nth).access_token),
    tokenType: 'Bearer',
    fingerprint: fingerprint(`access-${nth}`),
    obtainedAt: null,
    notBefore: null,
    expiry: { kind: 'known', expiresAt: epochMs(Date.now() + 3_600_000) },
  },
  generation: nth + 1,
});

const fingerprint = (secret: string): Fingerprint =>
  createHash('sha256').update(secret).digest('base64url').slice(0, 16) as Fingerprint;

// What lies in memory waits for no disk; this directory outlives a boot, so it lies on one.
const DISK_BACKED = '/var/tmp';

const P99 = 0.99;
const ROUNDS = 300;
const REST_MS = 60;
const WARM_UP_ROUNDS = 20;
