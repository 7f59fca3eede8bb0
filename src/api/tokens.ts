/**
 * Reading a token on a reader's terms: so much life left, another generation, and how long to wait for it.
 *
 * Rule: without a wait nothing is started and nothing awaited. With one, at most one request goes to the core, and the
 * answer is made from the state as it is when the wait ends.
 */
import type { CredentialState } from '../core/state.ts';
import type { Generation, Now } from '../core/token.ts';
import { describe, readToken } from '../core/view.ts';
import type { DaemonPort } from '../daemon/ports.ts';
import { type Reply, refused, success, unknownCredential } from './reply.ts';
import type { Waiting } from './waiting.ts';
import { type ReadableToken, seconds, tokenOnWire } from './wire.ts';

/** What a reader asks for beyond a usable token. */
export interface Demand {
  readonly minValidMs: number | null;
  /** Any generation but this one. */
  readonly afterGeneration: Generation | null;
  /** 0: answer at once. */
  readonly waitMs: number;
  /** `Accept: text/plain`: the bare token. */
  readonly asText: boolean;
}

export interface TokenReader {
  /** @param onGone registers what to call when the client hangs up */
  read(credential: string, demand: Demand, onGone: (leave: () => void) => void): Reply | Promise<Reply>;
}

export function createTokenReader(daemon: DaemonPort, waiting: Waiting): TokenReader {
  /**
   * Life of the token that the last demand of a reader brought, per credential: a reader that wants more than that
   * would make the daemon refresh again and again for nothing.
   */
  const demandedLifeMs = new Map<string, number>();

  function look(credential: string, demand: Demand): Look {
    const state = daemon.state(credential);
    return state === undefined ? { verdict: 'unknown' } : judge(state, demand, daemon.now());
  }

  function isAttainable(credential: string, found: Look, demand: Demand): boolean {
    if (found.verdict !== 'too_short') return true;
    const longestMs = demandedLifeMs.get(credential);
    return longestMs === undefined || (demand.minValidMs ?? 0) <= longestMs;
  }

  async function readLater(credential: string, demand: Demand, found: Look, onGone: OnGone): Promise<Reply> {
    const firstGeneration = generationOf(found);
    const cause = causeOf(found);
    if (cause !== null) daemon.dispatch(credential, { type: 'refresh_requested', cause, force: false });

    const isDone = (): boolean => {
      const now = look(credential, demand);
      return isFinal(now) || (now.verdict === 'too_short' && generationOf(now) !== firstGeneration);
    };
    if (!isDone()) {
      const wait = waiting.wait(credential, demand.waitMs, isDone, onGone);
      if (wait === null) return tooManyWaiting(credential);
      await wait;
    }

    const last = look(credential, demand);
    if (last.verdict === 'too_short' && last.token.generation !== firstGeneration && last.token.lifeLeftMs !== null) {
      demandedLifeMs.set(credential, last.token.lifeLeftMs);
    }
    return answer(credential, last, demand);
  }

  function answer(credential: string, found: Look, demand: Demand): Reply {
    if (found.verdict === 'unknown') return unknownCredential(daemon, credential);
    if (found.verdict === 'too_short' && !(found.token.refreshable && isAttainable(credential, found, demand))) {
      return unattainable(credential, found.token, demand);
    }
    return replyTo(credential, found, demand, daemon);
  }

  return {
    read(credential, demand, onGone) {
      const found = look(credential, demand);
      const answersNow = demand.waitMs === 0 || isFinal(found) || !isAttainable(credential, found, demand);
      return answersNow ? answer(credential, found, demand) : readLater(credential, demand, found, onGone);
    },
  };
}

type OnGone = (leave: () => void) => void;

/** How what is there compares with what was asked for. */
type Look =
  | { readonly verdict: 'unknown' }
  | { readonly verdict: 'satisfied' | 'rejected' | 'too_short'; readonly token: ReadableToken }
  | { readonly verdict: 'same_generation'; readonly token: ReadableToken; readonly isFinal: boolean; readonly now: Now }
  | {
      readonly verdict: 'unusable' | 'reauthorization_required';
      readonly reason: string;
      readonly retryAfterMs: number | null;
    };

