/**
 * Reads the configuration again and builds everything that a reload needs, before any of it is applied.
 *
 * Rule: all or nothing. What was read is kept as the present configuration only when the daemon has taken it over.
 */
import { isDeepStrictEqual } from 'node:util';
import type { ChainConfig, Config, CredentialConfig } from '../config/config.ts';
import type { LoadResult } from '../config/load.ts';
import { planReload } from '../config/reload.ts';
import type { ManagedChain } from './chains.ts';
import type { ManagedCredential } from './credential.ts';
import { PortError } from './ports.ts';
import type { Reloading, Settings } from './reloading.ts';

/** `Site`: what building needs to know beside the credential; made once per configuration. */
export interface ReconfigureOptions<Site> {
  /** As they run now; `config` is where they came from. */
  readonly config: Config;
  readonly credentials: readonly ManagedCredential[];
  readonly siteOf: (config: Config) => Site;
  /** @throws PortError when it cannot be built */
  readonly buildCredential: (credential: CredentialConfig, site: Site) => ManagedCredential;
  readonly buildChain: (chain: ChainConfig, site: Site) => ManagedChain;
  /** @throws PortError when a sink cannot be built */
  readonly settingsOf: (site: Site) => Settings;
  /** What the tools of all credentials have to share: when it differs, every credential is built anew. */
  readonly sharedBy: (config: Config) => unknown;
  /** Called once the new configuration is in force. */
  readonly onApplied: (loaded: Loaded) => void;
}

type Loaded = Extract<LoadResult, { ok: true }>;

/** @returns builds what the configuration that `load` brings needs; `load`: from the file, or only with other secrets */
export function createReconfigure<Site>(
  options: ReconfigureOptions<Site>,
): (load: () => Promise<LoadResult>) => Promise<Reloading> {
  let config = options.config;
  let running = new Map(options.credentials.map((credential) => [credential.name, credential]));

  return async (load) => {
    const loaded = await load();
    if (!loaded.ok) return loaded;
    const next = loaded.config;
    const plan = planReload(config, next);
    const refused = [...plan.refused, ...fixedLog(config, next)];
    if (refused.length > 0) return { ok: false, problems: refused };
    try {
      return { ok: true, ...build(plan, loaded) };
    } catch (error) {
      if (error instanceof PortError) return { ok: false, problems: [error.message] };
      throw error;
    }
  };

  function build(plan: ReturnType<typeof planReload>, loaded: Loaded) {
    const next = loaded.config;
    const site = options.siteOf(next);
    const isAllNew = !isDeepStrictEqual(options.sharedBy(config), options.sharedBy(next));
    const policyOnly = new Set(plan.changed.filter((change) => change.policyOnly).map(({ name }) => name));
    const changedNames = new Set(plan.changed.map(({ name }) => name));
    const addedNames = new Set(plan.added);
    const added: ManagedCredential[] = [];
    const changed: ManagedCredential[] = [];
    for (const credential of next.credentials) {
      const { name, policy } = credential;
      const former = running.get(name);
      if (addedNames.has(name)) added.push(options.buildCredential(credential, site));
      else if (former !== undefined && policyOnly.has(name) && !isAllNew && hasSameRuns(former, credential)) {
        changed.push({ ...former, policy });
      } else if (isAllNew || changedNames.has(name)) changed.push(options.buildCredential(credential, site));
    }
    const settings = options.settingsOf(site);
    const applied = () => {
      config = next;
      for (const name of plan.removed) running.delete(name);
      running = new Map([...running, ...[...added, ...changed].map((one) => [one.name, one] as const)]);
      options.onApplied(loaded);
    };
    const chains = { ...plan.chains, all: next.chains.map((chain) => options.buildChain(chain, site)) };
    return { added, changed, removed: plan.removed, chains, settings, applied };
  }
}

/** A refresher is built with these limits. */
function hasSameRuns({ policy: before }: ManagedCredential, { policy: after }: CredentialConfig): boolean {
  return (
    before.refreshTimeoutMs === after.refreshTimeoutMs &&
    before.killGraceMs === after.killGraceMs &&
    before.rotates === after.rotates
  );
}

function fixedLog(old: Config, next: Config): readonly string[] {
  if (old.log.file === next.log.file) return [];
  const place = (file: string | null) => file ?? 'standard output';
  return [`log.file: expected ${place(old.log.file)}, got ${place(next.log.file)}; restart freshd to move it`];
}
