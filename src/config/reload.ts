/**
 * What a new configuration changes: a plan of names, made before anything is touched.
 *
 * Rule: pure; all or nothing, so `refused` must be empty before any of the rest is done.
 */
import { isDeepStrictEqual } from 'node:util';
import { complain } from './complaint.ts';
import type { ChainConfig, Config, CredentialConfig } from './config.ts';

export interface ReloadPlan {
  readonly added: readonly string[];
  /** `policyOnly`: its store, refresh and targets stay as they are, so nothing has to be built anew. */
  readonly changed: readonly { readonly name: string; readonly policyOnly: boolean }[];
  readonly removed: readonly string[];
  readonly chains: {
    readonly added: readonly string[];
    readonly changed: readonly string[];
    readonly removed: readonly string[];
  };
  /** Settings of the whole daemon that differ and can be taken over while it runs. */
  readonly settings: readonly Setting[];
  /** Messages about what only a restart can change. */
  readonly refused: readonly string[];
}

const SETTINGS = ['log', 'alerts', 'reloadOnChange', 'maxConcurrentRefreshes'] as const;
export type Setting = (typeof SETTINGS)[number];

/** Held from start to stop: the lock, the journal and the listening socket lie there. */
const FIXED = [
  ['stateDirectory', 'stateDirectory'],
  ['socketPath', 'socket.path'],
  ['socketGroup', 'socket.group'],
] as const;

export function planReload(old: Config, next: Config): ReloadPlan {
  const before = byName(old);
  const after = byName(next);
  const changed: { name: string; policyOnly: boolean }[] = [];
  for (const [name, credential] of after) {
    const former = before.get(name);
    if (former === undefined || isDeepStrictEqual(former, credential)) continue;
    changed.push({ name, policyOnly: isDeepStrictEqual({ ...former, policy: credential.policy }, credential) });
  }
  return {
    added: [...after.keys()].filter((name) => !before.has(name)),
    changed,
    removed: [...before.keys()].filter((name) => !after.has(name)),
    chains: chainChanges(old, next, new Set(changed.map(({ name }) => name))),
    settings: SETTINGS.filter((key) => !isDeepStrictEqual(old[key], next[key])),
    refused: FIXED.filter(([key]) => old[key] !== next[key]).map(
      ([key, path]) =>
        `${path}: ${complain({ expected: old[key] ?? 'none', seen: next[key] ?? 'none', remedy: 'restart freshd to move it' })}`,
    ),
  };
}

/** A chain whose members are others, or changed, publishes otherwise. */
function chainChanges(old: Config, next: Config, changed: ReadonlySet<string>): ReloadPlan['chains'] {
  const before = new Map(old.chains.map((chain) => [chain.name, chain]));
  const after = new Map(next.chains.map((chain) => [chain.name, chain]));
  const isChanged = (chain: ChainConfig): boolean =>
    !isDeepStrictEqual(before.get(chain.name), chain) ||
    chain.members.some(({ credential }) => changed.has(credential));
  return {
    added: [...after.keys()].filter((name) => !before.has(name)),
    changed: next.chains.filter((chain) => before.has(chain.name) && isChanged(chain)).map(({ name }) => name),
    removed: [...before.keys()].filter((name) => !after.has(name)),
  };
}

const byName = (config: Config): ReadonlyMap<string, CredentialConfig> =>
  new Map(config.credentials.map((credential) => [credential.name, credential]));
