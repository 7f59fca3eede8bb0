/**
 * The daemon: credentials in, engine and performer wired together; ordered start, reload, stop.
 *
 * Rule: nothing here knows an adapter or a file format. Whatever goes wrong with one credential becomes an event of that
 * credential; start, reload and stop go on with the others, and each has a bound.
 */
import type { Event } from '../core/event.ts';
import { nextDeadline, step } from '../core/lifecycle.ts';
import { remember } from '../core/memory.ts';
import type { Pulse } from '../core/progress.ts';
import type { CredentialState } from '../core/state.ts';
import { type Chains, createChains, type ManagedChain } from './chains.ts';
import { comeToRest, restMsMax } from './come-to-rest.ts';
import type { ManagedCredential } from './credential.ts';
import { createEngine, type Engine, type StepListener, type Transition } from './engine.ts';
import { createFirstEvents } from './first-events.ts';
import { createLine } from './line.ts';
import { createMemoryKeeper, type MemoryKeeper } from './memory-keeper.ts';
import { createObserver, type ObserverOptions } from './observe.ts';
import { ALERT_MS_MAX, createPerformer, type Performer, type PerformerOptions } from './perform.ts';
import type { Publishing } from './perform-publish.ts';
import type { AlarmPort, DaemonPort, MemoryPort, ReloadResult } from './ports.ts';
import { createReconciler, type Reconciler, type ReconcileTools } from './reconcile.ts';
import type { Settings } from './reloading.ts';
import { createReloads, type NextConfiguration, type Reloads, type ReloadsOptions } from './reloads.ts';
import { createSocketNotices } from './socket-notices.ts';
import type { SocketRemoval } from './system-ports.ts';
import { within } from './time-limit.ts';
import { createStoreWatches, type StoreWatches } from './watch-stores.ts';

type Outside = Pick<
  PerformerOptions,
  'journal' | 'sentinel' | 'clock' | 'log' | 'fingerprint' | 'createRunId' | 'bootId'
>;

export interface DaemonOptions
  extends Outside,
    Pick<ReconcileTools, 'leftRuns'>,
    Pick<ObserverOptions, 'metrics'>,
    Pick<ReloadsOptions, 'readConfiguration' | 'onReload'> {
  readonly version: string;
  readonly configPath: string;
  readonly alarm: AlarmPort;
  readonly memory: MemoryPort;
  readonly credentials: readonly ManagedCredential[];
  readonly chains?: readonly ManagedChain[];
  readonly settings: Settings;
  /** Does a file hold another secret than this credential runs with? Absent: none comes from a file. */
  readonly haveSecretsChanged?: (credential: string) => Promise<boolean>;
}

export interface Daemon extends DaemonPort {
  fault(credential: string): string | null;
  /** Resolves when every store was read (or did not answer) and the first publications are through (or take too long). */
  start(): Promise<void>;
  /** Finishes what runs, within a bound, and saves what is remembered. */
  stop(): Promise<void>;
  /** Hastens a stop: ends the runs under way, their outcome is recorded as it comes; waits for no hook and no alert. */
  cancelRuns(): void;
  /** The socket of the API was removed: a person is told. */
  socketRemoved(removal: SocketRemoval): void;
  /** How long a stop can take. */
  stopMsMax(): number;
}

export function createDaemon(options: DaemonOptions): Daemon {
  return new CredentialDaemon(options);
}

