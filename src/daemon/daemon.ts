/**
 * The daemon: credentials in, engine and performer wired together; ordered start, reload, stop.
 *
 * Rule: nothing here knows an adapter or a file format. Whatever goes wrong with one credential becomes an event of that
 * credential; start, reload and stop go on with the others, and each has a bound.
 */
import type { Event } from '../core/event.ts';
import { nextDeadline, step } from '../core/lifecycle.ts';
import { remember } from '../core/memory.ts';
import type { CredentialState } from '../core/state.ts';
import type { ManagedCredential } from './credential.ts';
import { createEngine, type Engine, type StepListener, type Transition } from './engine.ts';
import { createFirstEvents } from './first-events.ts';
import { createLine } from './line.ts';
import { createMemoryKeeper, type MemoryKeeper } from './memory-keeper.ts';
import { createObserver } from './observe.ts';
import { createPerformer, type Performer, type PerformerOptions } from './perform.ts';
import type { AlarmPort, AlertSink, DaemonPort, MemoryPort, ReloadResult } from './ports.ts';
import { createReconciler, type Reconciler, type ReconcileTools } from './reconcile.ts';
import { within } from './time-limit.ts';
import { createStoreWatches, type StoreWatches } from './watch-stores.ts';

/** What can change while the daemon runs, beside the credentials. */
export interface Settings {
  readonly sinks: readonly AlertSink[];
  readonly maxConcurrentRefreshes: number;
}

/** A new configuration, read and built completely before anything of it is applied. */
export type Reloading =
  | { readonly ok: false; readonly problems: readonly string[] }
  | {
      readonly ok: true;
      readonly added: readonly ManagedCredential[];
      /** With new parts, or with the old ones and a new policy. */
      readonly changed: readonly ManagedCredential[];
      readonly removed: readonly string[];
      readonly settings: Settings;
      /** Called once it is in force. */
      readonly applied: () => void;
    };

type Outside = Pick<
  PerformerOptions,
  'journal' | 'sentinel' | 'clock' | 'log' | 'fingerprint' | 'createRunId' | 'bootId'
>;

export interface DaemonOptions extends Outside, Pick<ReconcileTools, 'leftRuns'> {
  readonly version: string;
  readonly configPath: string;
  readonly alarm: AlarmPort;
  readonly memory: MemoryPort;
  readonly credentials: readonly ManagedCredential[];
  readonly settings: Settings;
  readonly readConfiguration: () => Promise<Reloading>;
}

export interface Daemon extends DaemonPort {
  fault(credential: string): string | null;
  /** Resolves when every store was read (or did not answer) and the first publications are through (or take too long). */
  start(): Promise<void>;
  /** Finishes what runs, within a bound, and saves what is remembered. */
  stop(): Promise<void>;
  /** Hastens a stop: ends the runs under way, their outcome is recorded as it comes; waits for no hook and no alert. */
  cancelRuns(): void;
}

export function createDaemon(options: DaemonOptions): Daemon {
  return new CredentialDaemon(options);
}

class CredentialDaemon implements Daemon {
  readonly version: string;
  readonly configPath: string;
  readonly startedAt: Daemon['startedAt'];
  readonly #options: DaemonOptions;
  readonly #credentials = new Map<string, ManagedCredential>();
  /** Taken out of the configuration, but not yet at rest. */
  readonly #leaving = new Set<string>();
  readonly #line: ReturnType<typeof createLine>;
  readonly #engine: Engine;
  readonly #performer: Performer;
  readonly #keeper: MemoryKeeper;
  readonly #watches: StoreWatches;
  readonly #reconciler: Reconciler;
  readonly #takeIn: ReturnType<typeof createFirstEvents>;
  #settings: Settings;
  #reloading: Promise<unknown> = Promise.resolve();
  #stopping: Promise<void> | null = null;
  /** Resolves when a stop is not to wait for hooks and alerts either. */
  readonly #hastened: Promise<void>;
  #hasten: () => void = () => undefined;

