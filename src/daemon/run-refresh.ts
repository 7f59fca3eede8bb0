/**
 * Runs one refresh and turns its outcome into the one event that answers `run_refresh`.
 *
 * Rule: the answer is judged by what it holds, never by how the run ended; whether it brings progress is the core's to say.
 */

import type { AttemptReason } from '../core/effect.ts';
import type { Event } from '../core/event.ts';
import type { Failure } from '../core/failure.ts';
import type { Fingerprinter, TokenResponse, TokenSet } from '../core/token.ts';
import { dateResponse, grantOf, mergeResponse, readTokenResponse } from '../core/token-response.ts';
import { findingOf, identityOf, type ManagedCredential } from './credential.ts';
import { fruitless, inDoubt, unsent } from './failures.ts';
import type { ClockPort, LogPort, RunningProcess } from './ports.ts';
import { pause } from './time-limit.ts';

export interface Run {
  readonly credential: ManagedCredential;
  readonly attempt: number;
  readonly reason: AttemptReason;
  readonly runId: string;
  /** What the store held when the attempt began; null: nothing. */
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
      return failed(run, outcome.failure);
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

/** The tool may still be writing when its command returns: the store is watched for a moment. */
async function stored(run: Run, tools: RunTools): Promise<Event> {
  const { credential, attempt, tokens } = run;
  const before = tokens === null ? null : grantOf(tokens, tools.fingerprint);
  for (let waitedMs = 0; ; waitedMs += STORE_POLL_MS) {
    const finding = findingOf(await credential.parts.store.read(), tools.fingerprint);
    const isOver = waitedMs >= STORE_POLL_MS_MAX;
    if (finding.kind === 'grant') {
      const hasMoved = before === null || identityOf(finding.grant) !== identityOf(before);
      if (hasMoved || isOver) {
        return { type: 'refresh_succeeded', attempt, answer: { grant: finding.grant, response: null } };
      }
    } else if (isOver) {
      const code = finding.kind === 'missing' ? 'token_missing' : finding.reason;
      return failed(run, fruitless(code, finding.detail));
    }
    await pause(STORE_POLL_MS);
  }
}

const failed = ({ attempt }: Run, failure: Failure): Event => ({ type: 'refresh_failed', attempt, failure });

const STORE_POLL_MS = 200;

// Part of the core's back-stop for a run (`resultSlackMs`): long enough for a tool that writes after its prompt returns.
const STORE_POLL_MS_MAX = 3_000;
