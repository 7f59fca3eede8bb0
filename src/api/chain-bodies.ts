/**
 * What the daemon says of its chains: who is in use, what the others lack, readiness.
 *
 * Rule: only looks; no secret passes through here.
 */
import type { ChainState } from '../core/chain-state.ts';
import { chainReadiness, describeChain, explainChain } from '../core/chain-view.ts';
import type { DaemonPort } from '../daemon/ports.ts';
import type { Consumers } from './consumers.ts';
import type { ChainBody, ChainDetailBody, ConsumersBody, ReadyBody } from './protocol.ts';
import { iso, seconds } from './wire.ts';

export function chainBodies(
  daemon: DaemonPort,
  consumersOf: (chain: string) => ConsumersBody | null,
): readonly ChainBody[] {
  return chainsOf(daemon).map((chain) => chainBody(daemon, chain, consumersOf(chain.name)));
}

/** @returns null when no chain has that name */
export function chainDetailBody(daemon: DaemonPort, name: string, consumers: Consumers): ChainDetailBody | null {
  const chain = daemon.chains.state(name);
  if (chain === undefined) return null;
  const detail = consumers.detail(name);
  const explanation = explainChain(chain, stateOf(daemon), daemon.now());
  return { ...chainBody(daemon, chain, detail), explanation, consumers: detail };
}

export function chainsReady(daemon: DaemonPort): ReadyBody['chains'] {
  const now = daemon.now();
  return chainsOf(daemon).map((chain) => {
    const fault = daemon.fault?.(chain.name) ?? null;
    const { credential, optional } = describeChain(chain, stateOf(daemon), now);
    const verdict = fault === null ? chainReadiness(chain, stateOf(daemon), now) : { ready: false, reason: fault };
    return { chain: chain.name, credential, ...verdict, optional };
  });
}

export function chainBody(daemon: DaemonPort, chain: ChainState, consumers: ConsumersBody | null): ChainBody {
  const { since, instead, members, ...description } = describeChain(chain, stateOf(daemon), daemon.now());
  return {
    chain: description.chain,
    credential: description.credential,
    generation: description.generation,
    since: since === null ? null : iso(since),
    instead_of: instead === null ? null : { credential: instead.of, reason: instead.reason, code: instead.code },
    optional: description.optional,
    members: members.map(({ credential, standing, lack, settlesInMs }) => ({
      credential,
      standing,
      reason: lack?.reason ?? null,
      code: lack?.code ?? null,
      remedy: lack?.needsPerson === true ? daemon.remedy(credential) : null,
      settles_in_seconds: settlesInMs === null ? null : seconds(settlesInMs),
    })),
    publications: description.publications,
    consumers,
    fault: daemon.fault?.(chain.name) ?? null,
  };
}

const chainsOf = ({ chains }: DaemonPort): readonly ChainState[] =>
  chains.names().flatMap((name) => chains.state(name) ?? []);

const stateOf = (daemon: DaemonPort) => (credential: string) => daemon.state(credential);
