/**
 * What is known of a chain: its members, who is in use, its generations, and how a chain begins.
 *
 * Rule: data and its beginnings only; who is chosen is the matter of chain.ts.
 */
import type { AlertKind, Limits } from './policy.ts';
import type { AlertRecord, Delivery, SentinelDelivery } from './state.ts';
import { NEW_SENTINEL, newDelivery, type Published, publishedOf } from './targets.ts';
import type { EpochMs, Generation, MonotonicMs, Token } from './token.ts';

export interface ChainMember {
  readonly credential: string;
  /** It must have been usable for so long before it is taken while another one is usable too. */
  readonly settleMs: number;
}

export interface ChainTarget {
  readonly id: string;
  /** Holds something only while this member is in use; null: holds what is in use, whoever that is. */
  readonly of: string | null;
}

export interface ChainSpec {
  readonly name: string;
  /** Most preferred first; at least one. */
  readonly members: readonly ChainMember[];
  readonly targets: readonly ChainTarget[];
  readonly policy: {
    /** Kinds that are switched on. */
    readonly alerts: readonly AlertKind[];
    readonly limits: Limits;
  };
}

/** What keeps a member from being used. No secrets. */
export interface Lack {
  /** As a sentinel says it, or `not_loaded`, `not_a_member`. */
  readonly reason: string;
  readonly code: string;
  /** It does not come back by itself. */
  readonly needsPerson: boolean;
}

/**
 * `ending`: usable for moments yet. `doubtful`: usable, but a consumer reported it rejected and nothing has answered that yet.
 * `absent`: not yet known.
 */
export type Standing = 'usable' | 'ending' | 'doubtful' | 'unusable' | 'absent';

/** One member as it is at one moment. */
export interface MemberView {
  readonly credential: string;
  readonly standing: Standing;
  /** Null only when it is `unusable` or `absent`. */
  readonly token: Token | null;
  readonly generation: Generation;
  /** Null when usable. */
  readonly lack: Lack | null;
  /** When its standing turns into another by itself; null: by a step of its own. */
  readonly turnsAt: MonotonicMs | null;
  /** Nothing could be read of it since the start. */
  readonly holdsNothing: boolean;
}

/** A generation of the chain, and the token that it stands for. */
export interface Binding {
  readonly generation: Generation;
  readonly credential: string;
  /** Generation of the member. */
  readonly of: Generation;
}

export interface ChainChange {
  readonly at: EpochMs;
  readonly from: string | null;
  readonly to: string | null;
  /** Why `from` was left; null: a preferred member is back, or there was nothing before. */
  readonly lack: Lack | null;
}

export interface ChainState extends Omit<ChainSpec, 'members'> {
  readonly members: readonly (ChainMember & { readonly usableSince: MonotonicMs | null })[];
  readonly inUse: { readonly credential: string; readonly since: EpochMs } | null;
  /** Oldest first; the last is the present generation. Kept so that a late report of a rejection still finds its member. */
  readonly bindings: readonly Binding[];
  /** Grows only. */
  readonly generation: Generation;
  /** Null until the first choice, which waits until every member is known. */
  readonly lastChange: ChainChange | null;
  /** Since when no member is usable. */
  readonly downSince: EpochMs | null;
  readonly deliveries: readonly Delivery[];
  readonly sentinel: SentinelDelivery;
  readonly alerts: readonly AlertRecord[];
}

/** What is remembered of a chain over restarts. No secrets. */
export interface ChainMemory {
  readonly generation: Generation;
  readonly bindings: readonly Binding[];
  readonly published: readonly Published[];
}

export const rememberChain = ({ generation, bindings, deliveries }: ChainState): ChainMemory => ({
  generation,
  bindings,
  published: publishedOf(deliveries),
});

/** The state before the first choice. @param memory as it was read; anything that is not a memory counts as none */
export function initialChain(spec: ChainSpec, memory: unknown): ChainState {
  const { generation, bindings, published } = isMemory(memory) ? memory : NO_MEMORY;
  const lastUsed = bindings.at(-1)?.credential ?? null;
  return {
    ...spec,
    members: spec.members.map((member) => ({ ...member, usableSince: null })),
    inUse: null,
    bindings,
    generation,
    lastChange: null,
    downSince: null,
    deliveries: spec.targets.map((target) => firstDelivery(target, lastUsed, published)),
    sentinel: NEW_SENTINEL,
    alerts: [],
  };
}

/** What belongs to a member that was not in use was not published, unless it is remembered: nothing is taken away from it. */
function firstDelivery(
  { id, of }: ChainTarget,
  lastUsed: string | null,
  published: readonly Published[] = [],
): Delivery {
  const delivery = newDelivery(id, published);
  const mayHold = of === null || of === lastUsed || delivery.goodUntil !== null;
  return mayHold ? delivery : { ...delivery, told: null, holds: null };
}

/** The configuration changed: who is in use is settled by the next step, and what all share is told anew. */
export function changeChain(before: ChainState, spec: ChainSpec): ChainState {
  const usableSince = new Map(before.members.map((member) => [member.credential, member.usableSince]));
  const known = new Map(before.deliveries.map((delivery) => [delivery.target, delivery]));
  const ids = new Set(spec.targets.map(({ id }) => id));
  return {
    ...before,
    ...spec,
    members: spec.members.map((member) => ({ ...member, usableSince: usableSince.get(member.credential) ?? null })),
    deliveries: spec.targets.map((target) => {
      const delivery = known.get(target.id) ?? firstDelivery(target, before.inUse?.credential ?? null);
      return target.of === null ? { ...delivery, told: 'unknown' } : delivery;
    }),
    // Nobody hears the end of a story about a place that is gone.
    alerts: before.alerts.filter(({ alert }) => alert.target === null || ids.has(alert.target)),
  };
}

function isMemory(value: unknown): value is ChainMemory {
  if (typeof value !== 'object' || value === null) return false;
  const { generation, bindings, published } = value as Partial<Record<keyof ChainMemory, unknown>>;
  // An earlier version did not remember what was published.
  const isLists = Array.isArray(bindings) && bindings.every(isBinding) && Array.isArray(published ?? []);
  return Number.isSafeInteger(generation) && isLists;
}

const NO_MEMORY: ChainMemory = { generation: 0, bindings: [], published: [] };

function isBinding(value: unknown): value is Binding {
  if (typeof value !== 'object' || value === null) return false;
  const { generation, credential, of } = value as Partial<Record<keyof Binding, unknown>>;
  return Number.isSafeInteger(generation) && Number.isSafeInteger(of) && typeof credential === 'string';
}
