/**
 * Builds what delivers tokens: the publishers of a credential, and those that the members of a chain have in common.
 *
 * Rule: chooses and connects, and decides nothing. What a member of a chain publishes is built for the chain alone.
 */
import { join } from 'node:path';
import {
  createChainEnvFilePublisher,
  createEnvFilePublisher,
  type EnvFileOptions,
  type MemberEnvEntry,
} from '../adapters/publish/env-file.ts';
import { createHookPublisher } from '../adapters/publish/hook.ts';
import { createLastWritten } from '../adapters/publish/last-written.ts';
import { createTokenFilePublisher } from '../adapters/publish/token-file.ts';
import type { ChainConfig, CredentialConfig, PublishConfig } from '../config/config.ts';
import { tokenFilePath } from '../config/paths.ts';
import type { ChainTarget } from '../core/chain-state.ts';
import { LIMITS } from '../core/policy.ts';
import type { ManagedChain } from './chains.ts';
import type { Site } from './parts.ts';
import type { PublisherPort } from './ports.ts';

type EnvFileConfig = Extract<PublishConfig, { type: 'envFile' }>;
type HookConfig = Extract<PublishConfig, { type: 'hook' }>;

export function buildPublishers(credential: CredentialConfig, site: Site): PublisherPort[] {
  const { name, publish, tokenFile, follows } = credential;
  return [
    ...(tokenFile ? [buildTokenFile(name, site)] : []),
    ...(follows === null ? publish : []).map((target, position) =>
      target.type === 'envFile'
        ? createEnvFilePublisher(envFileOptions(target, name, site))
        : buildHook(target, { ...credential, position }, site),
    ),
  ];
}

/** With everything that its members publish. */
export function buildChain({ name, members }: ChainConfig, site: Site): ManagedChain {
  const credentials = members.flatMap(
    ({ credential }) => site.config.credentials.find((one) => one.name === credential) ?? [],
  );
  const followers = credentials.filter(({ follows }) => follows === name);
  // A token that must not lie in a file does not get into one by way of a chain.
  const tokenFiles = credentials.every(({ tokenFile }) => tokenFile) ? [buildTokenFile(name, site)] : [];
  const shared = [...tokenFiles, ...buildEnvFiles(followers, site)];
  const hooks = followers.flatMap((credential) => buildHooks(credential, name, site));
  const targets: readonly ChainTarget[] = [
    ...shared.map(({ id }) => ({ id, of: null })),
    ...hooks.map(({ hook, of }) => ({ id: hook.id, of })),
  ];
  // Of its members one may have a hook that takes its time.
  const timeouts = followers.map(({ policy }) => policy.limits.deliveryTimeoutMs);
  const limits = { ...LIMITS, deliveryTimeoutMs: Math.max(LIMITS.deliveryTimeoutMs, ...timeouts) };
  const policy = { alerts: site.config.alerts.kinds, limits };
  return { spec: { name, members, targets, policy }, publishers: [...shared, ...hooks.map(({ hook }) => hook)] };
}

/** One publisher for each file, whoever publishes in it. */
function buildEnvFiles(followers: readonly CredentialConfig[], site: Site): readonly PublisherPort[] {
  const byPath = new Map<string, { readonly target: EnvFileConfig; readonly entries: MemberEnvEntry[] }>();
  for (const { name, publish } of followers) {
    for (const target of publish) {
      if (target.type !== 'envFile') continue;
      const { variable, metadata, lastWritten } = envFileOptions(target, name, site);
      const entry = { credential: name, variable, metadata, lastWritten };
      const file = byPath.get(target.path);
      if (file === undefined) byPath.set(target.path, { target, entries: [entry] });
      else file.entries.push(entry);
    }
  }
  return [...byPath.values()].map(({ target, entries }) =>
    createChainEnvFilePublisher({ ...envFileOptions(target, entries[0]?.credential ?? '', site), entries }),
  );
}

function buildHooks(
  credential: CredentialConfig,
  chain: string,
  site: Site,
): readonly { readonly hook: PublisherPort; readonly of: string }[] {
  const { name: of, publish } = credential;
  return publish.flatMap((target, position) => {
    if (target.type !== 'hook') return [];
    const hook = buildHook(target, { ...credential, position }, site);
    // Two members may run the same program. Each may also read the member's own token file, which is no target of the chain.
    return { hook: { ...hook, id: `${hook.id} of ${of}`, follows: [of, chain] }, of };
  });
}

function buildTokenFile(name: string, { config }: Site): PublisherPort {
  return createTokenFilePublisher({ path: tokenFilePath(config.runtimeDirectory, name) });
}

function buildHook(
  { argv, cwd, timeoutMs }: HookConfig,
  { name, policy, position }: Pick<CredentialConfig, 'name' | 'policy'> & { readonly position: number },
  site: Site,
): PublisherPort {
  const { killGraceMs } = policy;
  const { childEnvironment: environment } = site;
  const hook = createHookPublisher({ argv, cwd, credential: name, position, timeoutMs, killGraceMs, environment });
  return { ...hook, limitMs: timeoutMs + killGraceMs + HOOK_SLACK_MS, follows: [name] };
}

/** What freshd wrote is remembered by file and variable: it stays freshd's when a credential joins a chain, or leaves it. */
function envFileOptions(target: EnvFileConfig, credential: string, { config, fingerprint, log }: Site): EnvFileOptions {
  const { path, variable, metadata, followSymlink, write } = target;
  const directory = join(config.stateDirectory, 'published');
  return {
    path,
    variable,
    metadata,
    followSymlink,
    write,
    fingerprint,
    lastWritten: createLastWritten(directory, `envFile:${path}#${variable}`),
    onNotice: (code, fields) => log.write('warn', code, { credential, ...fields }),
  };
}

// A hook ends itself within its timeout and grace; only what exceeds even that is hung.
const HOOK_SLACK_MS = 5_000;
