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
import { findingOf, identityOf, type ManagedCredential, type StoreFinding } from './credential.ts';
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
  if (failure.unsent || (!policy.resultInStore && failure.class !== 'terminal')) return failed(run, failure);
  const { attempt } = run;
  const found = await movedStore(run, tools);
  if (found.kind === 'unreadable') return failed(run, unverified(failure, found));
  if (found.kind !== 'moved') return failed(run, failure);
  return policy.resultInStore
    ? { type: 'refresh_succeeded', attempt, answer: { grant: found.grant, response: null } }
    : { type: 'store_changed', grant: found.grant, attempt };
}

/** No verdict is believed before the store was read again; what else went wrong stays as it is. */
function unverified(failure: Failure, { code, detail }: Unread): Failure {
  return failure.class === 'terminal' ? { ...failure, class: 'transient', origin: 'local', code, detail } : failure;
}

async function stored(run: Run, tools: RunTools): Promise<Event> {
  const found = await movedStore(run, tools);
  if (found.kind === 'lost' || found.kind === 'unreadable') return failed(run, fruitless(found.code, found.detail));
  return { type: 'refresh_succeeded', attempt: run.attempt, answer: { grant: found.grant, response: null } };
}

type StoreAfterRun =
  | { readonly kind: 'moved' | 'same'; readonly grant: Grant }
  | ({ readonly kind: 'lost' } & Problem)
  | Unread;

/** The machine kept it from being read. */
type Unread = { readonly kind: 'unreadable' } & Problem;

interface Problem {
  readonly code: string;
  readonly detail: string;
}

/** The tool may still be writing when its command returns: the store is watched for a moment. */
async function movedStore({ credential, found: before }: Run, tools: RunTools): Promise<StoreAfterRun> {
  for (let waitedMs = 0; ; waitedMs += STORE_POLL_MS) {
    const finding = await look(credential, tools);
    const isOver = waitedMs >= STORE_POLL_MS_MAX;
    if (finding.kind === 'unreadable') {
      if (isOver) return finding;
    } else if (finding.kind === 'grant') {
      const hasMoved = before === null || identityOf(finding.grant) !== identityOf(before);
      if (hasMoved || isOver) return { kind: hasMoved ? 'moved' : 'same', grant: finding.grant };
    } else if (isOver) {
      return {
        kind: 'lost',
        code: finding.kind === 'missing' ? 'token_missing' : finding.reason,
        detail: finding.detail,
      };
    }
    await pause(STORE_POLL_MS);
  }
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
