/**
 * Runs one refresh and turns its outcome into the one event that answers `run_refresh`.
 *
 * Rule: the answer is judged by what it holds, never by how the run ended; whether it brings progress is the core's to say.
 */

import type { AttemptReason } from '../core/effect.ts';
import type { Event } from '../core/event.ts';
import type { Failure } from '../core/failure.ts';
import type { Fingerprinter, Grant, TokenResponse, TokenSet } from '../core/token.ts';
import { dateResponse, grantOf, mergeResponse, readTokenResponse } from '../core/token-response.ts';
import { findingOf, identityOf, isEmpty, lossOf, type ManagedCredential, type StoreFinding } from './credential.ts';
import { fruitless, inDoubt, unsent } from './failures.ts';
import { type ClockPort, type LogPort, PortError, type RunningProcess } from './ports.ts';
import { pause } from './time-limit.ts';

export interface Run {
  readonly credential: ManagedCredential;
  readonly attempt: number;
  readonly reason: AttemptReason;
  readonly runId: string;
  /** What the store held when the attempt began; null: nothing. */
  readonly found: Grant | null;
  /** What is sent: the same, or an answer that the store had refused. */
  readonly tokens: TokenSet | null;
  readonly onStarted: (process: RunningProcess) => void;
  /** Others may change the store until it is locked again. */
  readonly unlock: () => Promise<void>;
  /** @throws PortError `store_busy`; what else keeps a lock from excluding others */
  readonly lockAgain: () => Promise<void>;
}

export interface RunTools {
  readonly clock: ClockPort;
  readonly fingerprint: Fingerprinter;
  readonly log: LogPort;
}

/** @throws whatever a port throws against its contract; the caller makes an event of it */
export async function runRefresh(run: Run, tools: RunTools): Promise<Event> {
  const { credential, attempt, reason, runId, tokens } = run;
  const { refresh, store } = credential.parts;
  if (refresh === null) {
    return failed(run, unsent('nothing_to_run', 'this credential is only watched; nothing here can refresh it'));
  }
  const outcome = await refresh.run(
    { credential: credential.name, attempt, reason, runId, storePath: store.path, tokens },
    run.onStarted,
  );
  switch (outcome.kind) {
    case 'failure':
      return refused(run, outcome.failure, tools);
    case 'response':
      return answered(run, outcome.response, tools);
    case 'stored':
      return stored(run, tools);
  }
}

function answered(run: Run, response: TokenResponse, tools: RunTools): Event {
  const { credential, attempt } = run;
  const receivedAt = tools.clock.now().wallMs;
  const reading = readTokenResponse(response, { receivedAt, ...credential.reading });
  if (!reading.ok) {
    const conclude = credential.policy.rotates ? inDoubt : fruitless;
    return failed(run, conclude(reading.code, reading.detail));
  }
  for (const warning of reading.warnings) {
    tools.log.write('warn', 'token_response_odd', { credential: credential.name, attempt, code: warning });
  }
  const grant = grantOf(mergeResponse(run.tokens, reading.tokens), tools.fingerprint);
  if (grant === null) return failed(run, fruitless('no_access_token', 'the answer holds no token'));
  return { type: 'refresh_succeeded', attempt, answer: { grant, response: dateResponse(response, receivedAt) } };
}

/**
 * A store that moved says more than how the run ended. Where the refresh writes it, that is success, also after a timeout;
 * beside a verdict on what was sent it means that somebody else rotated meanwhile, and the verdict is about the past.
 */
