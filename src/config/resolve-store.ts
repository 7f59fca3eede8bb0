/**
 * The store of one credential from its written form to its resolved one, with the usual place of each tool's file.
 *
 * Rule: pure but for the problems it reports; the environment is the captured one, as the tools themselves would read it.
 */
import { isAbsolute, join } from 'node:path';
import { storeDefaults } from '../core/store-format.ts';
import type { JsonPointers, StoreConfig } from './config.ts';
import { type At, type Resolver, report, resolveArgv, resolveFile, resolveValue } from './resolver.ts';
import type { RawCredential } from './schema.ts';

type RawStore = NonNullable<RawCredential['store']>;

/** @returns null when a problem leaves nothing to go on with */
export function resolveStore(resolver: Resolver, at: At, raw: RawCredential): StoreConfig | null {
  if ((raw.store === undefined) === (raw.static === undefined)) {
    report(resolver, at, {
      expected: '"store" or "static"',
      seen: raw.store === undefined ? 'neither' : 'both',
      remedy: raw.store === undefined ? 'say where the credential lies' : 'remove one of them',
    });
    return null;
  }
  checkEntry(resolver, at, raw);
  if (raw.store !== undefined) return resolvePlace(resolver, [...at, 'store'], raw.store, raw.entry ?? null);
  return { format: 'static', value: resolveValue(resolver, [...at, 'static'], raw.static ?? '') };
}

/** Some places can only be read, whatever their format. */
export function isWritable(store: StoreConfig): boolean {
  return storeDefaults(store.format).writable && !('path' in store && store.path === null);
}

function checkEntry(resolver: Resolver, at: At, { entry, store }: RawCredential): void {
  if (entry === undefined || (store !== undefined && WITH_ENTRY.has(store.format))) return;
  const remedy = 'remove it: the other formats name their values themselves';
  report(resolver, [...at, 'entry'], { expected: 'nothing beside this store', seen: 'a setting', remedy });
}

const WITH_ENTRY: ReadonlySet<RawStore['format']> = new Set([
  'token-response',
  'opencode',
  'openclaw',
  'hermes',
  'grok',
]);

function resolvePlace(resolver: Resolver, at: At, raw: RawStore, entry: string | null): StoreConfig {
  if (raw.format === 'command') {
    return { format: raw.format, argv: resolveArgv(resolver, raw.command), cwd: resolver.directory };
  }
  const given = raw.path === undefined ? null : resolveFile(resolver, [...at, 'path'], raw.path);
  const { env } = resolver.capture;
  const usual = (...parts: readonly string[]): string =>
    given ?? resolveFile(resolver, [...at, 'path'], join(...parts));
  switch (raw.format) {
    case 'token-response':
      return { format: raw.format, path: usual(raw.path), entry };
    case 'claude-code': {
      const inKeychain = given === null && resolver.capture.platform === 'darwin';
      return { format: raw.format, path: inKeychain ? null : usual(env.CLAUDE_CONFIG_DIR || '~/.claude', CLAUDE_FILE) };
    }
    case 'codex':
      return { format: raw.format, path: usual(env.CODEX_HOME || '~/.codex', 'auth.json') };
    case 'gemini':
      return { format: raw.format, path: usual(env.GEMINI_CLI_HOME || '~', '.gemini', 'oauth_creds.json') };
    case 'google-adc':
      return { format: raw.format, path: usual(env.CLOUDSDK_CONFIG || '~/.config/gcloud', ADC_FILE) };
    case 'opencode': {
      // The XDG rules ignore what is not absolute.
      const data = isAbsolute(env.XDG_DATA_HOME ?? '') ? env.XDG_DATA_HOME : undefined;
      return { format: raw.format, path: usual(data ?? '~/.local/share', 'opencode', 'auth.json'), entry };
    }
    case 'hermes':
      return {
        format: raw.format,
        path: usual(env.HERMES_HOME || '~/.hermes', 'auth.json'),
        entry: entry ?? 'xai-oauth',
      };
    case 'grok':
      return { format: raw.format, path: usual('~/.grok', 'auth.json'), entry };
    case 'openclaw': {
      if (given !== null) return { format: raw.format, path: given, entry };
      const { agent, profile } = splitProfile(entry);
      const home = env.OPENCLAW_STATE_DIR || '~/.openclaw';
      return { format: raw.format, path: usual(home, 'agents', agent, 'agent', OPENCLAW_FILE), entry: profile };
    }
    case 'json':
      return { format: raw.format, path: usual(raw.path), pointers: pointersOf(raw.pointers) };
    case 'env':
      return {
        format: raw.format,
        path: usual(raw.path),
        variable: raw.variable,
        expiresAtVariable: raw.expiresAtVariable ?? null,
      };
    case 'text':
      return { format: raw.format, path: usual(raw.path) };
  }
}

const CLAUDE_FILE = '.credentials.json';
const ADC_FILE = 'application_default_credentials.json';
const OPENCLAW_FILE = 'auth-profiles.json';

/** `agent/profile`, or the profile of the agent `main`. */
function splitProfile(entry: string | null): { readonly agent: string; readonly profile: string | null } {
  const slash = entry?.indexOf('/') ?? -1;
  if (entry === null || slash === -1) return { agent: 'main', profile: entry };
  return { agent: entry.slice(0, slash), profile: entry.slice(slash + 1) || null };
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
