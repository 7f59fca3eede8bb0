/**
 * Reading a token on a reader's terms: so much life left, another generation, and how long to wait for it.
 *
 * Rule: without a wait nothing is started and nothing awaited. With one, at most one request goes to the core, and the
 * answer is made from the state as it is when the wait ends.
 */
import type { CredentialState } from '../core/state.ts';
import type { Generation, Now } from '../core/token.ts';
import { readToken } from '../core/view.ts';
import type { DaemonPort } from '../daemon/ports.ts';
import { type Reply, unknownCredential } from './reply.ts';
import {
  noNewerToken,
  reauthorizationRequired,
  tokenReply,
  tooManyWaiting,
  tooShort,
  unattainable,
  unusable,
} from './token-replies.ts';
import type { Waiting } from './waiting.ts';
import type { ReadableToken } from './wire.ts';

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
    // A token that lives longer than that one did shows that the server has changed its mind.
    return longestMs === undefined || (demand.minValidMs ?? 0) <= Math.max(longestMs, found.token.lifeMs ?? 0);
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
    return answerTo(daemon, { credential, found: last, demand, attainable: isAttainable(credential, last, demand) });
  }

  return {
    read(credential, demand, onGone) {
      const found = look(credential, demand);
      const attainable = isAttainable(credential, found, demand);
      const answersNow = demand.waitMs === 0 || isFinal(found) || !attainable;
      return answersNow
        ? answerTo(daemon, { credential, found, demand, attainable })
        : readLater(credential, demand, found, onGone);
    },
  };
}

function answerTo(
  daemon: DaemonPort,
  { credential, found, demand, attainable }: { credential: string; found: Look; demand: Demand; attainable: boolean },
): Reply {
  switch (found.verdict) {
    case 'unknown':
      return unknownCredential(daemon, credential);
    case 'satisfied':
    case 'rejected':
      return tokenReply(credential, found.token, demand.asText);
    case 'too_short': {
      const minValidMs = demand.minValidMs ?? 0;
      const isHopeless = !found.token.refreshable || !attainable;
      return isHopeless
        ? unattainable(credential, found.token, minValidMs)
        : tooShort(credential, found.token, minValidMs, daemon);
    }
    case 'same_generation':
      return found.isFinal
        ? reauthorizationRequired(credential, 'no newer token can come', daemon)
        : noNewerToken(credential, found.token, daemon);
    case 'reauthorization_required':
      return reauthorizationRequired(credential, found.reason, daemon);
    case 'unusable':
      return unusable(credential, found, daemon);
  }
}

type OnGone = (leave: () => void) => void;

/** How what is there compares with what was asked for. */
type Look =
  | { readonly verdict: 'unknown' }
  | { readonly verdict: 'satisfied' | 'rejected' | 'too_short'; readonly token: ReadableToken }
  | { readonly verdict: 'same_generation'; readonly token: ReadableToken; readonly isFinal: boolean }
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
    return { verdict: 'same_generation', token: read, isFinal };
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