async function refused(run: Run, failure: Failure, tools: RunTools): Promise<Event> {
  const { policy } = run.credential;
  const isVerdict = failure.class === 'terminal';
  if (failure.unsent || (!policy.resultInStore && !isVerdict)) return failed(run, failure);
  const { attempt } = run;
  const found = isVerdict ? await storeAfterVerdict(run, tools) : await movedStore(run, tools);
  switch (found.kind) {
    case 'moved':
      return policy.resultInStore
        ? { type: 'refresh_succeeded', attempt, answer: { grant: found.grant, response: null } }
        : { type: 'store_changed', grant: found.grant, attempt };
    case 'unreadable':
      return failed(run, isVerdict ? unverified(failure, found) : failure);
    case 'lost':
      // What was refused is not there any more, or it cannot be told whether it is: the verdict is not about this store.
      return isVerdict && hasChanged(run, found.finding) ? lossOf(found.finding, attempt) : failed(run, failure);
    case 'same':
      return failed(run, failure);
  }
}

/** No verdict is believed before the store was read again; what else went wrong stays as it is. */
const unverified = (failure: Failure, { code, detail }: Unread): Failure => ({
  ...failure,
  class: 'transient',
  origin: 'local',
  code,
  detail,
});

/** Where it held nothing, what was refused did not come from it. */
const hasChanged = ({ found }: Run, finding: Loss): boolean => found !== null || !isEmpty(finding);

/**
 * Who rotated meanwhile may need the lock to store what he got, so it is free while the store is watched; the last look is
 * made under it again.
 */
async function storeAfterVerdict(run: Run, tools: RunTools): Promise<StoreAfterRun> {
  await run.unlock();
  const watched = await movedStore(run, tools);
  if (watched.kind === 'moved') return watched;
  try {
    await run.lockAgain();
  } catch (error) {
    if (!(error instanceof PortError)) throw error;
    return { kind: 'unreadable', code: error.code, detail: error.message };
  }
  return judged(run, await look(run.credential, tools));
}

async function stored(run: Run, tools: RunTools): Promise<Event> {
  const found = await movedStore(run, tools);
  if (found.kind === 'unreadable') return failed(run, fruitless(found.code, found.detail));
  if (found.kind === 'lost') {
    const { finding } = found;
    return failed(run, fruitless(finding.kind === 'missing' ? 'token_missing' : finding.reason, finding.detail));
  }
  return { type: 'refresh_succeeded', attempt: run.attempt, answer: { grant: found.grant, response: null } };
}

type StoreAfterRun =
  | { readonly kind: 'moved' | 'same'; readonly grant: Grant }
  | { readonly kind: 'lost'; readonly finding: Loss }
  | Unread;

type Loss = Exclude<StoreFinding, { kind: 'grant' }>;

/** The machine kept it from being read. */
interface Unread {
  readonly kind: 'unreadable';
  readonly code: string;
  readonly detail: string;
}

/** The tool may still be writing when its command returns: the store is watched for a moment. */
async function movedStore(run: Run, tools: RunTools): Promise<StoreAfterRun> {
  for (let waitedMs = 0; ; waitedMs += STORE_POLL_MS) {
    const found = judged(run, await look(run.credential, tools));
    if (found.kind === 'moved' || waitedMs >= STORE_POLL_MS_MAX) return found;
    await pause(STORE_POLL_MS);
  }
}

function judged({ found: before }: Run, finding: StoreFinding | Unread): StoreAfterRun {
  if (finding.kind === 'unreadable') return finding;
  if (finding.kind !== 'grant') return { kind: 'lost', finding };
  const hasMoved = before === null || identityOf(finding.grant) !== identityOf(before);
  return { kind: hasMoved ? 'moved' : 'same', grant: finding.grant };
}

async function look({ parts }: ManagedCredential, { fingerprint }: RunTools): Promise<StoreFinding | Unread> {
  try {
    return findingOf(await parts.store.read(), fingerprint);
  } catch (error) {
    if (!(error instanceof PortError)) throw error;
    return { kind: 'unreadable', code: error.code, detail: error.message };
  }
}

const failed = ({ attempt }: Run, failure: Failure): Event => ({ type: 'refresh_failed', attempt, failure });

const STORE_POLL_MS = 200;

// Part of the core's back-stop for a run (`resultSlackMs`): long enough for a tool that writes after its prompt returns.
const STORE_POLL_MS_MAX = 3_000;
