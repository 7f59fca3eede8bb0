/**
 * One word for the health of a credential or a chain, from what the daemon says of it.
 *
 * Rule: pure; the words of `status --check`.
 */
import type { ChainBody, CredentialBody, CredentialsBody } from '../api/protocol.ts';
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

/**
 * A chain that serves is usable in spite of a member that is down, but somebody should look.
 * @param inUse the credential in use, where it is known
 */
export function healthOfChain(chain: ChainBody, inUse?: CredentialBody): Health {
  const { credential, members, publications, fault } = chain;
  if (credential === null) return 'unusable';
  const isWhole = members[0]?.credential === credential && members.every(({ standing }) => standing === 'usable');
  const isUndelivered = publications.some(({ status }) => status === 'failed');
  const isTroubled = inUse !== undefined && healthOf(inUse) !== 'usable';
  return isWhole && !isUndelivered && !isTroubled && fault === null ? 'usable' : 'degraded';
}

/** The worst of those that count: credentials marked optional do not, nor do members of chains, for which the chain counts. */
export function healthOfAll({ credentials, chains }: Pick<CredentialsBody, 'credentials' | 'chains'>): Health {
  const byName = new Map(credentials.map((credential) => [credential.credential, credential]));
  const alone = credentials.filter((credential) => !credential.optional && credential.chains.length === 0);
  const joined = chains.filter(({ optional }) => !optional);
  const all = [
    ...alone.map(healthOf),
    ...joined.map((chain) => healthOfChain(chain, byName.get(chain.credential ?? ''))),
  ];
  if (all.includes('unusable')) return 'unusable';
  return all.includes('degraded') ? 'degraded' : 'usable';
}

export const TONES: Readonly<Record<Health, Tone>> = { usable: 'good', degraded: 'warning', unusable: 'bad' };
