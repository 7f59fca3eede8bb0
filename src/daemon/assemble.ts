/**
 * From a configuration to a daemon: every port made, everything connected, nothing read of a credential yet.
 *
 * Rule: apart from main.ts because the simulation runs this very function, on other clocks, disks and servers; what belongs
 * to a process (its lock, its signals, its socket) stays there.
 */
import { randomUUID } from 'node:crypto';
import { unwatchFile, watchFile } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createAttemptJournal } from '../adapters/attempt-journal.ts';
import { loadFingerprinter } from '../adapters/fingerprint.ts';
import type { Log } from '../adapters/log.ts';
import { createMemory } from '../adapters/memory-file.ts';
import { ensurePrivateDirectory } from '../adapters/private-directory.ts';
import { createSentinel } from '../adapters/publish/sentinel.ts';
import { removeTokenFiles } from '../adapters/publish/token-file.ts';
import { createLeftRuns } from '../adapters/refresh/left-runs.ts';
import { createDirectoryWatches } from '../adapters/stores/directory-watch.ts';
import { sweepBeside } from '../adapters/sweep.ts';
import { createAlarm, systemClock } from '../adapters/system-clock.ts';
import { sweepStaleTemps } from '../adapters/temp-path.ts';
import type { Config, CredentialConfig } from '../config/config.ts';
import type { LoadResult } from '../config/load.ts';
import { type Capture, tokenFilePath } from '../config/paths.ts';
import { describeBug } from './bug.ts';
import type { ManagedCredential } from './credential.ts';
import { createDaemon, type Daemon, type DaemonOptions } from './daemon.ts';
import { measuredAlarm, observeChains } from './observe-metrics.ts';
import { brokenCredential, buildCredential, createSite, publishedVariables, type Site, settingsOf } from './parts.ts';
import { type LogPort, PortError } from './ports.ts';
import type { MetricsPort } from './ports-metrics.ts';
import { buildChain } from './publish-parts.ts';
import { createReconfigure } from './reconfigure.ts';
import { pause } from './time-limit.ts';

/** What the process has that it runs in. */
export interface Surroundings {
  readonly capture: Capture;
  /** Reads the configuration anew, for a reload. */
  readonly load: () => Promise<LoadResult>;
  readonly log: Log;
  readonly version: string;
  readonly metrics?: MetricsPort;
  readonly onReload?: DaemonOptions['onReload'];
  /** The configuration that is in force from now on; also the first. */
  readonly onConfiguration?: ((config: Config, isThere: (credential: string) => boolean) => void) | undefined;
}

/** Made before the first reading of a store: nothing of it runs until `start`. @throws PortError */
export async function assemble(
  loaded: Pick<Extract<LoadResult, { ok: true }>, 'config' | 'secrets'>,
  { capture, load, log, version, metrics, onReload, onConfiguration }: Surroundings,
): Promise<Daemon> {
  const { config } = loaded;
  let { secrets } = loaded;
  const { stateDirectory, runtimeDirectory } = config;
  const [memoryDirectory, journalDirectory] = [join(stateDirectory, 'credentials'), join(stateDirectory, 'journal')];
  for (const directory of [runtimeDirectory, memoryDirectory, journalDirectory])
    await ensurePrivateDirectory(directory);
  for (const directory of [stateDirectory, memoryDirectory, journalDirectory]) await sweepStaleTemps(directory);
  const sentinel = createSentinel(join(runtimeDirectory, 'down'));
  await sentinel.sweep([...config.credentials, ...config.chains].map(({ name }) => name));
  const common = {
    environment: capture.env,
    platform: capture.platform,
    fingerprint: await loadFingerprinter(stateDirectory),
    clock: systemClock,
    log,
    spoolDirectory: join(stateDirectory, 'spool'),
    watches: createDirectoryWatches(),
  };
  const siteOf = (config: Config): Site => createSite({ config, ...common });
  const site = siteOf(config);
  const credentials = config.credentials.map((credential) => buildOrBreak(credential, site));
  void sweepUntilDone(writtenPaths(config, credentials), log.write);
  let watching = watchConfiguration(config, () => daemon);
  const isThere = (name: string): boolean => daemon.state(name) !== undefined;
  const inForce = (now: Config) => takeEffect(now, { onConfiguration, isThere, log });
  await inForce(config);
  const reconfigure = createReconfigure({
    config,
    credentials,
    siteOf,
    buildCredential,
    buildChain,
    settingsOf,
    sharedBy: publishedVariables,
    onApplied: (next) => {
      secrets = next.secrets;
      log.setLevel(next.config.log.level);
      watching.end();
      watching = watchConfiguration(next.config, () => daemon);
      void inForce(next.config);
    },
  });
  const daemon: Daemon = createDaemon({
    version,
    configPath: config.path,
    clock: systemClock,
    alarm: metrics === undefined ? createAlarm() : measuredAlarm(createAlarm(), systemClock, metrics),
    log,
    journal: journalIn(journalDirectory, log),
    memory: memoryIn(memoryDirectory, log),
    sentinel,
    leftRuns: createLeftRuns({ spoolDirectory: site.spoolDirectory, log: log.write }),
    fingerprint: site.fingerprint,
    createRunId: randomUUID,
    bootId: await bootId(),
    credentials,
    chains: config.chains.map((chain) => buildChain(chain, site)),
    settings: settingsOf(site),
    readConfiguration: (source) => reconfigure(source === 'file' ? load : secrets.reload),
    haveSecretsChanged: (credential) => secrets.haveChanged(credential),
    ...(metrics === undefined ? {} : { metrics }),
    ...(onReload === undefined ? {} : { onReload }),
  });
  if (metrics !== undefined) observeChains(daemon.chains, metrics);
  return daemon;
}

