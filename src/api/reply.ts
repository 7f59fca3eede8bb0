/**
 * Answers as data: what a route decides before anything is written to a connection.
 *
 * Rule: an error always has the one shape of `ErrorBody`; only a token's own answer holds a token.
 */
import type { Socket } from 'node:net';
import type { Denial } from '../core/access.ts';
import type { ChainState } from '../core/chain-state.ts';
import type { DaemonPort } from '../daemon/ports.ts';
import { nearestName } from './nearest.ts';
import type { ErrorBody } from './protocol.ts';
import { seconds } from './wire.ts';

export interface Reply {
  readonly status: number;
  /** A string is sent as `text/plain`, anything else as JSON. */
  readonly body: string | object;
  /** In place of these. */
  readonly contentType?: string;
  readonly retryAfterSeconds: number | null;
}

/** The connection becomes a stream: whoever takes it over writes to it from then on. */
export interface Takeover {
  /** @returns what to answer instead when that cannot be */
  readonly takeOver: (socket: Socket) => Reply | null;
}

export const success = (status: 200 | 202, body: string | object): Reply => ({ status, body, retryAfterSeconds: null });

export const refused = (status: number, body: ErrorBody): Reply => ({
  status,
  body,
  retryAfterSeconds: body.retry_after ?? null,
});

export const tooManySubscribers = (): Reply =>
  refused(503, {
    error: 'too_many_subscribers',
    error_description: 'too many subscribe already; read with after_generation and wait_seconds, or subscribe later',
    retry_after: SUBSCRIBE_AGAIN_SECONDS,
  });

/** Only the end of another subscription makes room. */
const SUBSCRIBE_AGAIN_SECONDS = 60;

/** The rule is named, so that whoever may change it knows which. */
export function notAllowed(credential: string, { rule, expected, seen }: Denial): Reply {
  return refused(403, {
    error: 'not_allowed',
    error_description: `${credential} may be read by ${expected} (${rule}), and this is ${seen}; its owner can change the rule in the configuration`,
    credential,
    reason: rule,
  });
}

export const tooManyRequests = (waitMs: number): Reply =>
  refused(429, {
    error: 'too_many_requests',
    error_description: 'too many requests of one reader; subscribe to GET /v1/events instead of asking again and again',
    retry_after: seconds(waitMs),
  });

export function unknownCredential(daemon: DaemonPort, wanted: string): Reply {
  const chain = daemon.chains.state(wanted);
  if (chain !== undefined) return needsMember(chain);
  const names = [...daemon.names(), ...daemon.chains.names()];
  const nearest = nearestName(wanted, names);
  const hint = nearest === null ? 'freshd status lists the names' : `did you mean ${nearest}?`;
  return refused(404, {
    error: 'unknown_credential',
    error_description: `no credential ${wanted} among the ${names.length} configured; ${hint}`,
    credential: wanted,
    ...(nearest === null ? {} : { nearest }),
  });
}

/** What is asked for concerns one credential, and a chain is several. */
function needsMember({ name, members, inUse }: ChainState): Reply {
  const names = members.map(({ credential }) => credential).join(', ');
  const nearest = inUse?.credential ?? members[0]?.credential;
  return refused(404, {
    error: 'unknown_credential',
    error_description: `${name} is a chain of ${names}: name the credential that you mean`,
    chain: name,
    ...(nearest === undefined ? {} : { nearest }),
  });
}
