/**
 * What a reader gets by a name: the token of a credential, or that of the member of a chain that is in use.
 *
 * Rule: the only place of this room that knows both; everything is as the core's views say.
 */
import type { Denial } from '../core/access.ts';
import { type MemberLack, memberView, readChain } from '../core/chain-view.ts';
import type { CredentialState } from '../core/state.ts';
import { readToken, type TokenRead } from '../core/view.ts';
import type { DaemonPort } from '../daemon/ports.ts';
import type { Asker } from './access.ts';
import type { ReadableToken } from './wire.ts';

export interface NamedToken extends ReadableToken {
  /** Whose token it is. */
  readonly credential: string;
  /** Null: it was asked for by the credential's own name. Otherwise the generation is the chain's. */
  readonly chain: string | null;
  /** No newer token comes unless a person acts. */
  readonly isLast: boolean;
}

export type UnusableRead = Extract<TokenRead, { kind: 'unusable' }> & {
  /** What each lacks; null: the name is a credential's. */
  readonly members: readonly MemberLack[] | null;
};

export type NamedRead = NamedToken | UnusableRead;

/** @returns null when neither a credential nor a chain has that name */
export function readNamed(daemon: DaemonPort, name: string): NamedRead | null {
  const state = daemon.state(name);
  if (state === undefined) return readNamedChain(daemon, name);
  const read = readToken(state, daemon.now());
  if (read.kind === 'unusable') return { ...read, members: null };
  return { ...read, credential: name, chain: null, isLast: isLatched(state) };
}

function readNamedChain(daemon: DaemonPort, name: string): NamedRead | null {
  const chain = daemon.chains.state(name);
  if (chain === undefined) return null;
  const stateOf = (credential: string): CredentialState | undefined => daemon.state(credential);
  const read = readChain(chain, stateOf, daemon.now());
  if (read.kind === 'unusable') return { ...read, reason: 'no_usable_member' };
  const isLast = chain.members.every(({ credential }) => isLatched(stateOf(credential)));
  return { ...read, chain: name, isLast };
}

/**
 * The token of another member of that chain than the one in use, if one lives so long: the first in their order. It is given
 * under its own name and generation, since the chain's generation stands for the member in use.
 */
export function readReserve(
  daemon: DaemonPort,
  name: string,
  { minValidMs, asker }: { readonly minValidMs: number; readonly asker: Pick<Asker, 'denialOf'> },
): NamedToken | null {
  const chain = daemon.chains.state(name);
  for (const { credential } of chain?.members ?? []) {
    const isInReserve = credential !== chain?.inUse?.credential;
    if (!isInReserve || memberView(credential, daemon.state(credential), daemon.now()).standing !== 'usable') continue;
    const read = readNamed(daemon, credential);
    const isLong = read !== null && read.kind === 'token' && (read.lifeLeftMs ?? minValidMs) >= minValidMs;
    if (isLong && asker.denialOf(credential) === null) return read;
  }
  return null;
}

/**
 * May this reader have what is read by that name? A chain's token is that of a member, and of a chain without one it is enough to
 * be allowed to read any.
 */
export function refusalOf(
  daemon: DaemonPort,
  {
    name,
    read,
    asker,
  }: { readonly name: string; readonly read: NamedRead | null; readonly asker: Pick<Asker, 'denialOf'> },
): { readonly credential: string; readonly denial: Denial } | null {
  if (read === null) return null;
  const members = daemon.chains.state(name)?.members.map(({ credential }) => credential) ?? [name];
  let refusal: ReturnType<typeof refusalOf> = null;
  for (const credential of read.kind === 'token' ? [read.credential] : members) {
    const denial = asker.denialOf(credential);
    if (denial === null) return null;
    refusal ??= { credential, denial };
  }
  return refusal;
}

const isLatched = (state: CredentialState | undefined): boolean => state?.phase.kind === 'reauthorization_required';

/** Those whose refresh would help a reader of that name: the one in use, or, when none is, all. */
export function refreshersOf(daemon: DaemonPort, name: string): readonly string[] {
  const chain = daemon.chains.state(name);
  if (chain === undefined) return [name];
  return chain.inUse === null ? chain.members.map(({ credential }) => credential) : [chain.inUse.credential];
}
