/**
 * The answers to a read of a token: the token itself, or why there is none and what to do.
 *
 * Rule: every refusal says what was asked for, what is there, and when or how to ask again.
 */
import { describe } from '../core/view.ts';
import type { DaemonPort } from '../daemon/ports.ts';
import { type Reply, refused, success } from './reply.ts';
import { asksAPerson, type ReadableToken, seconds, tokenOnWire } from './wire.ts';

export function tokenReply(credential: string, token: ReadableToken, asText: boolean): Reply {
  return success(200, asText ? token.accessToken : tokenOnWire(credential, token));
}

export function reauthorizationRequired(credential: string, reason: string, daemon: DaemonPort): Reply {
  const remedy = daemon.remedy(credential);
  return refused(409, {
    error: 'reauthorization_required',
    error_description: `${credential} needs a person (${reason}): ${remedy}`,
    credential,
    reason,
    remedy,
  });
}

export function unusable(
  credential: string,
  found: { readonly reason: string; readonly retryAfterMs: number | null },
  daemon: DaemonPort,
): Reply {
  const phase = daemon.state(credential)?.phase.kind;
  // Not a 409: what is not there yet may be on its way (a mount, a first login), and the daemon looks again by itself.
  const remedy = phase !== undefined && asksAPerson(phase) ? daemon.remedy(credential) : null;
  const next = remedy ?? 'the daemon keeps trying, ask again later';
  return refused(503, {
    error: 'temporarily_unavailable',
    error_description: `${credential} has no usable token at the moment (${found.reason}); ${next}`,
    credential,
    reason: found.reason,
    ...(remedy === null ? {} : { remedy }),
    retry_after: retryAfter(found.retryAfterMs),
  });
}

export function tooShort(credential: string, token: ReadableToken, minValidMs: number, daemon: DaemonPort): Reply {
  return refused(503, {
    error: 'temporarily_unavailable',
    error_description: `the token of ${credential} has ${lifeText(token)} left, less than the ${seconds(minValidMs)} s asked for; ask again with wait_seconds, or later`,
    credential,
    reason: 'min_valid',
    retry_after: retryAfter(nextInMs(credential, daemon)),
  });
}

export function unattainable(credential: string, token: ReadableToken, minValidMs: number): Reply {
  const why = token.refreshable ? 'a fresh one does not live longer' : 'nothing here can refresh it';
  return refused(503, {
    error: 'min_valid_unattainable',
    error_description: `the token of ${credential} has ${lifeText(token)} left, ${seconds(minValidMs)} s were asked for, and ${why}; ask for less`,
    credential,
  });
}

export function noNewerToken(credential: string, token: ReadableToken, daemon: DaemonPort): Reply {
  return refused(503, {
    error: 'no_newer_token',
    error_description: `generation ${token.generation} is still the newest of ${credential}; ask again later`,
    credential,
    retry_after: retryAfter(nextInMs(credential, daemon)),
  });
}

export function tooManyWaiting(credential: string): Reply {
  return refused(503, {
    error: 'too_many_waiting',
    error_description: 'too many readers wait already; ask again without wait_seconds, or later',
    credential,
    retry_after: RETRY_AFTER_DEFAULT_SECONDS,
  });
}

const lifeText = (token: ReadableToken): string => `${Math.floor(Math.max(0, token.lifeLeftMs ?? 0) / 1000)} s`;

function nextInMs(credential: string, daemon: DaemonPort): number | null {
  const state = daemon.state(credential);
  return state === undefined ? null : describe(state, daemon.now()).next.inMs;
}

/** At least a second: whoever obeys a zero asks in a loop. */
const retryAfter = (inMs: number | null): number =>
  inMs === null ? RETRY_AFTER_DEFAULT_SECONDS : Math.max(1, seconds(inMs));

/** Where nothing is planned that could be named: soon enough for people, seldom enough for a loop. */
const RETRY_AFTER_DEFAULT_SECONDS = 5;