function judge(state: CredentialState, demand: Demand, now: Now): Look {
  const read = readToken(state, now);
  if (read.kind === 'unusable') {
    const verdict = read.code === 'reauthorization_required' ? read.code : 'unusable';
    return { verdict, reason: read.reason, retryAfterMs: read.retryAfterMs };
  }
  if (read.generation === demand.afterGeneration) {
    // A person must act first: no newer token is on its way, and whoever waits for one should know at once.
    const isFinal = state.phase.kind === 'reauthorization_required';
    return { verdict: 'same_generation', token: read, isFinal, now };
  }
  const isTooShort = demand.minValidMs !== null && read.lifeLeftMs !== null && read.lifeLeftMs < demand.minValidMs;
  if (isTooShort) return { verdict: 'too_short', token: read };
  return { verdict: read.rejectionPending ? 'rejected' : 'satisfied', token: read };
}

/** Waiting longer cannot change the answer. */
function isFinal(found: Look): boolean {
  switch (found.verdict) {
    case 'unknown':
    case 'satisfied':
    case 'reauthorization_required':
      return true;
    case 'same_generation':
      return found.isFinal;
    default:
      return false;
  }
}

/** A reader that only waits for the next generation of a good token asks for nothing. */
function causeOf(found: Look): 'wait' | 'min_valid' | null {
  switch (found.verdict) {
    case 'too_short':
      return 'min_valid';
    case 'unusable':
      return 'wait';
    default:
      return null;
  }
}

const generationOf = (found: Look): Generation | null => ('token' in found ? found.token.generation : null);

function replyTo(
  credential: string,
  found: Exclude<Look, { verdict: 'unknown' }>,
  demand: Demand,
  daemon: DaemonPort,
): Reply {
  switch (found.verdict) {
    case 'satisfied':
    case 'rejected':
      return tokenReply(credential, found.token, demand.asText);
    case 'too_short':
      return refused(503, {
        error: 'temporarily_unavailable',
        error_description: `the token of ${credential} has ${lifeText(found.token)} left, less than the ${seconds(demand.minValidMs ?? 0)} s asked for; ask again with wait_seconds, or later`,
        credential,
        reason: 'min_valid',
        retry_after: nextIn(credential, daemon),
      });
    case 'same_generation':
      if (found.isFinal) return reauthorizationRequired(credential, 'no newer token can come', daemon);
      return refused(503, {
        error: 'no_newer_token',
        error_description: `generation ${found.token.generation} is still the newest of ${credential}; ask again later`,
        credential,
        retry_after: nextIn(credential, daemon),
      });
    case 'reauthorization_required':
      return reauthorizationRequired(credential, found.reason, daemon);
    case 'unusable':
      return refused(503, {
        error: 'temporarily_unavailable',
        error_description: `${credential} has no usable token at the moment (${found.reason}); the daemon keeps trying, ask again later`,
        credential,
        reason: found.reason,
        retry_after:
          found.retryAfterMs === null ? RETRY_AFTER_DEFAULT_SECONDS : Math.max(1, seconds(found.retryAfterMs)),
      });
  }
}

export function tokenReply(credential: string, token: ReadableToken, asText: boolean): Reply {
  return asText ? success(200, token.accessToken) : success(200, tokenOnWire(credential, token));
}

function reauthorizationRequired(credential: string, reason: string, daemon: DaemonPort): Reply {
  const remedy = daemon.remedy(credential);
  return refused(409, {
    error: 'reauthorization_required',
    error_description: `${credential} needs a person (${reason}): ${remedy}`,
    credential,
    reason,
    remedy,
  });
}

function unattainable(credential: string, token: ReadableToken, demand: Demand): Reply {
  const why = token.refreshable ? 'a fresh one does not live longer' : 'nothing here can refresh it';
  return refused(503, {
    error: 'min_valid_unattainable',
    error_description: `the token of ${credential} has ${lifeText(token)} left, ${seconds(demand.minValidMs ?? 0)} s were asked for, and ${why}; ask for less`,
    credential,
  });
}

function tooManyWaiting(credential: string): Reply {
  return refused(503, {
    error: 'too_many_waiting',
    error_description: 'too many readers wait already; ask again without wait_seconds, or later',
    credential,
    retry_after: RETRY_AFTER_DEFAULT_SECONDS,
  });
}

const lifeText = (token: ReadableToken): string => `${Math.floor(Math.max(0, token.lifeLeftMs ?? 0) / 1000)} s`;

/** Seconds until something will happen to this credential, at least one. */
function nextIn(credential: string, daemon: DaemonPort): number {
  const state = daemon.state(credential);
  const inMs = state === undefined ? null : describe(state, daemon.now()).next.inMs;
  return inMs === null ? RETRY_AFTER_DEFAULT_SECONDS : Math.max(1, seconds(inMs));
}

/** Where nothing is planned that could be named: soon enough for people, seldom enough for a loop. */
const RETRY_AFTER_DEFAULT_SECONDS = 5;
