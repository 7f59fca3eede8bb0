/**
 * One credential from its written form to its resolved one, with the checks that need several keys at once.
 *
 * Rule: pure but for the problems it reports.
 */
import { type StoreFormat, storeDefaults } from '../core/store-format.ts';
import type { Config, CredentialConfig, ExpiresConfig, PublishConfig, RefreshConfig, StoreConfig } from './config.ts';
import { type LimitValues, SETTING_TABLE } from './limits.ts';
import { resolveWindow } from './refresh-window.ts';
import { resolveAllow } from './resolve-access.ts';
import { checkHoldsRefreshToken, resolveOauth } from './resolve-oauth.ts';
import { resolveLimit, resolvePolicy } from './resolve-policy.ts';
import { isWritable, resolveStore } from './resolve-store.ts';
import { type At, type Resolver, report, resolveArgv, resolveFile, resolveText } from './resolver.ts';
import type { RawCredential } from './schema.ts';

/** Variables that freshd sets for each run of a script; a value of the user's would hide them. */
const RESERVED_VARIABLES = ['FRESHD_RUN_ID', 'FRESHD_CREDENTIAL', 'FRESHD_ATTEMPT', 'FRESHD_REASON', 'FRESHD_STORE'];

type RawRefresh = NonNullable<RawCredential['refresh']>;
type RawPublish = NonNullable<RawCredential['publish']>[number];

/** @returns null when a problem leaves nothing to go on with */
export function resolveCredential(
  resolver: Resolver,
  raw: RawCredential,
  options: { readonly name: string; readonly defaults: LimitValues; readonly alerts: Config['alerts'] },
): CredentialConfig | null {
  const { name, defaults } = options;
  const at: At = ['credentials', name];
  const store = resolveStore(resolver, at, raw);
  const refresh = store === null ? null : resolveRefresh(resolver, at, raw.refresh, store);
  const publish = (raw.publish ?? []).map((target, index) =>
    resolvePublish(resolver, [...at, 'publish', index], target),
  );
  const allow = resolveAllow(resolver, at, raw);
  if (store === null) return null;
  const limits = { format: store.format, own: raw, defaults };
  return {
    name,
    policy: resolvePolicy({
      name,
      refresh,
      alerts: options.alerts,
      window: resolveWindow(resolver, at, raw.window, refresh),
      machineId: resolver.capture.machineId,
      hookTimeoutMs: longestHookMs(publish),
      ...limits,
    }),
    store,
    refresh,
    publish: publish.filter((target) => target !== null),
    follows: null,
    tokenFile: allow === null && (raw.tokenFile ?? true),
    allow,
    expires: expiresOf(raw.expires, store.format),
    expiresInDefaultMs: resolveLimit('expiresInDefaultSeconds', limits),
    watch: (raw.watch ?? []).map((path, index) => resolveFile(resolver, [...at, 'watch', index], path)),
    reuseGraceMs: raw.reuseGraceSeconds === undefined ? null : Math.round(raw.reuseGraceSeconds * 1_000),
  };
}

function resolveRefresh(
  resolver: Resolver,
  at: At,
  raw: RawRefresh | undefined,
  store: StoreConfig,
): RefreshConfig | null {
  const { format } = store;
  const here: At = [...at, 'refresh'];
  if (format === 'static') {
    if (raw !== undefined) {
      report(resolver, here, {
        expected: 'nothing beside "static"',
        seen: 'an object',
        remedy: 'remove it, or keep the credential in a store',
      });
    }
    return null;
  }
  const { command, oauth, follow, ...scriptOnly } = raw ?? {};
  const ways = [command, oauth, follow].filter((way) => way !== undefined).length;
  if (ways !== 1) {
    report(resolver, here, {
      expected: '"command", "oauth" or "follow": true',
      seen: ways === 0 ? 'none of them' : 'more than one',
      remedy: 'say who refreshes: a script, freshd itself, or the tool that owns the store',
    });
    return null;
  }
  if (command === undefined) {
    reportStrangers(resolver, here, scriptOnly, 'refresh.command');
    return oauth === undefined ? { kind: 'follow' } : resolveNative(resolver, [...here, 'oauth'], oauth, store);
  }
  return resolveScript(resolver, here, { command, ...scriptOnly }, store);
}

