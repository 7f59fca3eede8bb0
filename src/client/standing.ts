/**
 * What the client knows of a credential or a chain, and the words for it when there is no token.
 *
 * Rule: plain data from the daemon's events; the reasons are the daemon's.
 */
import { nearestName } from '../api/nearest.ts';
import type { ChainEvent, PhaseEvent } from '../api/protocol.ts';
import { FreshdError } from './errors.ts';

/** An access token as it is given out. Never changes: a newer one is another object. */
export interface Token {
  /** Whose token it is. */
  readonly credential: string;
  /**
   * Where it was asked for by the name of a chain: `generation` is the chain's then. Null where a member that is not in use had
   * the life that was asked for.
   */
  readonly chain: string | null;
  readonly accessToken: string;
  readonly tokenType: string;
  /** How a request carries it: `bearer`, or the header that holds it bare, such as `x-api-key`. */
  readonly scheme: string;
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

/** Which member of a chain is in use. */
export interface Chain {
  readonly chain: string;
  /** In use; null: none is usable. */
  readonly credential: string | null;
  /** `usable`, `temporarily_unavailable`, `reauthorization_required` (of every member) or `removed`. */
  readonly status: ChainEvent['status'];
  readonly generation: number | null;
  /** This generation was refused somewhere, and the refresh for it is not over. */
  readonly rejectionPending: boolean;
  /** What was in use before, and why it is not any more. */
  readonly insteadOf: ChainEvent['instead_of'];
  /** What each member lacks that lacks anything. */
  readonly members: ChainEvent['members'];
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

export function deniedError(name: string): FreshdError {
  return new FreshdError(
    `${name} has a token that this process may not read; its owner can change the rule in the configuration`,
    { code: 'not_allowed', credential: name },
  );
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

export function phaseOf(event: PhaseEvent): Phase {
  const { credential, phase, status, reason, refreshable, generation, rejection_pending, remedy } = event;
  return { credential, phase, status, reason, refreshable, generation, rejectionPending: rejection_pending, remedy };
}

export function chainOf(event: ChainEvent): Chain {
  const { chain, credential, status, generation, rejection_pending, instead_of, members } = event;
  return {
    chain,
    credential,
    status,
    generation,
    rejectionPending: rejection_pending,
    insteadOf: instead_of,
    members,
  };
}

/** Why a chain has no token: what each of its members lacks. */
export function chainDownError({ chain, status, members }: Chain): FreshdError {
  const lacks = members.map(({ credential, reason, remedy }) =>
    remedy === null ? `${credential}: ${reason}` : `${credential}: ${reason} (${remedy})`,
  );
  const remedy = members.find((member) => member.remedy !== null)?.remedy ?? undefined;
  const code = status === 'reauthorization_required' ? status : 'temporarily_unavailable';
  return new FreshdError(`no member of ${chain} is usable: ${lacks.join('; ')}`, { code, credential: chain, remedy });
}
