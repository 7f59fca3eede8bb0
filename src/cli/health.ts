/**
 * One word for the health of a credential, from what the daemon says of it.
 *
 * Rule: pure; the words of `status --check`.
 */
import type { CredentialBody } from '../api/protocol.ts';
import type { Tone } from './format.ts';

export type Health = 'usable' | 'degraded' | 'unusable';

/** "Refresh failed" is not "token dead": a token that can be read but not refreshed, stored or delivered is degraded. */
export function healthOf(credential: CredentialBody): Health {
  const { status, phase, durable, publications, fault } = credential;
  if (status !== 'usable' && status !== 'expiring') return 'unusable';
  const isTroubled = phase === 'backing_off' || phase === 'recovering' || phase === 'reauthorization_required';
  const isUndelivered = publications.some((publication) => publication.status === 'failed');
  const isSound = status === 'usable' && !isTroubled && durable && !isUndelivered && fault === null;
  return isSound ? 'usable' : 'degraded';
}

/** The worst of those that count; credentials marked optional do not. */
export function healthOfAll(credentials: readonly CredentialBody[]): Health {
  const all = credentials.filter((credential) => !credential.optional).map(healthOf);
  if (all.includes('unusable')) return 'unusable';
  return all.includes('degraded') ? 'degraded' : 'usable';
}

export const TONES: Readonly<Record<Health, Tone>> = { usable: 'good', degraded: 'warning', unusable: 'bad' };
