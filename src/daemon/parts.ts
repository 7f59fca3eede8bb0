/**
 * Builds what belongs to one credential, and the alert sinks, from the resolved configuration.
 *
 * Rule: beside main.ts and assemble.ts the only file of the daemon that knows adapters; it chooses and connects, and decides nothing else.
 */
import { basename, join } from 'node:path';
import { createCommandSink } from '../adapters/alert/command.ts';
import { createDesktopSink } from '../adapters/alert/desktop.ts';
import { createDiscordSink } from '../adapters/alert/discord.ts';
import { createLogSink } from '../adapters/alert/log.ts';
import { createNtfySink } from '../adapters/alert/ntfy.ts';
import { createSentrySink } from '../adapters/alert/sentry.ts';
import { createSlackSink } from '../adapters/alert/slack.ts';
import { createTelegramSink } from '../adapters/alert/telegram.ts';
import { createWebhookSink } from '../adapters/alert/webhook.ts';
import { createCommandRefresh } from '../adapters/refresh/command.ts';
import { childEnvironment } from '../adapters/refresh/environment.ts';
import { createOauthRefresh } from '../adapters/refresh/oauth.ts';
import type { DirectoryWatches } from '../adapters/stores/directory-watch.ts';
import { lastChangeOf } from '../adapters/stores/login-paths.ts';
import { createStore } from '../adapters/stores/registry.ts';
import type { Config, CredentialConfig, OauthConfig, SinkConfig } from '../config/config.ts';
import { storeDefaults } from '../core/store-format.ts';
import type { Fingerprinter } from '../core/token.ts';
import type { ManagedCredential } from './credential.ts';
import type { AlertSink, ClockPort, LogPort, RefreshPort, StorePort } from './ports.ts';
import { buildPublishers } from './publish-parts.ts';
import type { Settings } from './reloading.ts';

/** Where a daemon works: its directories, and what it was started with. */
export interface Site {
  readonly config: Config;
  /** Captured at start, and used again by every reload. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** What programs get of it; one object for all that are routed nothing of their own. */
  readonly childEnvironment: Readonly<Record<string, string>>;
  readonly platform: NodeJS.Platform;
  readonly fingerprint: Fingerprinter;
  readonly clock: ClockPort;
  readonly log: LogPort;
  /** Output of the runs under way. */
  readonly spoolDirectory: string;
  /** One for all configurations; absent where nothing is watched. */
  readonly watches?: DirectoryWatches;
}

/** A site for one configuration. */
export function createSite(place: Omit<Site, 'childEnvironment'>): Site {
  const withhold = publishedVariables(place.config);
  return { ...place, childEnvironment: childEnvironment(place.environment, {}, { withhold }) };
}

/** @throws PortError when the configuration names what cannot be built */
export function buildCredential(credential: CredentialConfig, site: Site): ManagedCredential {
  const reading = { expires: credential.expires, expiresInDefaultMs: credential.expiresInDefaultMs };
  const store = buildStore(credential, reading, site);
  const parts = {
    store,
    refresh: buildRefresh(credential, site),
    publishers: buildPublishers(credential, site),
    loginChangedAt: credential.watch.length === 0 ? undefined : () => lastChangeOf(credential.watch),
    remedy: remedyOf(credential, store),
    variable: variablesOf(credential)[0],
  };
  return { name: credential.name, policy: credential.policy, parts, reading };
}

function buildStore({ name, store }: CredentialConfig, reading: ManagedCredential['reading'], site: Site): StorePort {
  const { clock, config, log, childEnvironment: environment } = site;
  const now = () => clock.now().wallMs;
  if (store.format === 'static') return createStore(store);
  if (store.format === 'command') return createStore({ ...store, ...reading, environment, now });
  if (store.path === null) {
    return createStore({ format: 'claude-code-keychain', cwd: config.directory, environment, ...reading, now });
  }
  const lockDirectory = join(config.runtimeDirectory, 'locks');
  const place = { path: store.path, lockPlaces: config.lockPlaces, lockDirectory, watches: site.watches };
  if (store.format !== 'claude-code') return createStore({ ...store, ...reading, ...place, now });
  const monotonicMs = () => clock.now().monotonicMs;
  const onTakenOver = (path: string) => log.write('warn', 'tool_lock_taken_over', { credential: name, path });
  return createStore({ format: store.format, ...reading, ...place, now, monotonicMs, onTakenOver });
}

