/**
 * From the core's views to the shapes on the wire.
 *
 * Rule: pure mapping; moments become ISO 8601, milliseconds become whole seconds, and nothing is decided here.
 */

import type { AlertWording } from '../core/alert-text.ts';
import type { ChainRead } from '../core/chain-view.ts';
import type { Alert } from '../core/effect.ts';
import { isoText } from '../core/moment.ts';
import type { PhaseKind } from '../core/state.ts';
import { type EpochMs, epochMs, type Now } from '../core/token.ts';
import type {
  CredentialDescription,
  PhaseDescription,
  RejectionOutcome,
  RequestOutcome,
  TokenRead,
} from '../core/view.ts';
import type {
  AlertEvent,
  ChainBody,
  ChainEvent,
  ConsumersBody,
  CredentialBody,
  OutcomeBody,
  PhaseEvent,
  TokenBody,
  TokenEvent,
} from './protocol.ts';

export type ReadableToken = Extract<TokenRead, { kind: 'token' }>;

/** Whose token it is, and by which chain it was asked for. */
interface Source {
  readonly credential: string;
  readonly chain: string | null;
}

export function tokenOnWire({ credential, chain }: Source, token: ReadableToken): TokenBody {
  return {
    credential,
    ...(chain === null ? {} : { chain }),
    access_token: token.accessToken,
    token_type: token.tokenType,
    scheme: token.scheme,
    // Down, never up: a consumer that counts on the last second must not be told of one that is not there.
    expires_in: token.lifeLeftMs === null ? null : Math.max(0, Math.floor(token.lifeLeftMs / 1000)),
    expires_at: isoOrNull(token.expiresAt),
    generation: token.generation,
    refreshable: token.refreshable,
    durable: token.durable,
  };
}

export function tokenEvent(given: { readonly source: Source; readonly token: ReadableToken }): TokenEvent {
  const { expires_in: _volatile, ...rest } = tokenOnWire(given.source, given.token);
  return rest;
}

export function chainEvent(body: ChainBody, read: ChainRead): ChainEvent {
  const { chain, credential, generation, instead_of, members } = body;
  return {
    chain,
    credential,
    status: read.kind === 'token' ? 'usable' : read.code,
    generation,
    rejection_pending: read.kind === 'token' && read.rejectionPending,
    instead_of,
    members: members.flatMap(({ credential: member, reason, code, remedy }) =>
      reason === null || code === null ? [] : { credential: member, reason, code, remedy },
    ),
  };
}

export function phaseEvent(description: PhaseDescription, read: TokenRead, remedy: string): PhaseEvent {
  const { credential, phase, reason, status, refreshable, generation } = description;
  return {
    credential,
    phase,
    reason,
    status,
    refreshable,
    generation,
    rejection_pending: read.kind === 'token' && read.rejectionPending,
    remedy: asksAPerson(description.phase) ? remedy : null,
  };
}

export function alertEvent(credential: string, alert: Alert, words: AlertWording): AlertEvent {
  const { kind, id, at, code } = alert;
  return { credential, kind, id, at: iso(at), code, title: words.title, text: words.text, remedy: words.remedy };
}

/** @param facts what the daemon knows beside the state; the remedy is shown only where a person is asked to act */
export function credentialOnWire(
  description: CredentialDescription,
  facts: {
    readonly remedy: string;
    readonly fault: string | null;
    readonly consumers: ConsumersBody | null;
    readonly chains: readonly string[];
    readonly variable: string | null;
  },
  now: Now,
): CredentialBody {
  const { next, lastAttempt, lastFailure, episode } = description;
  return {
    credential: description.credential,
    phase: description.phase,
    reason: description.reason,
    status: description.status,
    refreshable: description.refreshable,
    durable: description.durable,
    optional: description.optional,
    generation: description.generation,
    expires_at: isoOrNull(description.expiresAt),
    expiry_assumed: description.expiryAssumed,
    next: {
      what: next.what,
      at: next.inMs === null ? null : iso(now.wallMs + next.inMs),
      in_seconds: next.inMs === null ? null : seconds(next.inMs),
      why: next.why,
    },
    last_attempt:
      lastAttempt === null
        ? null
        : { attempt: lastAttempt.attempt, began_at: iso(lastAttempt.beganAt), reason: lastAttempt.reason },
    last_succeeded_at: isoOrNull(description.lastSucceededAt),
    failures: description.failures,
    last_failure:
      lastFailure === null
        ? null
        : { class: lastFailure.class, code: lastFailure.code, at: iso(lastFailure.at), detail: lastFailure.detail },
    in_doubt: description.inDoubt,
    episode:
      episode === null ? null : { started_at: iso(episode.startedAt), code: episode.code, alerts: episode.alerts },
    publications: description.publications,
    variable: facts.variable,
    consumers: facts.consumers,
    chains: facts.chains,
    remedy: asksAPerson(description.phase) ? facts.remedy : null,
    fault: facts.fault,
  };
}

export function outcomeOnWire(
  credential: string,
  outcome: RejectionOutcome | RequestOutcome,
  remedy: string,
  now: Now,
): OutcomeBody {
  switch (outcome.outcome) {
    case 'scheduled':
      return {
        credential,
        outcome: 'scheduled',
        in_seconds: seconds(outcome.inMs),
        at: iso(now.wallMs + outcome.inMs),
      };
    case 'not_refreshable':
      return { credential, outcome: 'not_refreshable', remedy };
    default:
      return { credential, outcome: outcome.outcome };
  }
}

/** Whole seconds, rounded up: whoever waits that long is surely late enough. */
export const seconds = (durationMs: number): number => Math.max(0, Math.ceil(durationMs / 1000));

/** A moment that was added up from jittered delays may have fractions of a millisecond. */
export const iso = (moment: number): string => isoText(epochMs(Math.round(moment)));

const isoOrNull = (moment: EpochMs | null): string | null => (moment === null ? null : iso(moment));

/** Nothing is tried in these phases until somebody logs in. */
export const asksAPerson = (phase: PhaseKind): boolean => phase === 'reauthorization_required' || phase === 'absent';