function journalIn(directory: string, { write }: Log) {
  return createAttemptJournal(directory, ({ credential, setAsidePath }) =>
    write('warn', 'journal_set_aside', { credential, path: setAsidePath }),
  );
}

function memoryIn(directory: string, { write }: Log) {
  return createMemory(directory, ({ credential, code, setAsidePath }) =>
    write('warn', 'memory_broken', { credential, code, path: setAsidePath }),
  );
}

/** Where a temp of a write can lie that never came to its end. */
function writtenPaths(config: Config, credentials: readonly ManagedCredential[]): readonly string[] {
  const stores = credentials.flatMap(({ parts }) => (parts.store.path === null ? [] : [parts.store.path]));
  const published = config.credentials.flatMap(({ name, publish }) => [
    tokenFilePath(config.runtimeDirectory, name),
    ...publish.flatMap((target) => (target.type === 'envFile' ? [target.path] : [])),
  ]);
  return [...stores, ...published];
}

function takeEffect(
  config: Config,
  {
    onConfiguration,
    isThere,
    log,
  }: Pick<Surroundings, 'log' | 'onConfiguration'> & { isThere: (name: string) => boolean },
): Promise<void> {
  onConfiguration?.(config, isThere);
  return removeTokenFiles(forbiddenTokenFiles(config), log.write);
}

/** A rule about readers is worth nothing beside a file that asks nobody; one may be left from before there was a rule. */
function forbiddenTokenFiles({ credentials, chains, runtimeDirectory }: Config): readonly string[] {
  const ruled = new Set(credentials.filter(({ allow }) => allow !== null).map(({ name }) => name));
  const ruledChains = chains.filter(({ members }) => members.some(({ credential }) => ruled.has(credential)));
  return [...ruled, ...ruledChains.map(({ name }) => name)].map((name) => tokenFilePath(runtimeDirectory, name));
}

/** A credential that cannot be built must not keep the others from starting. */
export function buildOrBreak(credential: CredentialConfig, site: Site): ManagedCredential {
  try {
    return buildCredential(credential, site);
  } catch (error) {
    const { name } = credential;
    if (error instanceof PortError) {
      site.log.write('error', 'credential_not_built', { credential: name, code: error.code, detail: error.message });
      return brokenCredential(credential, error.message);
    }
    site.log.write('error', 'internal_error', { credential: name, during: 'build', ...describeBug(error) });
    return brokenCredential(credential, 'internal_error: see the log');
  }
}

/** Opt-in (`reloadOnChange`): polled, because editors replace the file and network mounts send no events. */
function watchConfiguration({ path, reloadOnChange }: Config, daemon: () => Daemon): { end(): void } {
  const reload = () => void daemon().reload();
  if (reloadOnChange) watchFile(path, { interval: CONFIG_LOOK_MS, persistent: false }, reload);
  return { end: () => unwatchFile(path, reload) };
}

/** Null where the system does not say which boot this is. */
async function bootId(): Promise<string | null> {
  const text = await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => null);
  return text?.trim() ?? null;
}

// Soon enough for a person who has just saved the file, and seldom enough to cost nothing.
const CONFIG_LOOK_MS = 2_000;

/** A disk that lets go of nothing at the start may do so later: what it keeps can hold tokens. */
async function sweepUntilDone(paths: readonly string[], log: LogPort['write']): Promise<void> {
  const again: LogPort['write'] = (level, event, fields) => {
    if (event !== 'stale_temps_kept') log(level, event, fields);
  };
  for (let left = await sweepBeside(paths, log); left.length > 0; left = await sweepBeside(left, again)) {
    await pause(SWEEP_AGAIN_MS, { keepsAlive: false });
  }
}

// Temps are private; a minute more or less of them costs nothing, and neither does the look.
const SWEEP_AGAIN_MS = 60_000;
