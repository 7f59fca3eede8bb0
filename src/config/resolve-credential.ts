/**
 * One credential from its written form to its resolved one, with the checks that need several keys at once.
 *
 * Rule: pure but for the problems it reports.
 */
import { join } from 'node:path';
import { type StoreFormat, storeDefaults } from '../core/store-format.ts';
import type {
  Config,
  CredentialConfig,
  ExpiresConfig,
  JsonPointers,
  PublishConfig,
  RefreshConfig,
  StoreConfig,
} from './config.ts';
import { type LimitValues, SETTING_TABLE } from './limits.ts';
import { checkHoldsRefreshToken, resolveOauth } from './resolve-oauth.ts';
import { resolveLimit, resolvePolicy } from './resolve-policy.ts';
import { type At, type Resolver, report, resolveArgv, resolveFile, resolveText } from './resolver.ts';
import type { RawCredential } from './schema.ts';

/** Variables that freshd sets for each run of a script; a value of the user's would hide them. */
const RESERVED_VARIABLES = ['FRESHD_RUN_ID', 'FRESHD_CREDENTIAL', 'FRESHD_ATTEMPT', 'FRESHD_REASON', 'FRESHD_STORE'];

type RawRefresh = NonNullable<RawCredential['refresh']>;
type RawStore = NonNullable<RawCredential['store']>;
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
  if (store === null) return null;
  const limits = { format: store.format, own: raw, defaults };
  return {
    name,
    policy: resolvePolicy({ name, refresh, alerts: options.alerts, machineId: resolver.capture.machineId, ...limits }),
    store,
    refresh,
    publish: publish.filter((target) => target !== null),
    tokenFile: raw.tokenFile ?? true,
    expires: expiresOf(raw.expires, store.format),
    expiresInDefaultMs: resolveLimit('expiresInDefaultSeconds', limits),
    reuseGraceMs: raw.reuseGraceSeconds === undefined ? null : Math.round(raw.reuseGraceSeconds * 1_000),
    scheme: raw.scheme ?? 'bearer',
  };
}

function resolveStore(resolver: Resolver, at: At, raw: RawCredential): StoreConfig | null {
  if ((raw.store === undefined) === (raw.static === undefined)) {
    report(resolver, at, {
      expected: '"store" or "static"',
      seen: raw.store === undefined ? 'neither' : 'both',
      remedy: raw.store === undefined ? 'say where the credential lies' : 'remove one of them',
    });
    return null;
  }
  checkEntry(resolver, at, raw);
  if (raw.store !== undefined) return resolveFileStore(resolver, [...at, 'store'], raw.store, raw.entry ?? null);
  const problemsBefore = resolver.problems.length;
  const value = resolveText(resolver, [...at, 'static'], raw.static ?? '');
  if (value.trim() === '' && resolver.problems.length === problemsBefore) {
    report(resolver, [...at, 'static'], {
      expected: 'a value',
      seen: 'an empty one',
      remedy: 'fill the variable or file it is taken from',
    });
  }
  return { format: 'static', value };
}

function checkEntry(resolver: Resolver, at: At, { entry, store }: RawCredential): void {
  if (entry === undefined || store?.format === 'token-response') return;
  const remedy = 'remove it: the other formats name their values themselves';
  report(resolver, [...at, 'entry'], { expected: 'nothing beside this store', seen: 'a setting', remedy });
}

function resolveFileStore(resolver: Resolver, at: At, raw: RawStore, entry: string | null): StoreConfig {
  const path = resolveFile(resolver, [...at, 'path'], raw.path ?? claudeCodePath(resolver));
  switch (raw.format) {
    case 'token-response':
      return { format: raw.format, path, entry };
    case 'json':
      return { format: raw.format, path, pointers: pointersOf(raw.pointers) };
    case 'env':
      return { format: raw.format, path, variable: raw.variable, expiresAtVariable: raw.expiresAtVariable ?? null };
    default:
      return { format: raw.format, path };
  }
}

/** The only format with a place of its own. */
function claudeCodePath(resolver: Resolver): string {
  const own = resolver.capture.env.CLAUDE_CONFIG_DIR;
  return join(own === undefined || own === '' ? '~/.claude' : own, '.credentials.json');
}

function pointersOf(raw: Extract<RawStore, { format: 'json' }>['pointers']): JsonPointers {
  return {
    accessToken: raw.accessToken,
    refreshToken: raw.refreshToken ?? null,
    tokenType: raw.tokenType ?? null,
    expiresAt: raw.expiresAt ?? null,
    expiresIn: raw.expiresIn ?? null,
    obtainedAt: raw.obtainedAt ?? null,
    refreshTokenExpiresAt: raw.refreshTokenExpiresAt ?? null,
    account: raw.account ?? null,
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
  return resolveScript(resolver, here, { command, ...scriptOnly }, format);
}

function resolveNative(
  resolver: Resolver,
  at: At,
  raw: NonNullable<RawRefresh['oauth']>,
  store: StoreConfig,
): RefreshConfig {
  if (!storeDefaults(store.format).writable) {
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
  format: StoreFormat,
): RefreshConfig {
  const environment = resolveEnvironment(resolver, [...here, 'environment'], scriptOnly.environment ?? {});
  const isWritable = storeDefaults(format).writable;
  if (!isWritable && scriptOnly.result !== undefined && scriptOnly.result !== 'store') {
    report(resolver, [...here, 'result'], {
      expected: `"store" for the format ${format}`,
      seen: JSON.stringify(scriptOnly.result),
      remedy: 'only its own tool writes that store: let the script run the tool',
    });
  }
  return {
    kind: 'command',
    argv: resolveArgv(resolver, command),
    cwd: resolver.directory,
    result: scriptOnly.result ?? (isWritable ? 'stdout' : 'store'),
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
