/**
 * The composition root: from a configuration file to a running daemon, and back to an exit code.
 *
 * Rule: order is everything here. Nothing of a credential is read before the daemon's lock is held; nobody can connect
 * before the first tokens are published; whatever is taken is given back in reverse.
 */
import { createHmac, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { favourMemory } from '../adapters/heap.ts';
import { acquireDaemonLock } from '../adapters/kernel-lock.ts';
import { createLog, type Log } from '../adapters/log.ts';
import { createMetrics } from '../adapters/metrics.ts';
import { createNotifySocket } from '../adapters/notify-socket.ts';
import { portErrorFrom } from '../adapters/port-error.ts';
import { ensurePrivateDirectory, makeDirectories } from '../adapters/private-directory.ts';
import { createServiceManager, passedSocket } from '../adapters/service-manager.ts';
import { systemClock } from '../adapters/system-clock.ts';
import { type AccessSources, type ApiServer, startApiServer } from '../api/server.ts';
import type { Config } from '../config/config.ts';
import { captureEnvironment, type LoadResult, loadConfig } from '../config/load.ts';
import { isPipe } from '../config/paths.ts';
import type { CredentialState } from '../core/state.ts';
import type { Fingerprint } from '../core/token.ts';
import { assemble, buildOrBreak } from './assemble.ts';
import type { Daemon } from './daemon.ts';
import { createGuard, type Guard } from './guard.ts';
import { createLifeSigns, type LifeSigns } from './life-signs.ts';
import { createSite } from './parts.ts';
import { PortError } from './ports.ts';
import type { MetricsPort } from './ports-metrics.ts';
import { buildChain } from './publish-parts.ts';
import { rehearse, rehearseChain } from './rehearse.ts';
import { type EndSignals, type HangUps, listenToHangUps, listenToSignals } from './signals.ts';
import type { ServiceManagerPort } from './system-ports.ts';
import { pause } from './time-limit.ts';

/** As in sysexits.h: clean stop, bug, the system lacks files or memory, not now (another one runs), configuration. */
export type DaemonExit = 0 | 70 | 71 | 75 | 78;

export interface RunOptions {
  /** `--config` */
  readonly configPath?: string | undefined;
  /** `--socket` */
  readonly socketPath?: string | undefined;
  readonly dryRun: boolean;
}

type Loaded = Extract<LoadResult, { ok: true }>;
type Started = ReturnType<typeof captureEnvironment>;

/** Runs the daemon until a signal ends it. Says on standard error why it does not start. */
export async function runDaemon(options: RunOptions): Promise<DaemonExit> {
  const hangUps = listenToHangUps();
  // Tokens, spools and sockets: nothing that is made here is for others, whatever the shell said.
  process.umask(0o077);
  const capture = captureEnvironment();
  const guard = await createGuard(capture);
  if (guard.opening !== null) {
    complain(guard.opening);
    return 78;
  }
  const load = async () =>
    guard.admit(await loadConfig({ path: options.configPath, socket: options.socketPath, capture }));
  const loaded = await load();
  if (!loaded.ok) {
    for (const problem of loaded.problems) complain(problem);
    return loaded.kind === 'system' ? 71 : 78;
  }
  try {
    if (options.dryRun) return await rehearseAll(loaded.config, capture);
    return await serve(loaded, { load, capture, guard, hangUps });
  } catch (error) {
    if (!(error instanceof PortError)) throw error;
    complain(error.message);
    return EXITS[error.code] ?? 78;
  }
}

async function serve(
  loaded: Loaded,
  {
    load,
    capture,
    guard,
    hangUps,
  }: { load: () => Promise<LoadResult>; capture: Started; guard: Guard; hangUps: HangUps },
): Promise<DaemonExit> {
  const { config, advice } = loaded;
  await ensurePrivateDirectory(config.stateDirectory);
  const lock = await acquireDaemonLock(config.stateDirectory);
  try {
    const log = createLog({ ...config.log, pretty: capture.env.FRESHD_LOG === 'pretty' && config.log.file === null });
    const end = listenToSignals(log);
    guard.protect(log);
    for (const { code, message } of advice) log.write('warn', 'config_advice', { code, detail: message });
    const manager = createManager(capture, { guard, log });
    const lifeSigns = createLifeSigns({ manager, log });
    const onReload = lifeSigns.reloading;
    const onConfiguration = guard.rules.apply;
    const metrics = createMetrics();
    const version = packageVersion();
    const daemon = await assemble(loaded, { capture, load, log, version, metrics, onReload, onConfiguration });
    end.control(daemon);
    const passed = passedSocket(capture.env, process.pid);
    await live(daemon, { config, access: guard.access, end, hangUps, lifeSigns, log, metrics, passed });
    log.write('info', 'stopped', { pid: process.pid });
    return 0;
  } finally {
    await lock.release();
    // A file system or a program that hangs must not keep a daemon alive that has nothing left to do.
    void pause(LINGER_MS_MAX, { keepsAlive: false }).then(() => process.exit());
  }
}

/** @throws PortError when it demands what cannot be given */
function createManager(
  { env: environment }: Started,
  { guard: { support }, log }: { readonly guard: Guard; readonly log: Log },
): ServiceManagerPort {
  const { NOTIFY_SOCKET: address = '' } = environment;
  const notify = address === '' ? null : createNotifySocket({ address, support });
  return createServiceManager({ environment, pid: process.pid, notify, log });
}

/** From the first reading of a store until all is at rest again. */
async function live(
  daemon: Daemon,
  {
    config,
    access,
    end,
    hangUps,
    lifeSigns,
    log,
    metrics,
    passed,
  }: {
    readonly config: Config;
    readonly access: AccessSources;
    readonly end: EndSignals;
    readonly hangUps: HangUps;
    readonly lifeSigns: LifeSigns;
    readonly log: Log;
    readonly metrics: MetricsPort;
    /** A socket that was opened for us; null: we open our own. */
    readonly passed: number | null;
  },
): Promise<void> {
  const { path, socketPath, socketGroup: group } = config;
  let server: ApiServer | null = null;
  try {
    const started = daemon.start();
    // Not before: a reload waits for a start that has begun, and would come before one that has not.
    hangUps.connect(() => void daemon.reload());
    await Promise.race([started, end.asked]);
    if (end.isAsked()) return;
    const pipe = isPipe(socketPath);
    if (!pipe && (passed === null || group !== null)) await ensureSocketFolder(dirname(socketPath));
    server = await startApiServer({
      daemon,
      socketPath,
      passedSocket: passed,
      isPipe: pipe,
      group,
      log,
      access,
      metrics,
      onSocketRemoved: (removal) => daemon.socketRemoved(removal),
    });
    favourMemory();
    log.write('info', 'ready', { pid: process.pid, config: path, socket: passed === null ? socketPath : 'passed' });
    lifeSigns.ready(daemon);
    await end.asked;
  } finally {
    // Also where the socket cannot be had: a script that runs by then may bring the only refresh token there is.
    // Readers are served to the end: what is finished in these seconds is what they wait for.
    lifeSigns.stopping(daemon.stopMsMax());
    await daemon.stop();
    await server?.close();
  }
}

/** Only made; whether it is a safe place is for the server to judge. */
async function ensureSocketFolder(path: string): Promise<void> {
  try {
    await makeDirectories(path, 0o700);
  } catch (error) {
    throw portErrorFrom(error, { path, doing: 'make the folder of the socket' });
  }
}

async function rehearseAll(config: Config, capture: Started): Promise<DaemonExit> {
  const log = { write: () => undefined };
  // Only compared within this process: no key has to be kept for it.
  const key = randomUUID();
  const fingerprint = (secret: string) => createHmac('sha256', key).update(secret).digest('base64url') as Fingerprint;
  // No directory: nothing is spooled, and what lies in the real one is the daemon's.
  const spoolDirectory = join(config.stateDirectory, 'no-spool');
  const { env: environment, platform } = capture;
  const site = createSite({ config, environment, platform, fingerprint, clock: systemClock, log, spoolDirectory });
  const lines = [`dry run of ${config.path}: nothing is written, nothing is started`];
  const states = new Map<string, CredentialState>();
  for (const credential of config.credentials) {
    const rehearsal = await rehearse(buildOrBreak(credential, site), { now: systemClock.now, fingerprint });
    lines.push('', ...rehearsal.lines);
    if (rehearsal.state !== null) states.set(credential.name, rehearsal.state);
  }
  for (const chain of config.chains) {
    lines.push('', ...rehearseChain(buildChain(chain, site).spec, states, systemClock.now()));
  }
  process.stdout.write(`${lines.join('\n')}\n`);
  return 0;
}

function complain(message: string): void {
  process.stderr.write(`freshd: ${message}\n`);
}

function packageVersion(): string {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  return String(version);
}

/** What another start may get past; everything else is for a person to correct. */
const EXITS: Readonly<Record<string, DaemonExit>> = {
  already_running: 75,
  socket_in_use: 75,
  too_many_files: 71,
  // A service manager gives up at 78; a disk may have room again, or answer, before anybody looks.
  disk_full: 71,
  out_of_inodes: 71,
  quota_exceeded: 71,
  read_only_filesystem: 71,
  io_error: 71,
  mount_lost: 71,
};

// Everything of ours has ended by then; what is left belongs to the system.
const LINGER_MS_MAX = 1_000;
