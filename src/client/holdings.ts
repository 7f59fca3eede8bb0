/**
 * What the client holds: per name the newest token and how its credential is, as last told by the daemon.
 *
 * Rule: a look-up is one Map access and one look at the clock, and allocates nothing. A token is given out until its own
 * expiry, marked as stale while nobody vouches for it; a generation never goes back.
 */
import { nearestName } from '../api/nearest.ts';
import type { PhaseEvent, TokenBody, TokenEvent } from '../api/protocol.ts';
import { FreshdError } from './errors.ts';

/** An access token as it is given out. Never changes: a newer one is another object. */
export interface Token {
  readonly credential: string;
  readonly accessToken: string;
  readonly tokenType: string;
  /** Grows with each new token of a credential. */
  readonly generation: number;
  /** Epoch ms; null: it does not expire, or nobody said when. */
  readonly expiresAt: number | null;
  /** False: valid for now, but nothing can refresh it. */
  readonly refreshable: boolean;
  /** The daemon is not reached at the moment: the last token it gave, which may have been replaced meanwhile. */
  readonly stale: boolean;
}

/** How a credential is. */
export interface Phase {
  readonly credential: string;
  /** `absent`, `fresh`, `refreshing`, `backing_off`, `recovering`, `reauthorization_required`, `stopped` or `removed`. */
  readonly phase: string;
  /** `usable`, `expiring`, `expired`, `rejected` or `none`; the first two can be read. */
  readonly status: PhaseEvent['status'];
  readonly reason: string | null;
  readonly refreshable: boolean;
  readonly generation: number | null;
  /** This generation was refused somewhere, and the refresh for it is not over. */
  readonly rejectionPending: boolean;
  /** The exact command or act that helps; null while nothing is asked of a person. */
  readonly remedy: string | null;
}

export interface Holdings {
  /** @throws FreshdError that says why there is none */
  token(name: string): Token;
  /** Null when there is none that is valid now. */
  valid(name: string): Token | null;
  phase(name: string): Phase | null;
  names(): readonly string[];
  /** @returns whether it is another generation than before */
  takeToken(body: TokenEvent | TokenBody): Token | null;
  /** @returns null when nothing of it changed */
  takePhase(event: PhaseEvent): Phase | null;
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
    throw this.#missing(name);
  }

  valid(name: string): Token | null {
    const held = this.#held.get(name);
    return held !== undefined && this.#nowMs() < held.endsAtMs ? held.token : null;
  }

  phase(name: string): Phase | null {
    return this.#phases.get(name) ?? null;
  }

  names(): readonly string[] {
    return [...new Set([...this.#phases.keys(), ...this.#held.keys()])];
  }

  takeToken(body: TokenEvent | TokenBody): Token | null {
    const { credential: name, generation } = body;
    this.#named.add(name);
    const before = this.#held.get(name)?.token;
    // An answer to a request may come after the event that overtook it.
    if (before !== undefined && before.generation > generation) return null;
    const expiresAt = body.expires_at === null ? null : Date.parse(body.expires_at);
    const token: Token = {
      credential: name,
      accessToken: body.access_token,
      tokenType: body.token_type,
      generation,
      expiresAt,
      refreshable: body.refreshable,
      stale: false,
    };
    this.#held.set(name, { token, endsAtMs: expiresAt ?? Number.POSITIVE_INFINITY });
    return before?.generation === generation ? null : token;
  }

  takePhase(event: PhaseEvent): Phase | null {
    const { credential: name } = event;
    this.#named.add(name);
    const before = this.#phases.get(name);
    const after = phaseOf(event);
    if (after.status !== 'usable' && after.status !== 'expiring') this.#held.delete(name);
    if (after.phase === 'removed') this.#phases.delete(name);
    else this.#phases.set(name, after);
    return before !== undefined && isSame(before, after) ? null : after;
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
      }
    }
  }

  #vouchFor(name: string): void {
    const held = this.#held.get(name);
    if (held?.token.stale === true) this.#held.set(name, { ...held, token: { ...held.token, stale: false } });
  }

  #missing(name: string): FreshdError {
    const phase = this.#phases.get(name);
    if (phase === undefined) return unknownName(name, this.names());
    return downError(phase);
  }
}

/** Why a credential that is known has no token. */
export function downError({ credential, phase, status, reason, remedy }: Phase): FreshdError {
  if (phase === 'reauthorization_required') {
    const help = remedy === null ? '' : `: ${remedy}`;
    return new FreshdError(`${credential} needs a person (${reason ?? phase})${help}`, {
      code: 'reauthorization_required',
      credential,
      remedy: remedy ?? undefined,
    });
  }
  const next = remedy ?? 'the daemon keeps trying; waitForToken waits for it';
  return new FreshdError(`${credential} has no usable token at the moment (${phase}, ${status}); ${next}`, {
    code: 'temporarily_unavailable',
    credential,
    remedy: remedy ?? undefined,
  });
}

export function unknownName(name: string, names: readonly string[]): FreshdError {
  const nearest = nearestName(name, names) ?? undefined;
  const hint = nearest === undefined ? 'freshd status lists the names' : `did you mean ${nearest}?`;
  return new FreshdError(`no credential ${name} among the ${names.length} known here; ${hint}`, {
    code: 'unknown_credential',
    credential: name,
    nearest,
  });
}

function phaseOf(event: PhaseEvent): Phase {
  const { credential, phase, status, reason, refreshable, generation, rejection_pending, remedy } = event;
  return { credential, phase, status, reason, refreshable, generation, rejectionPending: rejection_pending, remedy };
}

const isSame = (a: Phase, b: Phase): boolean =>
  (Object.keys(a) as (keyof Phase)[]).every((member) => a[member] === b[member]);
