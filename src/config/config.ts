/**
 * The configuration as the daemon uses it: plain data, every path absolute, every duration in milliseconds, every secret in place.
 *
 * Rule: no zod type and no optional key past this point; made only by resolve.ts. Holds secrets: never log one.
 */
import type { AlertKind, Policy } from '../core/policy.ts';
import type { LockPlace } from './paths.ts';

export interface Config {
  /** The file, absolute. */
  readonly path: string;
  /** Its folder, from which relative paths count and in which scripts run. */
  readonly directory: string;
  readonly stateDirectory: string;
  /** Token files and sentinels. */
  readonly runtimeDirectory: string;
  /** For the locks of stores, before a place in the runtime directory. */
  readonly lockPlaces: readonly LockPlace[];
  readonly socketPath: string;
  /** Name or number of the group that may connect too; null: none. */
  readonly socketGroup: string | null;
  /** `file` null: stdout. */
  readonly log: { readonly level: 'debug' | 'info' | 'warn' | 'error'; readonly file: string | null };
  readonly reloadOnChange: boolean;
  readonly maxConcurrentRefreshes: number;
  readonly alerts: {
    /** Kinds that are switched on. */
    readonly kinds: readonly AlertKind[];
    readonly reminderMs: number | null;
    readonly sinks: readonly SinkConfig[];
  };
  readonly credentials: readonly CredentialConfig[];
  /** Their names are no credential's. */
  readonly chains: readonly ChainConfig[];
}

/** Credentials in order of preference. */
export interface ChainConfig {
  readonly name: string;
  /** Most preferred first; `settleMs`: how long it must have been usable before it is taken again. */
  readonly members: readonly { readonly credential: string; readonly settleMs: number }[];
}

export interface CredentialConfig {
  readonly name: string;
  readonly policy: Policy;
  readonly store: StoreConfig;
  /** Null for `static`. */
  readonly refresh: RefreshConfig | null;
  readonly publish: readonly PublishConfig[];
  /** The chain that decides whether its `publish` stands; null: only its own state does. */
  readonly follows: string | null;
  /** The bare token in `<runtime directory>/tokens/<name>`. */
  readonly tokenFile: boolean;
  /** Who may read it; null: whoever may connect. */
  readonly allow: AllowConfig | null;
  readonly expires: ExpiresConfig;
  /** Assumed life of a token that does not say when it ends. */
  readonly expiresInDefaultMs: number;
  /** Absolute paths that change when a person logs in; none where the store shows it. */
  readonly watch: readonly string[];
  /** How long the server accepts the last used refresh token once more; null: not known. */
  readonly reuseGraceMs: number | null;
}

/** Each null when it is absent; at least one is not. */
export interface AllowConfig {
  readonly uids: readonly number[] | null;
  readonly gids: readonly number[] | null;
  /** Absolute paths. */
  readonly executables: readonly string[] | null;
}

/** A program and its arguments. With a slash the program is absolute; another is looked up in PATH when it runs. */
export type Argv = readonly [string, ...string[]];

export type StoreConfig =
  /** `entry` null: the file is the response itself. */
  | { readonly format: 'token-response'; readonly path: string; readonly entry: string | null }
  /** `path` null: the Keychain of macOS. */
  | { readonly format: 'claude-code'; readonly path: string | null }
  | { readonly format: 'codex' | 'gemini' | 'google-adc'; readonly path: string }
  /** `entry`: provider, profile or login; null: the only one. */
  | { readonly format: 'opencode' | 'openclaw' | 'grok'; readonly path: string; readonly entry: string | null }
  | { readonly format: 'hermes'; readonly path: string; readonly entry: string }
  | { readonly format: 'json'; readonly path: string; readonly pointers: JsonPointers }
  | {
      readonly format: 'env';
      readonly path: string;
      readonly variable: string;
      readonly expiresAtVariable: string | null;
    }
  | { readonly format: 'text'; readonly path: string }
  | { readonly format: 'command'; readonly argv: Argv; readonly cwd: string }
  /** `value` is the secret itself. */
  | { readonly format: 'static'; readonly value: string };

/** JSON pointers (RFC 6901); null: the file has no such value. */
export interface JsonPointers {
  readonly accessToken: string;
  readonly refreshToken: string | null;
  readonly tokenType: string | null;
  readonly expiresAt: string | null;
  readonly expiresIn: string | null;
  readonly obtainedAt: string | null;
  readonly refreshTokenExpiresAt: string | null;
  readonly account: string | null;
}

export type RefreshConfig =
  | {
      readonly kind: 'command';
      readonly argv: Argv;
      readonly cwd: string;
      readonly result: 'stdout' | 'text' | 'store';
      readonly input: 'none' | 'token';
      /** May hold secrets, where the user routed them there. */
      readonly environment: Readonly<Record<string, string>>;
    }
  | OauthConfig
  | { readonly kind: 'follow' };

/** Endpoints are checked addresses; null: not given. */
export interface OauthConfig {
  readonly kind: 'oauth';
  readonly tokenEndpoint: string | null;
  readonly issuer: string | null;
  readonly clientId: string;
  /** The secret itself; null: a public client. */
  readonly clientSecret: string | null;
  readonly clientAuthentication: 'basic' | 'post' | 'none';
  readonly scope: string | null;
  /** May hold secrets, where the user routed them there. */
  readonly parameters: Readonly<Record<string, string>>;
  readonly body: 'form' | 'json';
  readonly caFile: string | null;
  readonly connectTimeoutMs: number;
  readonly authorizationEndpoint: string | null;
  readonly deviceAuthorizationEndpoint: string | null;
  /** No secrets: they stand in an address that is shown. */
  readonly loginParameters: Readonly<Record<string, string>>;
  readonly redirectUri: string | null;
}

export type PublishConfig =
  | {
      readonly type: 'envFile';
      readonly path: string;
      readonly variable: string;
      readonly metadata: boolean;
      readonly followSymlink: boolean;
      readonly write: 'atomic' | 'in-place';
    }
  | { readonly type: 'hook'; readonly argv: Argv; readonly cwd: string; readonly timeoutMs: number };

/** What overrides the expiry that the store or the token response says. */
export type ExpiresConfig =
  | { readonly kind: 'as_stated' }
  | { readonly kind: 'never' }
  | { readonly kind: 'unknown' }
  | { readonly kind: 'life'; readonly ms: number };

export type SinkConfig =
  | { readonly type: 'log' }
  | { readonly type: 'desktop'; readonly timeoutMs: number }
  | { readonly type: 'command'; readonly argv: Argv; readonly cwd: string; readonly timeoutMs: number }
  /** `url` and `secret` are secrets; without a secret messages are not signed. */
  | { readonly type: 'webhook'; readonly url: string; readonly secret: string | null; readonly timeoutMs: number }
  | { readonly type: 'slack' | 'discord'; readonly url: string; readonly timeoutMs: number }
  /** `botToken` is a secret; `url` is the server's. */
  | {
      readonly type: 'telegram';
      readonly url: string;
      readonly botToken: string;
      readonly chatId: string;
      readonly timeoutMs: number;
    }
  /** `topic` and `token` are secrets; `url` is the server's. */
  | {
      readonly type: 'ntfy';
      readonly url: string;
      readonly topic: string;
      readonly token: string | null;
      readonly timeoutMs: number;
    }
  /** `dsn` is a secret. */
  | { readonly type: 'sentry'; readonly dsn: string; readonly timeoutMs: number };
