/**
 * Who serves in the place of a credential, in each chain that it is a member of: for alerts and warnings.
 *
 * Rule: a query; it says who would be chosen without this credential, also before its chain has made its step.
 */
import type { ChainState } from './chain-state.ts';
import { memberView } from './chain-view.ts';
import type { CredentialState } from './state.ts';
import type { Now } from './token.ts';

export interface StandIn {
  readonly chain: string;
  /** Null: no other member is usable. */
  readonly credential: string | null;
}

/** @param chains those that the credential is a member of */
export function standInsFor(
  credential: string,
  chains: readonly ChainState[],
  stateOf: (credential: string) => CredentialState | undefined,
  now: Now,
): readonly StandIn[] {
  return chains.map(({ name: chain, members, inUse }) => {
    const others = members
      .filter((member) => member.credential !== credential)
      .map((member) => memberView(member.credential, stateOf(member.credential), now));
    const usable = others.filter(({ standing }) => standing === 'usable');
    const present = usable.find((other) => other.credential === inUse?.credential);
    const lesser = (['ending', 'doubtful'] as const).map((lack) => others.find(({ standing }) => standing === lack));
    const chosen = present ?? usable[0] ?? lesser[0] ?? lesser[1];
    return { chain, credential: chosen?.credential ?? null };
  });
}

/** `key in anthropic`; `nothing`. */
export function standInText(standIns: readonly StandIn[]): string {
  const taken = standIns.flatMap(({ chain, credential }) => (credential === null ? [] : [`${credential} in ${chain}`]));
  return taken.length === 0 ? 'nothing' : taken.join(', ');
}
