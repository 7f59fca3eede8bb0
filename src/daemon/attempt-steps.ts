/**
 * The two steps of an attempt that decide something: preparing it under the store's lock, and committing its answer.
 *
 * Rule: both compare fingerprints with what the core expects, and let the store win. They may throw what ports throw.
 */
import type { Effect } from '../core/effect.ts';
import type { Event } from '../core/event.ts';
import type { Failure } from '../core/failure.ts';
import type { Policy } from '../core/policy.ts';
import type { Answer, Fingerprint, Fingerprinter, Grant, TokenSet } from '../core/token.ts';
import { readTokenResponse } from '../core/token-response.ts';
import { findingOf, isEmpty, lossOf, type ManagedCredential, type StoreFinding } from './credential.ts';
import { misconfigured, unsent } from './failures.ts';
import type { Leave } from './line.ts';
import {
  type ClockPort,
  type JournalEntry,
  type LockPurpose,
  PortError,
  type Release,
  type StoreReading,
} from './ports.ts';

/** An attempt from its begin to its close, with what it holds. */
export interface OpenAttempt {
  readonly attempt: number;
  /** As configured when it began: its answer goes to the store it was started for, also after a reload. */
  readonly credential: ManagedCredential;
  readonly leaveLine: Leave;
  unlock: Release | null;
  entry: JournalEntry | null;
  /** What the store held when it began; null: nothing. */
  found: Grant | null;
  /** What is sent. */
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
  { expected, setAside }: Pick<Extract<Effect, { type: 'begin_attempt' }>, 'expected' | 'setAside'>,
  tools: StepTools & { readonly write: (open: OpenAttempt, entry: JournalEntry) => Promise<void> },
): Promise<Event> {
  const { credential, attempt } = open;
  const { store, refresh } = credential.parts;
  const obstacle = (await refresh?.obstacle()) ?? null;
  if (obstacle !== null) return failedWith(attempt, obstacle);

  const unlock = await lockOrChanged(credential, expected, tools);
  if (typeof unlock !== 'function') return { type: 'store_changed', grant: unlock, attempt };
  if (open.closed) {
    await unlock();
    return failedWith(attempt, unsent('store_busy', 'the attempt was given up while it waited for the lock'));
  }
  open.unlock = unlock;

  const finding = findingOf(await store.read(), tools.fingerprint);
  if (finding.kind === 'grant') {
    if (finding.grant.fingerprint !== expected) return { type: 'store_changed', grant: finding.grant, attempt };
    open.found = finding.grant;
    open.tokens = finding.tokens;
  } else if (!mayBeginOver(finding, { expected, setAside }, credential)) return lossOf(finding, attempt);
  if (setAside !== null) open.tokens = tokensOf(setAside, { credential, clock: tools.clock });

  if (open.closed) return failedWith(attempt, unsent('store_busy', 'the attempt was given up meanwhile'));
  open.entry = {
    attempt,
    ...(setAside === null ? { fingerprint: expected } : { fingerprint: setAside.grant.fingerprint, found: expected }),
    account: open.tokens?.account ?? null,
    runId: tools.createRunId(),
    process: null,
    bootId: tools.bootId,
    beganAt: tools.clock.now().wallMs,
    response: null,
  };
  await tools.write(open, open.entry);
  return { type: 'attempt_recorded', attempt, ...(store.wasOrphaned?.() === true ? { afterOrphan: true } : {}) };
}

/**
 * Waits for the lock, and looks meanwhile whether its holder has done what it is wanted for.
 * @returns how to give it back; or another grant that the store holds by now
 * @throws PortError `store_busy`; what else keeps a lock from excluding others
 */
async function lockOrChanged(
  { parts: { store }, policy }: ManagedCredential,
  expected: Fingerprint | null,
  { lockLimitMs, fingerprint }: StepTools,
): Promise<Release | Grant> {
  for (let leftMs = lockLimitMs; ; leftMs -= LOCK_LOOK_MS) {
    try {
      return await store.lock(Math.min(leftMs, LOCK_LOOK_MS), lockPurposeOf(policy));
    } catch (error) {
      if (!(error instanceof PortError) || error.code !== 'store_busy') throw error;
      const finding = findingOf(await store.read(), fingerprint);
      if (finding.kind === 'grant' && finding.grant.fingerprint !== expected) return finding.grant;
      if (leftMs <= LOCK_LOOK_MS) throw error;
    }
  }
}

