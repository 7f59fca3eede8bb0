/**
 * The whole configuration from its written form to its resolved one.
 *
 * Rule: pure; reports every problem it finds and gives back what is left, so that further checks can go on.
 */
import { dirname } from 'node:path';
import { ALERT_KINDS } from '../core/policy.ts';
import { ALERT_SWITCHES } from './alert-keys.ts';
import type { Config, SinkConfig } from './config.ts';
import { SETTING_TABLE } from './limits.ts';
import { isLoopback } from './loopback.ts';
import { type Capture, lockPlaces, runtimeDirectory, socketPath, socketPathBytesMax, stateDirectory } from './paths.ts';
import { resolveChains } from './resolve-chains.ts';
import { resolveCredential } from './resolve-credential.ts';
import { type At, type Resolver, report, resolveArgv, resolveFile, resolveText } from './resolver.ts';
import type { RawAlerts, RawConfig } from './schema.ts';
import type { FileSecret } from './secrets.ts';

const MS_PER_HOUR = 3_600_000;

/** @param options `path`: the file, absolute; `socket`: what `--socket` said; `files`: what `${file:}` references brought */
export function resolveConfig(
  raw: RawConfig,
  options: {
    readonly path: string;
    readonly socket: string | undefined;
    readonly capture: Capture;
    readonly files: ReadonlyMap<string, FileSecret>;
  },
): { readonly config: Config; readonly problems: readonly string[] } {
  const { capture, files, path } = options;
  const resolver: Resolver = { capture, files, directory: dirname(path), problems: [] };
  const state = stateDirectory(optionalFile(resolver, ['stateDirectory'], raw.stateDirectory), capture);
  const configured = optionalFile(resolver, ['socket', 'path'], raw.socket?.path);
  const socket = socketPath({ option: options.socket, configured, stateDirectory: state }, capture);
  checkSocketPath(resolver, socket);
  const alerts = resolveAlerts(resolver, raw.alerts ?? {});
  const credentials = Object.entries(raw.credentials)
    .map(([name, credential]) =>
      resolveCredential(resolver, credential, { name, defaults: raw.defaults ?? {}, alerts }),
    )
    .filter((credential) => credential !== null);
  const config: Config = {
    path,
    directory: resolver.directory,
    stateDirectory: state,
    runtimeDirectory: runtimeDirectory(state, capture),
    lockPlaces: lockPlaces(capture),
    socketPath: socket,
    socketGroup: raw.socket?.group ?? null,
    log: { level: raw.log?.level ?? 'info', file: optionalFile(resolver, ['log', 'file'], raw.log?.file) ?? null },
    reloadOnChange: raw.reloadOnChange ?? false,
    maxConcurrentRefreshes: raw.maxConcurrentRefreshes ?? SETTING_TABLE.maxConcurrentRefreshes.default,
    alerts,
    ...resolveChains(resolver, raw, credentials),
  };
  return { config, problems: resolver.problems };
}

function optionalFile(resolver: Resolver, at: At, text: string | undefined): string | undefined {
  return text === undefined ? undefined : resolveFile(resolver, at, text);
}

/** The system cuts a longer path off without a word, and the socket appears under another name. */
function checkSocketPath(resolver: Resolver, path: string): void {
  const bytes = Buffer.byteLength(path);
  const bytesMax = socketPathBytesMax(resolver.capture.platform);
  if (bytes <= bytesMax) return;
  report(resolver, ['socket', 'path'], {
    expected: `at most ${bytesMax} bytes`,
    seen: `${bytes} bytes`,
    remedy: 'set a shorter one, for example "/run/user/1000/freshd.sock"',
  });
}

function resolveAlerts(resolver: Resolver, raw: RawAlerts): Config['alerts'] {
  const sinks = (raw.sinks ?? [{ type: 'log' as const }]).map((sink, index) =>
    resolveSink(resolver, ['alerts', 'sinks', index], sink),
  );
  return {
    kinds: ALERT_KINDS.filter((kind) => raw[ALERT_SWITCHES[kind].key] ?? true),
    reminderMs: raw.reminderHours === undefined ? null : Math.round(raw.reminderHours * MS_PER_HOUR),
    sinks,
  };
}

function resolveSink(resolver: Resolver, at: At, raw: NonNullable<RawAlerts['sinks']>[number]): SinkConfig {
  if (raw.type === 'log') return { type: 'log' };
  const timeoutMs = Math.round((raw.timeoutSeconds ?? SETTING_TABLE.sinkTimeoutSeconds.default) * 1_000);
  switch (raw.type) {
    case 'desktop':
      return { type: raw.type, timeoutMs };
    case 'command':
      return { type: raw.type, argv: resolveArgv(resolver, raw.command), cwd: resolver.directory, timeoutMs };
    case 'webhook': {
      const secret = raw.secret === undefined ? null : resolveText(resolver, [...at, 'secret'], raw.secret);
      return { type: raw.type, url: resolveUrl(resolver, [...at, 'url'], raw.url), secret, timeoutMs };
    }
    case 'slack':
      return { type: raw.type, url: resolveUrl(resolver, [...at, 'url'], raw.url), timeoutMs };
  }
}

/** Never shown: such a URL is a secret. */
function resolveUrl(resolver: Resolver, at: At, text: string): string {
  const problemsBefore = resolver.problems.length;
  const value = resolveText(resolver, at, text);
  if (resolver.problems.length > problemsBefore) return value;
  const url = URL.canParse(value) ? new URL(value) : null;
  if (url === null || !(url.protocol === 'https:' || (url.protocol === 'http:' && isLoopback(url)))) {
    report(resolver, at, {
      expected: 'an https URL, or an http one to this machine',
      seen: url === null ? 'no URL (not shown)' : `one with ${url.protocol} (not shown)`,
      remedy: 'correct it where it is taken from',
    });
  }
  return value;
}