  constructor(options: DaemonOptions) {
    const { clock, log, alarm, memory, version, configPath, settings } = options;
    this.#options = options;
    this.#settings = settings;
    this.#hastened = new Promise((resolve) => {
      this.#hasten = resolve;
    });
    this.version = version;
    this.configPath = configPath;
    this.startedAt = clock.now().wallMs;
    this.#line = createLine(settings.maxConcurrentRefreshes);
    this.#keeper = createMemoryKeeper({ port: memory, remember, log });
    this.#reconciler = createReconciler(options);
    this.#performer = createPerformer({
      ...options,
      line: this.#line,
      credential: (name) => this.#credentials.get(name),
      state: (name) => this.#engine.state(name),
      isReconciling: this.#reconciler.isReconciling,
      report: (name, event) => this.#engine.dispatch(name, event),
      sinks: () => this.#settings.sinks,
    });
    this.#watches = createStoreWatches({ state: this.state, reread: (name) => this.#reread(name) });
    const logTransition = createObserver({ log, remedy: this.remedy });
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
    });
    this.#takeIn = createFirstEvents({
      ...options,
      engine: this.#engine,
      keeper: this.#keeper,
      watches: this.#watches,
      reconciler: this.#reconciler,
      remedy: this.remedy,
      isStopping: () => this.#stopping !== null,
    });
    for (const credential of options.credentials) this.#credentials.set(credential.name, credential);
  }

  names = (): readonly string[] => this.#engine.names();
  state = (credential: string): CredentialState | undefined => this.#engine.state(credential);
  fault = (credential: string): string | null => this.#engine.fault(credential);
  remedy = (credential: string): string => this.#credentials.get(credential)?.parts.remedy ?? '';
  now = () => this.#options.clock.now();
  dispatch = (credential: string, event: Event): void => this.#engine.dispatch(credential, event);
  onStep = (listener: StepListener): (() => void) => this.#engine.onStep(listener);

  async start(): Promise<void> {
    const loading = this.#takeIn([...this.#credentials.values()]);
    // A reload in the middle would change or remove what is not there yet, and what comes later would be of the old one.
    this.#reloading = loading.catch(() => undefined);
    await loading;
    void this.#reconciler.finished().then(() => this.#options.leftRuns.sweep());
    const published = await within(this.#performer.published(), FIRST_PUBLICATIONS_MS_MAX);
    if (published === 'timed_out') this.#options.log.write('warn', 'publications_slow', {});
  }

  reload(): Promise<ReloadResult> {
    const result = this.#reloading.then(() => this.#reload());
    this.#reloading = result.catch(() => undefined);
    return result;
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  cancelRuns(): void {
    this.#hasten();
    this.#performer.cancelRuns(this.#engine.names());
  }

  async #reload(): Promise<ReloadResult> {
    const { log } = this.#options;
    if (this.#stopping !== null) return { ok: false, problems: ['freshd is stopping'] };
    const next = await this.#options.readConfiguration();
    const problems = next.ok ? this.#stillLeaving(next.added) : next.problems;
    if (!next.ok || problems.length > 0) {
      log.write('warn', 'reload_refused', { problems: problems.length, first: problems[0] ?? null });
      return { ok: false, problems };
    }
    this.#settings = next.settings;
    this.#line.resize(next.settings.maxConcurrentRefreshes);
    for (const name of next.removed) this.#leave(name);
    for (const credential of next.changed) this.#change(credential);
    for (const credential of next.added) this.#credentials.set(credential.name, credential);
    next.applied();
    await this.#takeIn(next.added);
    const names = (credentials: readonly ManagedCredential[]) => credentials.map(({ name }) => name);
    const result = { ok: true, added: names(next.added), changed: names(next.changed), removed: next.removed } as const;
    const { added, changed, removed } = result;
    log.write('info', 'reloaded', { added: added.length, changed: changed.length, removed: removed.length });
    return result;
  }

  /** A name can come back only when the attempt that it left behind is over. */
  #stillLeaving(added: readonly ManagedCredential[]): readonly string[] {
    return added
      .filter(({ name }) => this.#leaving.has(name))
      .map(
        ({ name }) => `credentials.${name}: expected its last attempt to be over, it still runs; reload again later`,
      );
  }

  #change(credential: ManagedCredential): void {
    const { name, policy, parts } = credential;
    this.#credentials.set(name, credential);
    const targets = parts.publishers.map((publisher) => publisher.id);
    this.#engine.dispatch(name, { type: 'policy_changed', policy, targets });
    this.#watches.set(credential);
    this.#reread(name);
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

  async #stop(): Promise<void> {
    this.#watches.close();
    const names = this.#engine.names();
    const longestRunMs = Math.max(0, ...[...this.#credentials.values()].map(({ policy }) => runMsMax(policy)));
    const atRest = this.#atRest(names);
    for (const name of names) this.#engine.dispatch(name, { type: 'stopping' });
    const outcome = await within(atRest, longestRunMs + STOP_SLACK_MS);
    if (outcome === 'timed_out') this.#options.log.write('error', 'stop_timed_out', { credentials: names.length });
    await within(Promise.race([this.#performer.idle(), this.#hastened]), FLUSH_MS_MAX);
    await Promise.all(names.map((name) => this.#performer.abandon(name)));
    await within(this.#keeper.flush(), FLUSH_MS_MAX);
    this.#engine.close();
  }

  /** Resolves once every credential has come to rest. */
  #atRest(names: readonly string[]): Promise<void> {
    const running = new Set(names.filter((name) => this.#engine.state(name)?.phase.kind !== 'stopped'));
    return new Promise((resolve) => {
      if (running.size === 0) resolve();
      this.#engine.onStep((name, { phase }) => {
        if (phase.kind === 'stopped') running.delete(name);
        if (running.size === 0) resolve();
      });
    });
  }
}

const runMsMax = ({ refreshTimeoutMs, killGraceMs }: ManagedCredential['policy']): number =>
  refreshTimeoutMs + killGraceMs;

// A publication that hangs costs the start this much.
const FIRST_PUBLICATIONS_MS_MAX = 5_000;
// After the longest run: the store poll, and the way through journal and store.
const STOP_SLACK_MS = 5_000;

// Publications and alerts under way at the end; the service's stop timeout allows for it.
const FLUSH_MS_MAX = 5_000;
