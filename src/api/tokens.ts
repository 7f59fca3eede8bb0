/**
 * Reading a token on a reader's terms: so much life left, another generation, and how long to wait for it.
 *
 * Rule: without a wait nothing is started and nothing awaited. With one, at most one request goes to the core, and the
 * answer is made from the state as it is when the wait ends.
 */
import type { Denial } from '../core/access.ts';
import type { Generation } from '../core/token.ts';
import type { DaemonPort } from '../daemon/ports.ts';
import type { Asker } from './access.ts';
import {
  type NamedRead,
  type NamedToken,
  readNamed,
  readReserve,
  refreshersOf,
  refusalOf,
  type UnusableRead,
} from './named-token.ts';
import { notAllowed, type Reply, unknownCredential } from './reply.ts';
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

export interface Reader {
  readonly asker: Pick<Asker, 'denialOf' | 'noteDenied' | 'noteRead'>;
  /** Registers what to call when the client hangs up. */
  readonly onGone: (leave: () => void) => void;
}

export interface TokenReader {
  /** @param name of a credential or a chain */
  read(name: string, demand: Demand, reader: Reader): Reply | Promise<Reply>;
}

export function createTokenReader(daemon: DaemonPort, waiting: Waiting): TokenReader {
  /**
   * Life of the token that the last demand of a reader brought, per credential: a reader that wants more than that
   * would make the daemon refresh again and again for nothing.
   */
  const demandedLifeMs = new Map<string, number>();

  const look = (name: string, demand: Demand, reader: Reader): Look => lookFor(daemon, { name, demand, reader });

  /** Of a chain another member may live long enough; null where what was found is all there is. */
  function reserveFor(name: string, found: Look, demand: Demand, { asker }: Reader): NamedToken | null {
    if (found.verdict !== 'too_short') return null;
    const reserve = readReserve(daemon, name, { minValidMs: demand.minValidMs ?? 0, asker });
    return reserve?.generation === demand.afterGeneration ? null : reserve;
  }

  function answer(name: string, found: Look, demand: Demand, reader: Reader): Reply {
    const reserve = reserveFor(name, found, demand, reader);
    const given = reserve ?? (found.verdict === 'satisfied' || found.verdict === 'rejected' ? found.token : null);
    if (given !== null) reader.asker.noteRead(given.credential);
    if (found.verdict === 'denied') reader.asker.noteDenied(found.credential, found.denial);
    if (reserve !== null) return tokenReply(reserve, demand.asText);
    return answerTo(daemon, { name, found, demand, attainable: isAttainable(found, demand) });
  }

  function isAttainable(found: Look, demand: Demand): boolean {
    if (found.verdict !== 'too_short') return true;
    const longestMs = demandedLifeMs.get(found.token.credential);
    // A token that lives longer than that one did shows that the server has changed its mind.
    return longestMs === undefined || (demand.minValidMs ?? 0) <= Math.max(longestMs, found.token.lifeMs ?? 0);
  }

  async function readLater(name: string, demand: Demand, found: Look, reader: Reader): Promise<Reply> {
    const firstGeneration = generationOf(found);
    const cause = causeOf(found);
    if (cause !== null) {
      for (const credential of refreshersOf(daemon, name)) {
        if (reader.asker.denialOf(credential) !== null) continue;
        daemon.dispatch(credential, { type: 'refresh_requested', cause, force: false });
      }
    }

    const isDone = (): boolean => {
      const now = look(name, demand, reader);
      if (now.verdict !== 'too_short') return isFinal(now);
      // The member in use is preferred as long as it is being refreshed for this.
      const isRefreshing = daemon.state(now.token.credential)?.phase.kind === 'refreshing';
      return generationOf(now) !== firstGeneration || (!isRefreshing && reserveFor(name, now, demand, reader) !== null);
    };
    if (!isDone()) {
      const wait = waiting.wait(name, demand.waitMs, isDone, reader.onGone);
      if (wait === null) return tooManyWaiting(name);
      await wait;
    }

    const last = look(name, demand, reader);
    if (last.verdict === 'too_short' && last.token.generation !== firstGeneration && last.token.lifeLeftMs !== null) {
      demandedLifeMs.set(last.token.credential, last.token.lifeLeftMs);
    }
    return answer(name, last, demand, reader);
  }

  return {
    read(name, demand, reader) {
      const found = look(name, demand, reader);
      const answersNow = demand.waitMs === 0 || isFinal(found) || !isAttainable(found, demand);
      return answersNow ? answer(name, found, demand, reader) : readLater(name, demand, found, reader);
    },
  };
}

interface Answer {
  readonly name: string;
  readonly found: Look;
  readonly demand: Demand;
  readonly attainable: boolean;
}

function answerTo(daemon: DaemonPort, { name, found, demand, attainable }: Answer): Reply {
  switch (found.verdict) {
    case 'unknown':
      return unknownCredential(daemon, name);
    case 'denied':
      return notAllowed(found.credential, found.denial);
    case 'satisfied':
    case 'rejected':
      return tokenReply(found.token, demand.asText);
    case 'too_short': {
      const minValidMs = demand.minValidMs ?? 0;
      const isHopeless = !found.token.refreshable || !attainable;
      return isHopeless ? unattainable(found.token, minValidMs) : tooShort(found.token, minValidMs, daemon);
    }
    case 'same_generation':
      return found.token.isLast
        ? reauthorizationRequired(found.token.credential, 'no newer token can come', daemon)
        : noNewerToken(found.token, daemon);
    case 'unusable':
      return unusable(name, found.read, daemon);
  }
}

function lookFor(
  daemon: DaemonPort,
  { name, demand, reader: { asker } }: Pick<Answer, 'name' | 'demand'> & { readonly reader: Reader },
): Look {
  const read = readNamed(daemon, name);
  const refusal = refusalOf(daemon, { name, read, asker });
  return refusal === null ? judge(read, demand) : { verdict: 'denied', ...refusal };
}

/** How what is there compares with what was asked for. */
type Look =
  | { readonly verdict: 'unknown' }
  | { readonly verdict: 'denied'; readonly credential: string; readonly denial: Denial }
  | { readonly verdict: 'satisfied' | 'rejected' | 'too_short' | 'same_generation'; readonly token: NamedToken }
  | { readonly verdict: 'unusable'; readonly read: UnusableRead };

function judge(read: NamedRead | null, demand: Demand): Look {
  if (read === null) return { verdict: 'unknown' };
  if (read.kind === 'unusable') return { verdict: 'unusable', read };
  if (read.generation === demand.afterGeneration) return { verdict: 'same_generation', token: read };
  const isTooShort = demand.minValidMs !== null && read.lifeLeftMs !== null && read.lifeLeftMs < demand.minValidMs;
  if (isTooShort) return { verdict: 'too_short', token: read };
  return { verdict: read.rejectionPending ? 'rejected' : 'satisfied', token: read };
}

/** Waiting longer cannot change the answer. */
function isFinal(found: Look): boolean {
  switch (found.verdict) {
    case 'unknown':
    case 'denied':
    case 'satisfied':
      return true;
    case 'unusable':
      return found.read.code === 'reauthorization_required';
    case 'same_generation':
      // A person must act first: no newer token is on its way, and whoever waits for one should know at once.
      return found.token.isLast;
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
