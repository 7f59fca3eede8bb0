/**
 * What the client holds: per name the newest token and how its credential is, as last told by the daemon.
 *
 * Rule: a look-up is one Map access and one look at the clock, and allocates nothing. A token is given out until its own
 * expiry, marked as stale while nobody vouches for it; a generation never goes back.
 */
import type { ChainEvent, PhaseEvent, TokenBody, TokenEvent } from '../api/protocol.ts';
import type { FreshdError } from './errors.ts';
import {
  type Chain,
  chainDownError,
  chainOf,
  deniedError,
  downError,
  type Phase,
  phaseOf,
  type Token,
  unknownName,
} from './standing.ts';

export interface Holdings {
  /** @throws FreshdError that says why there is none */
  token(name: string): Token;
  /** Null when there is none that is valid now. */
  valid(name: string): Token | null;
  phase(name: string): Phase | null;
  chain(name: string): Chain | null;
  /** Why there is no token of that name. */
  missing(name: string): FreshdError;
  /** Somebody was refused with it, and a refresh is under way for that. */
  isRefused(token: Token): boolean;
  names(): readonly string[];
  /** @returns whether it is another generation than before */
  takeToken(body: TokenEvent | TokenBody): Token | null;
  /** @returns null when nothing of it changed */
  takePhase(event: PhaseEvent): Phase | null;
  /** @returns null when nothing of it changed */
  takeChain(event: ChainEvent): Chain | null;
  /** The daemon is gone: everything is stale until it says otherwise. */
  markStale(): void;
  /** The daemon told its present state from the beginning. */
  beginSnapshot(): void;
  /** That was all of it: what it did not name exists no more. `resumed`: what it did not name has not changed. */
  endSnapshot(resumed: boolean): void;
  /** Asks whoever can to bring what is missing or stale up to date, without waiting for it. */
  onNeed: (name: string) => void;
}

export function createHoldings(nowMs: () => number): Holdings {
  return new NewestTokens(nowMs);
}

interface Held {
  readonly token: Token;
  /** When it is given out no more, as a number that can be compared. */
  readonly endsAtMs: number;
}

class NewestTokens implements Holdings {
  onNeed: (name: string) => void = () => undefined;
  readonly #nowMs: () => number;
  readonly #held = new Map<string, Held>();
  readonly #phases = new Map<string, Phase>();
  readonly #chains = new Map<string, Chain>();
  #named = new Set<string>();

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  token(name: string): Token {
    const held = this.#held.get(name);
    if (held !== undefined && this.#nowMs() < held.endsAtMs) {
      if (held.token.stale) this.onNeed(name);
      return held.token;
    }
    this.onNeed(name);
    throw this.missing(name);
  }

  valid(name: string): Token | null {
    const held = this.#held.get(name);
    return held !== undefined && this.#nowMs() < held.endsAtMs ? held.token : null;
  }

  phase(name: string): Phase | null {
    return this.#phases.get(name) ?? null;
  }

  chain(name: string): Chain | null {
    return this.#chains.get(name) ?? null;
  }

  names(): readonly string[] {
    return [...new Set([...this.#phases.keys(), ...this.#chains.keys(), ...this.#held.keys()])];
  }

  takeToken(body: TokenEvent | TokenBody): Token | null {
    const token = tokenOf(body);
    const { generation, expiresAt } = token;
    const name = token.chain ?? token.credential;
    this.#named.add(name);
    const before = this.#held.get(name)?.token;
    // An answer to a request may come after the event that overtook it.
    if (before !== undefined && before.generation > generation) return null;
    this.#held.set(name, { token, endsAtMs: expiresAt ?? Number.POSITIVE_INFINITY });
    return before?.generation === generation ? null : token;
  }

  takePhase(event: PhaseEvent): Phase | null {
    const { credential: name } = event;
    this.#named.add(name);
    const before = this.#phases.get(name);
    const after = phaseOf(event);
    if (!READABLE.has(after.status)) this.#held.delete(name);
    if (after.phase === 'removed') this.#phases.delete(name);
    else this.#phases.set(name, after);
    return before !== undefined && isSame(before, after) ? null : after;
  }

  takeChain(event: ChainEvent): Chain | null {
    const { chain: name } = event;
    this.#named.add(name);
    const before = this.#chains.get(name);
    const after = chainOf(event);
    if (after.status !== 'usable') this.#held.delete(name);
    if (after.status === 'removed') this.#chains.delete(name);
    else this.#chains.set(name, after);
    return before !== undefined && isSame(before, after) ? null : after;
  }

  missing(name: string): FreshdError {
    const phase = this.#phases.get(name);
    const chain = this.#chains.get(name);
    // Both come with the token, for whoever may have it.
    const isThere = READABLE.has(phase?.status ?? chain?.status ?? 'none');
    if (isThere && !this.#held.has(name)) return deniedError(name);
    if (phase !== undefined) return downError(phase);
    return chain === undefined ? unknownName(name, this.names()) : chainDownError(chain);
  }

  isRefused({ credential, chain, generation }: Token): boolean {
    const standing = chain === null ? this.#phases.get(credential) : this.#chains.get(chain);
    return standing?.rejectionPending === true && standing.generation === generation;
  }

  markStale(): void {
    for (const [name, { token, endsAtMs }] of this.#held) {
      if (!token.stale) this.#held.set(name, { token: { ...token, stale: true }, endsAtMs });
    }
  }

  beginSnapshot(): void {
    this.#named = new Set();
  }

  endSnapshot(resumed: boolean): void {
    for (const name of this.names()) {
      if (this.#named.has(name)) continue;
      if (resumed) this.#vouchFor(name);
      else {
        this.#held.delete(name);
        this.#phases.delete(name);
        this.#chains.delete(name);
      }
    }
  }

  #vouchFor(name: string): void {
    const held = this.#held.get(name);
    if (held?.token.stale === true) this.#held.set(name, { ...held, token: { ...held.token, stale: false } });
  }
}

export function tokenOf(body: TokenEvent | TokenBody): Token {
  return {
    credential: body.credential,
    chain: body.chain ?? null,
    accessToken: body.access_token,
    tokenType: body.token_type,
    scheme: body.scheme,
    generation: body.generation,
    expiresAt: body.expires_at === null ? null : Date.parse(body.expires_at),
    refreshable: body.refreshable,
    stale: false,
  };
}

/** With one of these there is a token. */
const READABLE: ReadonlySet<Phase['status'] | Chain['status']> = new Set(['usable', 'expiring']);

/** Members that are lists or objects are small, and seldom there. */
const isSame = (a: object, b: object): boolean => JSON.stringify(a) === JSON.stringify(b);
