/**
 * The whole configuration from its written form to its resolved one.
 *
 * Rule: pure; reports every problem it finds and gives back what is left, so that further checks can go on.
 */
import { dirname } from 'node:path';
import type { Config } from './config.ts';
import { SETTING_TABLE } from './limits.ts';
import { type Capture, lockPlaces, runtimeDirectory, socketPath, socketPathBytesMax, stateDirectory } from './paths.ts';
import { resolveAlerts } from './resolve-alerts.ts';
import { resolveChains } from './resolve-chains.ts';
import { resolveCredential } from './resolve-credential.ts';
import { type At, type Resolver, report, resolveFile } from './resolver.ts';
import type { RawConfig } from './schema.ts';
import type { FileSecret } from './secrets.ts';

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
