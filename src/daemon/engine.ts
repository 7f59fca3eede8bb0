/**
 * The engine: the only caller of `step`. It holds the states of all credentials, feeds them events, hands their effects to
 * the performer, and keeps one alarm at the earliest deadline of all.
 *
 * Contract:
 * 1. `dispatch` is synchronous and not re-entrant: step, commit the state, enqueue the effects, re-arm the alarm, observe.
 *    What is dispatched meanwhile (by a listener, by a port that answers at once) waits in a queue and is run before the
 *    outermost `dispatch` returns. Nothing else calls `step`.
 * 2. Effects run first-in-first-out per credential; the engine never waits for one, and credentials never wait for each other.
 * 3. After every step the credential's next deadline is asked for and kept; in every phase but `stopped` there is one, later
 *    than now. A wake-up ticks only what is due. Ticks are idempotent: early, late and doubled ones are harmless.
 * 4. The alarm never sleeps longer than 30 s. At every look at the clocks (wake-up or event) a disagreement between wall and
 *    monotonic time of more than 2 s is told to every credential first, as `clock_jumped`.
 * 5. A throw from `step` is a bug. The step is dropped as a whole (old state, no effects), logged as `step_threw`, and the
 *    credential is unhealthy until a later step succeeds; it is ticked every 30 s. All others go on. A deadline that is
 *    missing or not later than now counts as such a bug, but its step stands. What a store was found to hold is told again in
 *    place of that tick: the store will not say it a second time.
 * 6. A chain is stepped after the steps of its members, within the same `dispatch`: nobody outside sees the one without the
 *    other. What is said above of credentials holds for chains, but that a chain may wait for nothing.
 */
import type { Effect } from '../core/effect.ts';
import type { Event } from '../core/event.ts';
import type { Pulse } from '../core/progress.ts';
import type { CredentialState, Step } from '../core/state.ts';
import type { Now } from '../core/token.ts';
import { describeBug } from './bug.ts';
import type { ChainSteps } from './chains.ts';
import { type ClockWatch, createClockWatch } from './clock-watch.ts';
import { isReading } from './credential.ts';
import type { AlarmPort, ClockPort, LogPort } from './ports.ts';
import { createWakeUp, type WakeUp } from './wake-up.ts';

export interface EngineOptions {
  readonly step: (state: CredentialState, event: Event, now: Now) => Step;
  /** Delay in ms, more than 0; null: never again. */
  readonly nextDeadline: (state: CredentialState, now: Now) => number | null;
  readonly clock: ClockPort;
  readonly alarm: AlarmPort;
  readonly log: LogPort;
  /** Enqueues; neither awaited nor allowed to throw. */
  readonly perform: (credential: string, effects: readonly Effect[]) => void;
  readonly observe: (transition: Transition) => void;
  /** What follows from the credentials' states: stepped after each step of a member, and when its own deadline comes. */
  readonly chains?: ChainSteps;
}

/** One step, as it is told to those who watch. */
export interface Transition {
  readonly credential: string;
  readonly event: Event;
  readonly before: CredentialState;
  readonly after: CredentialState;
  readonly now: Now;
}

export type StepListener = (credential: string, state: CredentialState) => void;

export interface Engine {
  /** Takes a credential in with its first event, which settles its state and sets its first deadline. */
  add(state: CredentialState, first: Event): void;
  /** Forgets the credential; later events for it are dropped. */
  remove(credential: string): void;
  names(): readonly string[];
  state(credential: string): CredentialState | undefined;
  /** Why this credential cannot be stepped at the moment (a bug), or null. */
  fault(credential: string): string | null;
  dispatch(credential: string, event: Event): void;
  onStep(listener: StepListener): () => void;
  /** Whether the alarm still rings is read from this. */
  pulse(): Pulse;
  /** Clears the alarm for good. */
  close(): void;
}

export function createEngine(options: EngineOptions): Engine {
  return new CredentialEngine(options);
}

class CredentialEngine implements Engine {
  readonly #options: EngineOptions;
  readonly #states = new Map<string, CredentialState>();
  readonly #faults = new Map<string, string>();
  /** What stores were found to hold, where the step threw. */
  readonly #unread = new Map<string, Event>();
  readonly #wakeUp: WakeUp;
  readonly #listeners = new Set<StepListener>();
  #queue: { readonly credential: string; readonly event: Event }[] = [];
  /** Chains that stand in the queue because of a member. */
  readonly #touched = new Set<string>();
  #draining = false;
  readonly #clockWatch: ClockWatch;

  constructor(options: EngineOptions) {
    this.#options = options;
    this.#clockWatch = createClockWatch(options.clock);
    this.#wakeUp = createWakeUp({ ...options, ring: () => this.#ring() });
  }

  add(state: CredentialState, first: Event): void {
    this.#states.set(state.name, state);
    this.dispatch(state.name, first);
  }

  remove(credential: string): void {
    this.#states.delete(credential);
    this.#faults.delete(credential);
    this.#unread.delete(credential);
    this.#wakeUp.delete(credential);
  }

