/**
 * The two steps of an attempt that decide something: preparing it under the store's lock, and committing its answer.
 *
 * Rule: both compare fingerprints with what the core expects, and let the store win. They may throw what ports throw.
 */
import type { Effect } from '../core/effect.ts';
import type { Event } from '../core/event.ts';
import type { Failure } from '../core/failure.ts';
import type { Fingerprint, Fingerprinter, TokenSet } from '../core/token.ts';
import { findingOf, lossOf, type ManagedCredential } from './credential.ts';
import { unsent } from './failures.ts';
import type { Leave } from './line.ts';
import type { ClockPort, JournalEntry, Release, StoreReading } from './ports.ts';

/** An attempt from its begin to its close, with what it holds. */
export interface OpenAttempt {
  readonly attempt: number;
  /** As configured when it began: its answer goes to the store it was started for, also after a reload. */
  readonly credential: ManagedCredential;
  readonly leaveLine: Leave;
  unlock: Release | null;
  entry: JournalEntry | null;
  tokens: TokenSet | null;
  closed: boolean;
  /** Settles when the last journal write of this attempt has; they follow each other. */
  journal: Promise<void>;
}

export interface StepTools {
  readonly clock: ClockPort;
  readonly fingerprint: Fingerprinter;
  /** A random id per run. */
  readonly createRunId: () => string;
  /** Which boot of the machine this is; null where unknown. */
  readonly bootId: string | null;
  /** Waiting for the store's lock. */
  readonly lockLimitMs: number;
}

/** Looks for local obstacles, locks, re-reads, and writes the journal. What it takes is left in `open`. */
export async function prepareAttempt(
  open: OpenAttempt,
  expected: Fingerprint | null,
  tools: StepTools & { readonly write: (open: OpenAttempt, entry: JournalEntry) => Promise<void> },
): Promise<Event> {
  const { credential, attempt } = open;
  const { store, refresh } = credential.parts;
  const obstacle = (await refresh?.obstacle()) ?? null;
  if (obstacle !== null) return failedWith(attempt, obstacle);

  const purpose = credential.policy.method === 'script' ? 'script' : 'write';
  const unlock = await store.lock(tools.lockLimitMs, purpose);
  if (open.closed) {
    await unlock();
    return failedWith(attempt, unsent('store_busy', 'the attempt was given up while it waited for the lock'));
  }
  open.unlock = unlock;

  const finding = findingOf(await store.read(), tools.fingerprint);
  if (finding.kind === 'grant') {
    if (finding.grant.fingerprint !== expected) return { type: 'store_changed', grant: finding.grant, attempt };
    open.tokens = finding.tokens;
  } else if (!credential.policy.mintsWithoutGrant) return lossOf(finding, attempt);

  if (open.closed) return failedWith(attempt, unsent('store_busy', 'the attempt was given up meanwhile'));
  open.entry = {
    attempt,
    fingerprint: expected,
    account: open.tokens?.account ?? null,
    runId: tools.createRunId(),
    process: null,
    bootId: tools.bootId,
    beganAt: tools.clock.now().wallMs,
    response: null,
  };
  await tools.write(open, open.entry);
  return { type: 'attempt_recorded', attempt };
}

/** Writes the answer into the store, unless that holds anything but what the attempt started from. */
export async function commitAnswer(
  credential: ManagedCredential,
  { attempt, answer, expected }: Extract<Effect, { type: 'persist_token' }>,
  tools: StepTools & { readonly isLocked: boolean },
): Promise<Event> {
  const { store } = credential.parts;
  const ours = answer.grant.fingerprint;
  if (answer.response === null) return { type: 'persist_succeeded', attempt, fingerprint: ours };
  const fingerprintOf = (found: StoreReading): Fingerprint | null => {
    const finding = findingOf(found, tools.fingerprint);
    return finding.kind === 'grant' ? finding.grant.fingerprint : null;
  };
  // Our own answer counts as expected: a write that was given up as hung may have gone through after all.
  const isExpected = (found: StoreReading) => [expected, ours].includes(fingerprintOf(found));
  const unlock = tools.isLocked ? null : await store.lock(tools.lockLimitMs, 'write');
  try {
    const { committed, found } = await store.write(answer.response, isExpected);
    if (committed) return { type: 'persist_succeeded', attempt, fingerprint: fingerprintOf(found) ?? ours };
    const finding = findingOf(found, tools.fingerprint);
    return finding.kind === 'grant'
      ? { type: 'persist_failed', attempt, code: 'store_changed', winner: finding.grant }
      : { type: 'persist_failed', attempt, code: lossOf(finding, null).type, winner: null };
  } finally {
    await unlock?.();
  }
}

export const failedWith = (attempt: number, failure: Failure): Event => ({ type: 'refresh_failed', attempt, failure });
