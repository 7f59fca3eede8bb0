/**
 * The performer: effect -> port -> event, first-in-first-out per credential.
 *
 * Rule: credentials never wait for each other. What must follow each other is awaited (record, persist, close), each bounded;
 * what may take its time is started and answers later (waiting in line, the run, store checks, publications, alerts), so
 * that a withdrawal is never stuck behind a script.
 */
import type { Effect } from '../core/effect.ts';
import type { StandIn } from '../core/stand-in.ts';
import { describeBug } from './bug.ts';
import { createAlertSender } from './perform-alert.ts';
import { Attempts, type AttemptsOptions } from './perform-attempt.ts';
import { createPublications, type Publishing } from './perform-publish.ts';
import { createStoreChecks } from './perform-store.ts';
import type { AlertSink, SentinelPort } from './ports.ts';

export interface PerformerOptions extends Omit<AttemptsOptions, 'lockLimitMs' | 'stepLimitMs'> {
  readonly sentinel: SentinelPort;
  /** May change at a reload. */
  readonly sinks: () => readonly AlertSink[];
  /** Sees to it that another secret in a file is taken over. */
  readonly checkSecrets: (credential: string) => Promise<void>;
  /** By the name of a credential or a chain. */
  readonly publishing: (name: string) => Publishing | undefined;
  /** Who serves in the place of that credential, in each of its chains. */
  readonly standIns: (credential: string) => readonly StandIn[];
}

export interface Performer {
  /** Never throws. Nothing is performed before the caller's turn of the event loop is over. */
  enqueue(credential: string, effects: readonly Effect[]): void;
  /** Ends the runs under way, with their processes. */
  cancelRuns(credentials: readonly string[]): void;
  /** Releases what an attempt of that credential holds. */
  abandon(credential: string): Promise<void>;
  /** Resolves when no publication is under way but hung ones. */
  published(): Promise<void>;
  /** Resolves when nothing at all is under way but hung publications. */
  idle(): Promise<void>;
}

export function createPerformer(options: PerformerOptions): Performer {
  return new EffectPerformer(options);
}

class EffectPerformer implements Performer {
  readonly #options: PerformerOptions;
  readonly #attempts: Attempts;
  readonly #publications: ReturnType<typeof createPublications>;
  readonly #checkStore: (credential: string) => Promise<void>;
  readonly #sendAlert: ReturnType<typeof createAlertSender>;
  readonly #queues = new Map<string, Effect[]>();
  readonly #draining = new Map<string, Promise<void>>();
  readonly #running = new Set<Promise<void>>();

  constructor(options: PerformerOptions) {
    const { report, publishing } = options;
    this.#options = options;
    this.#attempts = new Attempts({ ...options, lockLimitMs: LOCK_MS_MAX, stepLimitMs: STEP_MS_MAX });
    const handedOut = async (name: string) => this.#draining.get(name);
    this.#publications = createPublications({ ...options, limitMs: PUBLISH_MS_MAX, handedOut });
    const isAttempting = (name: string) => this.#attempts.isOpen(name);
    this.#checkStore = createStoreChecks({ ...options, isAttempting, limitMs: STORE_CHECK_MS_MAX });
    const remedy = (name: string) => publishing(name)?.remedy ?? '';
    this.#sendAlert = createAlertSender({ ...options, report, remedy, limitMs: ALERT_MS_MAX });
  }

  enqueue(credential: string, effects: readonly Effect[]): void {
    if (effects.length === 0) return;
    const queue = this.#queues.get(credential);
    if (queue !== undefined) {
      queue.push(...effects);
      return;
    }
    this.#queues.set(credential, [...effects]);
    this.#draining.set(credential, this.#drain(credential));
  }

  cancelRuns(credentials: readonly string[]): void {
    for (const credential of credentials) this.#attempts.cancelAny(credential);
  }

  abandon(credential: string): Promise<void> {
    return this.#attempts.release(credential);
  }

  async published(): Promise<void> {
    while (this.#draining.size > 0) await Promise.all(this.#draining.values());
    await this.#publications.idle();
  }

  async idle(): Promise<void> {
    while (this.#running.size + this.#draining.size > 0)
      await Promise.all([...this.#running, ...this.#draining.values()]);
    await this.#publications.idle();
  }

  async #drain(credential: string): Promise<void> {
    // Effects begin after the step that asked for them has been observed by everybody.
    await Promise.resolve();
    const queue = this.#queues.get(credential) ?? [];
    for (let effect = queue.shift(); effect !== undefined; effect = queue.shift()) {
      try {
        await this.#perform(credential, effect);
      } catch (error) {
        // Each performer answers for its ports; what comes here is a bug of the shell, covered by the core's back-stop.
        this.#options.log.write('error', 'internal_error', { credential, during: effect.type, ...describeBug(error) });
      }
    }
    this.#queues.delete(credential);
    this.#draining.delete(credential);
  }

  /** @returns a promise only for what the next effect has to wait for */
  #perform(credential: string, effect: Effect): Promise<void> | undefined {
    switch (effect.type) {
      case 'begin_attempt':
        return this.#start(credential, effect, this.#attempts.begin(credential, effect));
      case 'run_refresh':
        return this.#start(credential, effect, this.#attempts.run(credential, effect));
      case 'cancel_refresh':
        this.#attempts.cancel(credential, effect.attempt);
        return undefined;
      case 'record_answer':
        return this.#attempts.record(credential, effect);
      case 'persist_token':
        return this.#attempts.persist(credential, effect);
      case 'close_attempt':
        return this.#attempts.close(credential, effect);
      case 'forget_set_aside':
        return this.#attempts.forgetSetAside(credential);
      case 'reread_store':
        // Whatever else lies on this machine and decides whether a refresh can succeed is looked at along with the store.
        this.#start(credential, effect, this.#options.checkSecrets(credential));
        return this.#start(credential, effect, this.#checkStore(credential));
      case 'publish_token':
      case 'withdraw_token':
      case 'set_sentinel':
        this.#publications.submit(credential, effect);
        return undefined;
      case 'send_alert':
        return this.#start(credential, effect, this.#sendAlert(credential, effect.alert));
    }
  }

  #start(credential: string, effect: Effect, work: Promise<void>): undefined {
    const guarded = work.catch((error: unknown) => {
      this.#options.log.write('error', 'internal_error', { credential, during: effect.type, ...describeBug(error) });
    });
    track(guarded, this.#running);
  }
}

function track(work: Promise<void>, among: Set<Promise<void>>): void {
  const tracked = work.finally(() => among.delete(tracked));
  among.add(tracked);
}

// Somebody else's attempt on the same store; the core tries again without counting it.
const LOCK_MS_MAX = 30_000;

// The lock, up to 3 s of re-reading a half-written store, and two fsyncs on a slow disk.
const STEP_MS_MAX = 45_000;

// Disks answer in milliseconds; what takes longer than this hangs.
const PUBLISH_MS_MAX = 20_000;
const STORE_CHECK_MS_MAX = 10_000;

// Sinks have limits of their own, shorter than this; it is only for one that ignores its own.
export const ALERT_MS_MAX = 60_000;
