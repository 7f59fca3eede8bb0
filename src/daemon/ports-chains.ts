/**
 * What the API may ask of the chains of a running daemon.
 *
 * Rule: a part of ports.ts, by way of which everybody outside this room has it.
 */
import type { ChainState } from '../core/chain-state.ts';
import type { StandIn } from '../core/stand-in.ts';

/** Chains as readers and watchers see them. */
export interface ChainsPort {
  names(): readonly string[];
  /** As it is at this moment: what has become unusable since the last step is no longer in use. */
  state(chain: string): ChainState | undefined;
  /** Those that this credential is a member of. */
  of(credential: string): readonly string[];
  /** Who serves in its place, in each of them. */
  standIns(credential: string): readonly StandIn[];
  /**
   * Called after each step of a chain, that is after each step of any of its members, and with null when a reload took it out.
   * @returns how to stop listening
   */
  onStep(listener: (chain: string, state: ChainState | null) => void): () => void;
}