class CredentialDaemon implements Daemon {
  readonly version: string;
  readonly configPath: string;
  readonly startedAt: Daemon['startedAt'];
  readonly chains: Chains;
  readonly #options: DaemonOptions;
  readonly #credentials = new Map<string, ManagedCredential>();
  /** Taken out of the configuration, but not yet at rest. */
  readonly #leaving = new Set<string>();
  readonly #line: ReturnType<typeof createLine>;
  readonly #engine: Engine;
  readonly #performer: Performer;
  readonly #keeper: MemoryKeeper<CredentialState>;
  readonly #watches: StoreWatches;
  readonly #reconciler: Reconciler;
  readonly #takeIn: ReturnType<typeof createFirstEvents>;
  readonly #reloads: Reloads;
  readonly socketRemoved: Daemon['socketRemoved'];
  #settings: Settings;
  #stopping: Promise<void> | null = null;
  #hasten: () => void = () => undefined;
  /** Resolves when a stop is not to wait for hooks and alerts either. */
  readonly #hastened = new Promise<void>((resolve) => {
    this.#hasten = resolve;
  });

  constructor(options: DaemonOptions) {
    const { clock, log, alarm, memory, version, configPath, settings } = options;
    this.#options = options;
    this.#settings = settings;
    this.version = version;
    this.configPath = configPath;
    this.startedAt = clock.now().wallMs;
    this.#reloads = createReloads({
      ...options,
      isStopping: () => this.#stopping !== null,
      isLeaving: (name) => this.#leaving.has(name),
      isCredential: (name) => this.#credentials.has(name),
      putInForce: (next) => this.#putInForce(next),
    });
    this.#line = createLine(settings.maxConcurrentRefreshes);
    this.#keeper = createMemoryKeeper({ port: memory, remember, log });
    this.#reconciler = createReconciler(options);
    const standIns: DaemonPort['chains']['standIns'] = (name) => this.chains.standIns(name);
    this.#performer = createPerformer({
      ...options,
      line: this.#line,
      credential: (name) => this.#credentials.get(name),
      publishing: (name) => this.#publishing(name),
      standIns,
      state: (name) => this.#engine.state(name),
      isReconciling: this.#reconciler.isReconciling,
      report: (name, event) => this.#engine.dispatch(name, event),
      sinks: () => this.#settings.sinks,
      checkSecrets: async (name) => {
        if (await options.haveSecretsChanged?.(name)) await this.#reloads.reload('secrets');
      },
    });
    this.chains = createChains({
      state: this.state,
      dispatch: this.dispatch,
      remedy: this.remedy,
      memory,
      clock,
      log,
    });
    this.socketRemoved = createSocketNotices({ ...options, settings: () => this.#settings, limitMs: ALERT_MS_MAX });
    this.#watches = createStoreWatches({ state: this.state, reread: (name) => this.#reread(name) });
    const logTransition = createObserver({ ...options, remedy: this.remedy, standIns });
    this.#engine = createEngine({
      step,
      nextDeadline,
      clock,
      alarm,
      log,
      perform: (name, effects) => this.#performer.enqueue(name, effects),
      observe: (transition) => {
        logTransition(transition);
        this.#afterStep(transition);
      },
      chains: this.chains,
    });
    this.#takeIn = createFirstEvents({
      ...options,
      engine: this.#engine,
      keeper: this.#keeper,
      watches: this.#watches,
      reconciler: this.#reconciler,
      remedy: this.remedy,
      standIns,
      isStopping: () => this.#stopping !== null,
    });
    for (const credential of options.credentials) this.#credentials.set(credential.name, credential);
  }

  names = (): readonly string[] => this.#engine.names();
  state = (credential: string): CredentialState | undefined => this.#engine.state(credential);
  fault = (credential: string): string | null => this.#engine.fault(credential);
  remedy = (credential: string): string => this.#credentials.get(credential)?.parts.remedy ?? '';
  variable = (credential: string): string | null => this.#credentials.get(credential)?.parts.variable ?? null;
  now = () => this.#options.clock.now();
  pulse = (): Pulse => this.#engine.pulse();
  stopMsMax = (): number => restMsMax(this.#policies()) + 2 * FLUSH_MS_MAX;
  dispatch = (credential: string, event: Event): void => this.#engine.dispatch(credential, event);
  onStep = (listener: StepListener): (() => void) => this.#engine.onStep(listener);

  async start(): Promise<void> {
    const { chains = [] } = this.#options;
    const loading = this.chains.configure(chains).then(() => this.#takeIn([...this.#credentials.values()]));
    // A reload in the middle would change or remove what is not there yet, and what comes later would be of the old one.
    this.#reloads.startAfter(loading);
    await loading;
    void this.#reconciler.finished().then(() => this.#options.leftRuns.sweep());
    const published = await within(this.#performer.published(), FIRST_PUBLICATIONS_MS_MAX);
    if (published === 'timed_out') this.#options.log.write('warn', 'publications_slow', {});
  }

  reload(): Promise<ReloadResult> {
    return this.#reloads.reload('file');
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  cancelRuns(): void {
    this.#hasten();
    this.#performer.cancelRuns(this.#engine.names());
  }

  async #putInForce(next: NextConfiguration): Promise<void> {
    this.#settings = next.settings;
    this.#line.resize(next.settings.maxConcurrentRefreshes);
    // Before its members: what they published has its new owner when they let go of it.
    for (const name of await this.chains.configure(next.chains?.all ?? [])) this.#drop(name);
    for (const name of next.removed) this.#leave(name);
    for (const credential of next.changed) this.#change(credential);
    for (const credential of next.added) this.#credentials.set(credential.name, credential);
    next.applied();
    await this.#takeIn(next.added);
  }

  #change(credential: ManagedCredential): void {
    const { name, policy, parts } = credential;
    this.#credentials.set(name, credential);
    const targets = parts.publishers.map((publisher) => publisher.id);
    this.#engine.dispatch(name, { type: 'policy_changed', policy, targets });
    this.#watches.set(credential);
    this.#reread(name);
  }

  /** What a chain published stays until its members say otherwise; but nobody is left to end a report of being down. */
  #drop(chain: string): void {
    this.#engine.remove(chain);
    this.#performer.enqueue(chain, [{ type: 'set_sentinel', revision: 0, down: null }]);
  }

  #publishing(name: string): Publishing | undefined {
    const publishers = this.chains.publishers(name);
    return publishers === undefined
      ? this.#credentials.get(name)?.parts
      : { publishers, remedy: this.chains.remedy(name) };
  }

  #reread(name: string): void {
    this.#performer.enqueue(name, [{ type: 'reread_store' }]);
  }

  #leave(name: string): void {
    this.#leaving.add(name);
    this.#engine.dispatch(name, { type: 'stopping' });
  }

  #afterStep({ credential, before, after, now }: Transition): void {
    if (before !== after) this.#keeper.note(after, now);
    this.#watches.stepped(credential, after);
    if (after.phase.kind !== 'stopped' || !this.#leaving.delete(credential)) return;
    this.#engine.remove(credential);
    this.#keeper.forget(credential);
    this.#watches.drop(credential);
    this.#credentials.delete(credential);
    // What it published stays, as after a stop; but nobody is left to end a report of being down.
    this.#performer.enqueue(credential, [{ type: 'set_sentinel', revision: 0, down: null }]);
  }

  #policies = () => [...this.#credentials.values()].map(({ policy }) => policy);

  async #stop(): Promise<void> {
    this.#watches.close();
    const names = this.#engine.names();
    await comeToRest({ engine: this.#engine, policies: this.#policies(), log: this.#options.log });
    await within(Promise.race([this.#performer.idle(), this.#hastened]), FLUSH_MS_MAX);
    await Promise.all(names.map((name) => this.#performer.abandon(name)));
    await within(Promise.all([this.#keeper.flush(), this.chains.flush()]), FLUSH_MS_MAX);
    this.#engine.close();
  }
}

// A publication that hangs costs the start this much.
const FIRST_PUBLICATIONS_MS_MAX = 5_000;

// Publications and alerts under way at the end; the service's stop timeout allows for it.
const FLUSH_MS_MAX = 5_000;