/** Stands in for a credential whose parts could not be built: it is broken, says why, and harms nobody else. */
export function brokenCredential({ name, policy }: CredentialConfig, why: string): ManagedCredential {
  const reading = { kind: 'broken', detail: why } as const;
  const store: StorePort = {
    path: null,
    read: async () => reading,
    readIfChanged: async () => ({ kind: 'unchanged' }),
    write: async () => ({ committed: false, found: reading }),
    lock: async () => async () => undefined,
  };
  const remedy = 'correct its configuration as the log says, then: freshd reload';
  const parts = { store, refresh: null, publishers: [], remedy };
  return { name, policy, parts, reading: { expires: { kind: 'as_stated' }, expiresInDefaultMs: 0 } };
}

/** Variables that somebody publishes: inherited by a tool, such a one would be used instead of the store. */
export function publishedVariables({ credentials }: Config): readonly string[] {
  return [...new Set(credentials.flatMap(variablesOf))].sort();
}

const variablesOf = ({ publish }: CredentialConfig): readonly string[] =>
  publish.flatMap((target) => (target.type === 'envFile' ? [target.variable] : []));

function buildRefresh({ refresh, policy, reuseGraceMs }: CredentialConfig, site: Site): RefreshPort | null {
  if (refresh === null || refresh.kind === 'follow') return null;
  if (refresh.kind === 'oauth') {
    return createOauthRefresh({
      ...refresh,
      environment: site.environment,
      timeoutMs: nativeTimeoutMs(policy, reuseGraceMs),
      rotates: policy.rotates,
      now: () => site.clock.now().wallMs,
      log: site.log.write,
    });
  }
  return createCommandRefresh({
    argv: refresh.argv,
    cwd: refresh.cwd,
    result: refresh.result,
    input: refresh.input,
    timeoutMs: policy.refreshTimeoutMs,
    killGraceMs: policy.killGraceMs,
    rotates: policy.rotates,
    environment: environmentFor(refresh.environment, site),
    spoolDirectory: site.spoolDirectory,
    log: site.log.write,
  });
}

/** At most half of a known reuse grace: a lost answer can then still be asked for again. */
function nativeTimeoutMs({ refreshTimeoutMs }: CredentialConfig['policy'], reuseGraceMs: number | null): number {
  return reuseGraceMs === null ? refreshTimeoutMs : Math.min(refreshTimeoutMs, reuseGraceMs / 2);
}

function environmentFor(routed: Readonly<Record<string, string>>, site: Site): Readonly<Record<string, string>> {
  if (Object.keys(routed).length === 0) return site.childEnvironment;
  return childEnvironment(site.environment, routed, { withhold: publishedVariables(site.config) });
}

/** What concerns the daemon as a whole, of one configuration. */
export function settingsOf(site: Site): Settings {
  const { alerts, maxConcurrentRefreshes } = site.config;
  return { sinks: buildSinks(site), alertKinds: alerts.kinds, maxConcurrentRefreshes };
}

export function buildSinks(site: Site): readonly AlertSink[] {
  return site.config.alerts.sinks.map((sink) => buildSink(sink, site));
}

function buildSink(sink: SinkConfig, site: Site): AlertSink {
  switch (sink.type) {
    case 'log':
      return createLogSink(site.log);
    case 'desktop':
      return createDesktopSink({ platform: site.platform, environment: site.environment, timeoutMs: sink.timeoutMs });
    case 'command':
      return createCommandSink({
        argv: sink.argv,
        cwd: sink.cwd,
        environment: site.childEnvironment,
        timeoutMs: sink.timeoutMs,
      });
    case 'webhook':
      return createWebhookSink({
        url: sink.url,
        timeoutMs: sink.timeoutMs,
        ...(sink.secret === null ? {} : { secret: sink.secret }),
      });
    case 'slack':
      return createSlackSink(sink);
    case 'discord':
      return createDiscordSink(sink);
    case 'telegram':
      return createTelegramSink(sink);
    case 'ntfy':
      return createNtfySink(sink);
    case 'sentry':
      return createSentrySink(sink);
  }
}

/** What a person does when nothing here can: the exact command where one is known, else the place. */
function remedyOf({ name, store, refresh }: CredentialConfig, { path }: StorePort): string {
  if (refresh?.kind === 'oauth' && canLogIn(refresh)) return `freshd login ${name}`;
  const { loginRemedy } = storeDefaults(store.format);
  if (loginRemedy !== null) return loginRemedy;
  if (store.format === 'command') return `make the command ${basename(store.argv[0])} print a working token`;
  if (path === null) return `give credentials.${name}.static a working value, then restart freshd`;
  return `log in again, so that ${path} holds a new token; freshd notices by itself`;
}

/** With a discovery document it can be tried at least. */
function canLogIn({ issuer, authorizationEndpoint, deviceAuthorizationEndpoint }: OauthConfig): boolean {
  return [issuer, authorizationEndpoint, deviceAuthorizationEndpoint].some((place) => place !== null);
}