function resolveNative(
  resolver: Resolver,
  at: At,
  raw: NonNullable<RawRefresh['oauth']>,
  store: StoreConfig,
): RefreshConfig {
  if (!isWritable(store)) {
    report(resolver, at, {
      expected: 'a store that freshd can write',
      seen: `the format ${store.format}`,
      remedy: 'let a script make its own tool refresh it, or keep a grant of your own in a token-response store',
    });
  }
  checkHoldsRefreshToken(resolver, at, store);
  return resolveOauth(resolver, at, raw);
}

function resolveScript(
  resolver: Resolver,
  here: At,
  {
    command,
    ...scriptOnly
  }: Omit<RawRefresh, 'oauth' | 'follow' | 'command'> & { readonly command: readonly string[] },
  store: StoreConfig,
): RefreshConfig {
  const { format } = store;
  const environment = resolveEnvironment(resolver, [...here, 'environment'], scriptOnly.environment ?? {});
  const canWrite = isWritable(store);
  if (!canWrite && scriptOnly.result !== undefined && scriptOnly.result !== 'store') {
    report(resolver, [...here, 'result'], {
      expected: `"store" for the format ${format}${'path' in store ? ' in the Keychain' : ''}`,
      seen: JSON.stringify(scriptOnly.result),
      remedy: 'only its own tool writes that store: let the script run the tool',
    });
  }
  return {
    kind: 'command',
    argv: resolveArgv(resolver, command),
    cwd: resolver.directory,
    result: scriptOnly.result ?? (canWrite && storeDefaults(format).ownTool === null ? 'stdout' : 'store'),
    input: scriptOnly.input ?? 'none',
    environment,
  };
}

function resolveEnvironment(
  resolver: Resolver,
  at: At,
  raw: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  const resolved = Object.entries(raw).map(([name, value]): [string, string] => {
    if (RESERVED_VARIABLES.includes(name)) {
      report(resolver, [...at, name], {
        expected: 'a variable that freshd does not set itself',
        seen: name,
        remedy: 'use another name',
      });
    }
    return [name, resolveText(resolver, [...at, name], value)];
  });
  return Object.fromEntries(resolved);
}

function resolvePublish(resolver: Resolver, at: At, raw: RawPublish): PublishConfig | null {
  const { envFile, hook, timeoutSeconds, ...fileOnly } = raw;
  if ((envFile === undefined) === (hook === undefined)) {
    report(resolver, at, {
      expected: '"envFile" or "hook"',
      seen: envFile === undefined ? 'neither' : 'both',
      remedy: envFile === undefined ? 'say where to deliver' : 'make two entries of it',
    });
    return null;
  }
  if (hook !== undefined) {
    reportStrangers(resolver, at, fileOnly, 'envFile');
    const timeoutMs = Math.round((timeoutSeconds ?? SETTING_TABLE.hookTimeoutSeconds.default) * 1_000);
    return { type: 'hook', argv: resolveArgv(resolver, hook), cwd: resolver.directory, timeoutMs };
  }
  reportStrangers(resolver, at, { timeoutSeconds }, 'hook');
  if (fileOnly.variable === undefined) {
    report(resolver, [...at, 'variable'], {
      expected: 'a variable name',
      seen: 'nothing',
      remedy: 'name the variable that holds the token',
    });
  }
  return {
    type: 'envFile',
    path: resolveFile(resolver, [...at, 'envFile'], envFile ?? ''),
    variable: fileOnly.variable ?? '',
    metadata: fileOnly.metadata ?? true,
    followSymlink: fileOnly.followSymlink ?? false,
    write: fileOnly.write ?? 'atomic',
  };
}

function longestHookMs(publish: readonly (PublishConfig | null)[]): number | null {
  const timeouts = publish.flatMap((target) => (target?.type === 'hook' ? [target.timeoutMs] : []));
  return timeouts.length === 0 ? null : Math.max(...timeouts);
}

/** Keys that mean something only beside another one, which is absent. */
function reportStrangers(resolver: Resolver, at: At, keys: Readonly<Record<string, unknown>>, needs: string): void {
  for (const [key, value] of Object.entries(keys)) {
    if (value === undefined) continue;
    report(resolver, [...at, key], {
      expected: 'nothing',
      seen: 'a setting',
      remedy: `it belongs to ${needs}: remove it`,
    });
  }
}

function expiresOf(raw: RawCredential['expires'], format: StoreFormat): ExpiresConfig {
  if (raw === undefined) return format === 'static' ? { kind: 'never' } : { kind: 'as_stated' };
  return typeof raw === 'number' ? { kind: 'life', ms: raw * 1_000 } : { kind: raw };
}
