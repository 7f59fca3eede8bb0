/**
 * The chains of a daemon: their states, stepped by the engine after their members; what is remembered of them, and logged.
 *
 * Rule: nothing is chosen here, and no chain is stepped but through the engine, whose queue orders it among its members.
 */
import { applyToChain, nextChainDeadline, stepChain } from '../core/chain.ts';
import {
  type ChainSpec,
  type ChainState,
  changeChain,
  initialChain,
  type MemberView,
  rememberChain,
} from '../core/chain-state.ts';
import { memberView, memberViews } from '../core/chain-view.ts';
import type { Effect } from '../core/effect.ts';
import type { Event } from '../core/event.ts';
import { type StandIn, standInsFor } from '../core/stand-in.ts';
import type { CredentialState } from '../core/state.ts';
import type { Now } from '../core/token.ts';
import { describeBug } from './bug.ts';
import { createMemoryKeeper, type MemoryKeeper } from './memory-keeper.ts';
import { createChainObserver } from './observe-chain.ts';
import type { ClockPort, LogPort, MemoryPort, PublisherPort } from './ports.ts';
import type { ChainsPort } from './ports-chains.ts';

/** A chain as the shell manages it. */
export interface ManagedChain {
  readonly spec: ChainSpec;
  /** By the ids of its targets. */
  readonly publishers: readonly PublisherPort[];
}

/** What the engine needs of chains, which share the names, the queue and the alarm of the credentials. */
export interface ChainSteps {
  has(name: string): boolean;
  /** Those that this credential is a member of. */
  of(credential: string): readonly string[];
  /** Commits. `delayMs`: more than 0; null: it waits for nothing by itself. */
  step(chain: string, event: Event, now: Now): { readonly effects: readonly Effect[]; readonly delayMs: number | null };
  /** Tells those who watch. */
  tell(chain: string): void;
}

export interface ChainsOptions {
  readonly state: (credential: string) => CredentialState | undefined;
  readonly dispatch: (name: string, event: Event) => void;
  /** What brings that credential back. */
  readonly remedy: (credential: string) => string;
  /** Shared with the credentials: a name is only one of both. */
  readonly memory: MemoryPort;
  readonly clock: ClockPort;
  readonly log: LogPort;
}

export interface Chains extends ChainsPort, ChainSteps {
  publishers(chain: string): readonly PublisherPort[] | undefined;
  /** What a person can do for its members; no secrets. */
  remedy(chain: string): string;
  /** From now on exactly these. Those that stay keep what is known of them. @returns the names of those that are gone */
  configure(chains: readonly ManagedChain[]): Promise<readonly string[]>;
  /** Resolves when everything that is to be remembered is saved or has failed. */
  flush(): Promise<void>;
}

export function createChains(options: ChainsOptions): Chains {
  return new MemberChains(options);
}

class MemberChains implements Chains {
  readonly #options: ChainsOptions;
  readonly #managed = new Map<string, ManagedChain>();
  readonly #states = new Map<string, ChainState>();
  readonly #byMember = new Map<string, string[]>();
  readonly #listeners = new Set<Parameters<ChainsPort['onStep']>[0]>();
  readonly #keeper: MemoryKeeper<ChainState>;
  readonly #observe: ReturnType<typeof createChainObserver>;

  constructor(options: ChainsOptions) {
    const { memory: port, log, remedy } = options;
    this.#options = options;
    this.#keeper = createMemoryKeeper({ port, remember: rememberChain, log });
    this.#observe = createChainObserver({ log, remedy });
  }

  has = (name: string): boolean => this.#states.has(name);
  names = (): readonly string[] => [...this.#states.keys()];
  of = (credential: string): readonly string[] => this.#byMember.get(credential) ?? NONE;
  publishers = (chain: string): readonly PublisherPort[] | undefined => this.#managed.get(chain)?.publishers;
  flush = (): Promise<void> => this.#keeper.flush();

  state(chain: string): ChainState | undefined {
    const inUse = this.#states.get(chain)?.inUse ?? null;
    // The clock has passed an expiry, and the alarm is not through yet: the reader gets what takes over.
    if (inUse !== null && this.#isOver(inUse.credential)) this.#options.dispatch(inUse.credential, { type: 'tick' });
    return this.#states.get(chain);
  }

  standIns(credential: string): readonly StandIn[] {
    const chains = this.of(credential).flatMap((name) => this.#states.get(name) ?? []);
    return standInsFor(credential, chains, this.#options.state, this.#options.clock.now());
  }

  #isOver(credential: string): boolean {
    return memberView(credential, this.#options.state(credential), this.#options.clock.now()).token === null;
  }

  onStep(listener: Parameters<ChainsPort['onStep']>[0]): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  step(chain: string, event: Event, now: Now): { effects: readonly Effect[]; delayMs: number | null } {
    const before = this.#states.get(chain);
    if (before === undefined) return { effects: [], delayMs: null };
    const views = this.#views(before, now);
    const { state, effects } = stepChain(applyToChain(before, event, now), views, now);
    const delayMs = nextChainDeadline(state, views, now);
    this.#states.set(chain, state);
    if (state === before) return { effects, delayMs };
    this.#keeper.note(state, now);
    this.#observe(before, state);
    return { effects, delayMs };
  }

  tell(chain: string): void {
    const state = this.#states.get(chain) ?? null;
    for (const listener of this.#listeners) listener(chain, state);
  }

  remedy(chain: string): string {
    const members = this.#states.get(chain)?.members ?? [];
    return members.map(({ credential }) => `${credential}: ${this.#options.remedy(credential)}`).join('; ');
  }

  async configure(chains: readonly ManagedChain[]): Promise<readonly string[]> {
    const added = chains.filter(({ spec }) => !this.#states.has(spec.name));
    const memories = new Map(
      await Promise.all(added.map(async ({ spec: { name } }) => [name, await this.#keeper.load(name)] as const)),
    );
    const names = new Set(chains.map(({ spec }) => spec.name));
    const gone = this.names().filter((name) => !names.has(name));
    for (const name of gone) {
      this.#states.delete(name);
      this.#managed.delete(name);
      this.#keeper.forget(name);
    }
    for (const chain of chains) {
      const { spec } = chain;
      const before = this.#states.get(spec.name);
      const state = before === undefined ? initialChain(spec, memories.get(spec.name)) : changeChain(before, spec);
      this.#states.set(spec.name, state);
      this.#managed.set(spec.name, chain);
    }
    this.#byMember.clear();
    for (const { spec } of chains) for (const { credential } of spec.members) this.#join(credential, spec.name);
    for (const name of names) this.#options.dispatch(name, { type: 'tick' });
    for (const name of gone) this.#tellGone(name);
    return gone;
  }

  /** No step of the engine stands behind this one, which would see to a listener that throws. */
  #tellGone(chain: string): void {
    try {
      this.tell(chain);
    } catch (error) {
      this.#options.log.write('error', 'listener_threw', { credential: chain, ...describeBug(error) });
    }
  }

  #join(credential: string, chain: string): void {
    const others = this.#byMember.get(credential);
    if (others === undefined) this.#byMember.set(credential, [chain]);
    else others.push(chain);
  }

  #views(chain: ChainState, now: Now): readonly MemberView[] {
    return memberViews(chain, this.#options.state, now);
  }
}

const NONE: readonly string[] = [];
