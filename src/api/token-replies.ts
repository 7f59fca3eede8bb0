/**
 * The answers to a read of a token: the token itself, or why there is none and what to do.
 *
 * Rule: every refusal says what was asked for, what is there, and when or how to ask again.
 */
import { lackText, type MemberLack } from '../core/chain-view.ts';
import { describe } from '../core/view.ts';
import type { DaemonPort } from '../daemon/ports.ts';
import type { NamedToken, UnusableRead } from './named-token.ts';
import type { ErrorBody } from './protocol.ts';
import type { MemberLackBody } from './protocol-chain.ts';
import { type Reply, refused, success } from './reply.ts';
import { asksAPerson, type ReadableToken, seconds, tokenOnWire } from './wire.ts';

export function tokenReply(token: NamedToken, asText: boolean): Reply {
  return success(200, asText ? token.accessToken : tokenOnWire(token, token));
}

/** @param name of the credential or chain that was asked for */
export function unusable(name: string, read: UnusableRead, daemon: DaemonPort): Reply {
  if (read.members !== null) return unusableChain(name, read.members, read, daemon);
  if (read.code === 'reauthorization_required') return reauthorizationRequired(name, read.reason, daemon);
  const phase = daemon.state(name)?.phase.kind;
  // Not a 409: what is not there yet may be on its way (a mount, a first login), and the daemon looks again by itself.
  const remedy = phase !== undefined && asksAPerson(phase) ? daemon.remedy(name) : null;
  const next = remedy ?? 'the daemon keeps trying, ask again later';
  return refused(503, {
    error: 'temporarily_unavailable',
    error_description: `${name} has no usable token at the moment (${read.reason}); ${next}`,
    credential: name,
    reason: read.reason,
    ...(remedy === null ? {} : { remedy }),
    retry_after: retryAfter(read.retryAfterMs),
  });
}

function unusableChain(
  chain: string,
  lacks: readonly MemberLack[],
  { code, reason, retryAfterMs }: UnusableRead,
  daemon: DaemonPort,
): Reply {
  const members = lacks.map((lack) => memberLackOnWire(lack, daemon));
  const each = members.map(
    (member) => `${member.credential}: ${lackText(member)}${member.remedy === null ? '' : `, ${member.remedy}`}`,
  );
  const isFinal = code === 'reauthorization_required';
  const next = isFinal ? 'each needs a person' : 'the daemon keeps trying, ask again later';
  return refused(isFinal ? 409 : 503, {
    error: code,
    error_description: `${chain} has no usable member: ${each.join('; ')}; ${next}`,
    chain,
    reason,
    members,
    ...(isFinal ? {} : { retry_after: retryAfter(retryAfterMs) }),
  });
}

function memberLackOnWire(lack: MemberLack, daemon: DaemonPort): MemberLackBody {
  const { credential, reason, code, needsPerson, retryAfterMs } = lack;
  return {
    credential,
    reason,
    code,
    remedy: needsPerson ? daemon.remedy(credential) : null,
    retry_after: retryAfterMs === null ? null : retryAfter(retryAfterMs),
  };
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

export function tooShort(token: NamedToken, minValidMs: number, daemon: DaemonPort): Reply {
  return refused(503, {
    error: 'temporarily_unavailable',
    error_description: `the token of ${nameOf(token)} has ${lifeText(token)} left, less than the ${seconds(minValidMs)} s asked for; ask again with wait_seconds, or later`,
    ...sourceOf(token),
    reason: 'min_valid',
    retry_after: retryAfter(nextInMs(token.credential, daemon)),
  });
}

export function unattainable(token: NamedToken, minValidMs: number): Reply {
  const why = token.refreshable ? 'a fresh one does not live longer' : 'nothing here can refresh it';
  return refused(503, {
    error: 'min_valid_unattainable',
    error_description: `the token of ${nameOf(token)} has ${lifeText(token)} left, ${seconds(minValidMs)} s were asked for, and ${why}; ask for less`,
    ...sourceOf(token),
  });
}

export function noNewerToken(token: NamedToken, daemon: DaemonPort): Reply {
  return refused(503, {
    error: 'no_newer_token',
    error_description: `generation ${token.generation} is still the newest of ${nameOf(token)}; ask again later`,
    ...sourceOf(token),
    retry_after: retryAfter(nextInMs(token.credential, daemon)),
  });
}

export function tooManyWaiting(name: string): Reply {
  return refused(503, {
    error: 'too_many_waiting',
    error_description: 'too many readers wait already; ask again without wait_seconds, or later',
    credential: name,
    retry_after: RETRY_AFTER_DEFAULT_SECONDS,
  });
}

const nameOf = ({ credential, chain }: NamedToken): string =>
  chain === null ? credential : `${chain} (${credential})`;

const sourceOf = ({ credential, chain }: NamedToken): Pick<ErrorBody, 'credential' | 'chain'> =>
  chain === null ? { credential } : { credential, chain };

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