  names(): readonly string[] {
    return [...this.#states.keys()];
  }

  state(credential: string): CredentialState | undefined {
    return this.#states.get(credential);
  }

  fault(credential: string): string | null {
    return this.#faults.get(credential) ?? null;
  }

  onStep(listener: StepListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  dispatch(credential: string, event: Event): void {
    this.#queue.push({ credential, event });
    if (!this.#draining) this.#drain(() => this.#noticeJump());
  }

  pulse(): Pulse {
    return this.#wakeUp.pulse();
  }

  close(): void {
    this.#wakeUp.close();
  }

  #ring(): void {
    this.#drain(() => {
      this.#noticeJump();
      const due = this.#wakeUp.takeDue();
      const isChain = (name: string): boolean => this.#options.chains?.has(name) === true;
      for (const credential of [...due.filter((name) => !isChain(name)), ...due.filter(isChain)]) {
        if (isChain(credential)) this.#touched.add(credential);
        this.#queue.push({ credential, event: this.#unread.get(credential) ?? TICK });
      }
    });
  }

  /** Runs the queue until it is empty, then arms the alarm; `prepare` may put events in front. */
  #drain(prepare: () => void): void {
    this.#draining = true;
    try {
      prepare();
      for (let next = 0; next < this.#queue.length; next += 1) {
        const entry = this.#queue[next];
        if (entry !== undefined) this.#step(entry.credential, entry.event);
      }
    } finally {
      this.#queue = [];
      this.#touched.clear();
      this.#draining = false;
      this.#wakeUp.arm();
    }
  }

  #step(name: string, event: Event): void {
    const { chains } = this.#options;
    if (chains?.has(name) === true) {
      this.#touched.delete(name);
      this.#stepChain(chains, name, event);
      return;
    }
    this.#stepCredential(name, event);
    // Behind what waits already: of members that come due together each has had its step when their chain looks at them.
    for (const chain of chains?.of(name) ?? NONE) {
      if (!this.#touched.has(chain)) this.#queue.push({ credential: chain, event: TICK });
      this.#touched.add(chain);
    }
  }

  #stepCredential(credential: string, event: Event): void {
    const before = this.#states.get(credential);
    if (before === undefined) {
      this.#options.log.write('debug', 'event_dropped', { credential, cause: event.type });
      return;
    }
    const now = this.#options.clock.now();
    let step: Step;
    let delayMs: number | null;
    try {
      step = this.#options.step(before, event, now);
      delayMs = this.#options.nextDeadline(step.state, now);
    } catch (error) {
      this.#quarantine(credential, event, error, now);
      return;
    }
    this.#states.set(credential, step.state);
    if (isReading(event)) this.#unread.delete(credential);
    if (this.#faults.delete(credential)) this.#options.log.write('info', 'step_recovered', { credential });
    const { kind } = step.state.phase;
    this.#schedule(credential, { delayMs, mayRest: kind === 'stopped', phase: kind }, now);
    this.#options.perform(credential, step.effects);
    this.#tell({ credential, event, before, after: step.state, now });
  }

  #stepChain(chains: ChainSteps, chain: string, event: Event): void {
    const now = this.#options.clock.now();
    let step: ReturnType<ChainSteps['step']>;
    try {
      step = chains.step(chain, event, now);
    } catch (error) {
      this.#quarantine(chain, event, error, now);
      return;
    }
    if (this.#faults.delete(chain)) this.#options.log.write('info', 'step_recovered', { credential: chain });
    this.#schedule(chain, { delayMs: step.delayMs, mayRest: true, phase: 'chain' }, now);
    this.#options.perform(chain, step.effects);
    this.#guarded(chain, () => chains.tell(chain));
  }

  #schedule(
    name: string,
    { delayMs, mayRest, phase }: { readonly delayMs: number | null; readonly mayRest: boolean; readonly phase: string },
    now: Now,
  ): void {
    if (delayMs === null && mayRest) this.#wakeUp.delete(name);
    else if (delayMs !== null && delayMs > 0) this.#wakeUp.set(name, now.monotonicMs + delayMs);
    else {
      // A bug too, but one that must neither spin nor put the credential to sleep for ever.
      this.#wakeUp.set(name, now.monotonicMs + FAULT_RETRY_MS);
      this.#faults.set(name, 'deadline_broken');
      this.#options.log.write('error', 'deadline_broken', { credential: name, phase, delay_ms: delayMs });
    }
  }

  #quarantine(credential: string, event: Event, error: unknown, now: Now): void {
    const { code, stack } = describeBug(error);
    this.#faults.set(credential, code);
    if (isReading(event)) this.#unread.set(credential, event);
    this.#wakeUp.set(credential, now.monotonicMs + FAULT_RETRY_MS);
    this.#options.log.write('error', 'step_threw', { credential, cause: event.type, code, stack });
  }

  #tell(transition: Transition): void {
    this.#guarded(transition.credential, () => {
      this.#options.observe(transition);
      for (const listener of this.#listeners) listener(transition.credential, transition.after);
    });
  }

  #guarded(name: string, listen: () => void): void {
    try {
      listen();
    } catch (error) {
      this.#options.log.write('error', 'listener_threw', { credential: name, ...describeBug(error) });
    }
  }

  #noticeJump(): void {
    const byMs = this.#clockWatch.jumpedByMs();
    if (byMs === null) return;
    this.#options.log.write('warn', 'clock_jumped', { by_ms: byMs, credentials: this.#states.size });
    const waiting = this.#queue;
    const told = this.names().map((credential) => ({ credential, event: { type: 'clock_jumped', byMs } as const }));
    this.#queue = [...told, ...waiting];
  }
}

const TICK = { type: 'tick' } as const;
const NONE: readonly string[] = [];

// A bug that depends on the moment passes by itself; one that does not is logged twice a minute, not in a loop.
const FAULT_RETRY_MS = 30_000;