/** Takes the store's lock again in the midst of an attempt, unless the attempt was given up meanwhile. @throws PortError as `lock` of the store */
export async function lockAgain(open: OpenAttempt): Promise<void> {
  const { parts, policy } = open.credential;
  const release = await parts.store.lock(LOCK_AGAIN_MS, lockPurposeOf(policy));
  if (open.closed) await release();
  else open.unlock = release;
}

/** A store without a grant: some scripts need none, and an answer that was set aside is sent in its stead. */
function mayBeginOver(
  finding: Exclude<StoreFinding, { kind: 'grant' }>,
  { expected, setAside }: Pick<Extract<Effect, { type: 'begin_attempt' }>, 'expected' | 'setAside'>,
  { policy }: ManagedCredential,
): boolean {
  return setAside === null ? policy.mintsWithoutGrant : expected === null && isEmpty(finding);
}

/** An answer without a refresh token goes with the one in the store. */
const isWhole = ({ grant, response }: Answer): boolean =>
  !grant.hasRefreshToken || response?.refresh_token !== undefined;

function tokensOf(
  { response }: Answer,
  { credential, clock }: { readonly credential: ManagedCredential; readonly clock: ClockPort },
): TokenSet | null {
  const read = readTokenResponse(response, { receivedAt: clock.now().wallMs, ...credential.reading });
  return read.ok ? read.tokens : null;
}

/** Writes the answer into the store, unless that holds any other grant than what the attempt started from. */
export async function commitAnswer(
  credential: ManagedCredential,
  { attempt, answer, expected }: Extract<Effect, { type: 'persist_token' }>,
  tools: StepTools & { readonly isLocked: boolean },
): Promise<Event> {
  const { store } = credential.parts;
  const ours = answer.grant.fingerprint;
  if (answer.response === null) return { type: 'persist_succeeded', attempt, fingerprint: ours };
  const isExpected = (found: StoreReading) => {
    const finding = findingOf(found, tools.fingerprint);
    // Over nothing it is written, if it is whole: a tool blanks its store when we were faster with its refresh token.
    if (finding.kind !== 'grant') return expected === null || (isEmpty(finding) && isWhole(answer));
    // Our own answer counts as expected: a write that was given up as hung may have gone through after all.
    return [expected, ours].includes(finding.grant.fingerprint);
  };
  const unlock = tools.isLocked ? null : await store.lock(tools.lockLimitMs, 'write');
  try {
    const { committed, found } = await store.write(answer.response, isExpected);
    const finding = findingOf(found, tools.fingerprint);
    if (committed) {
      return {
        type: 'persist_succeeded',
        attempt,
        fingerprint: finding.kind === 'grant' ? finding.grant.fingerprint : ours,
      };
    }
    return finding.kind === 'grant'
      ? { type: 'persist_failed', attempt, code: 'store_changed', winner: finding.grant }
      : { type: 'persist_failed', attempt, code: lossOf(finding, null).type, winner: null };
  } finally {
    await unlock?.();
  }
}

/** Where a lock would exclude nobody trying again is of no use; all else passes. */
export const lockFailure = ({ code, message }: PortError): Failure =>
  code === LOCK_PLACE_UNUSABLE ? misconfigured(code, message) : unsent(code, message);

/** @returns why its lock cannot be taken; null also when somebody holds it: then it excludes whom it is meant to */
export async function lockObstacle({ policy, parts }: ManagedCredential): Promise<Failure | null> {
  try {
    const unlock = await parts.store.lock(0, lockPurposeOf(policy));
    await unlock();
    return null;
  } catch (error) {
    if (!(error instanceof PortError)) throw error;
    return error.code === 'store_busy' ? null : lockFailure(error);
  }
}

const lockPurposeOf = ({ method }: Policy): LockPurpose => (method === 'script' ? 'script' : 'write');

// Within what the core allows for a result beyond the time of the run (`resultSlackMs`), of which the poll takes three seconds.
const LOCK_AGAIN_MS = 5_000;

export const LOCK_PLACE_UNUSABLE = 'lock_place_unusable';

export const failedWith = (attempt: number, failure: Failure): Event => ({ type: 'refresh_failed', attempt, failure });

// Holders need a second or two; whoever waits for one is served soon after it is done.
const LOCK_LOOK_MS = 1_000;
