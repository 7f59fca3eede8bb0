/**
 * Takes credentials in: what is remembered of each, the first reading of its store, and with that its first event.
 *
 * Rule: whatever is wrong with one memory or store, or takes too long, is that credential's own; the others are taken in.
 */
import { initialState } from '../core/memory.ts';
import type { StandIn } from '../core/stand-in.ts';
import type { CredentialState } from '../core/state.ts';
import type { ManagedCredential } from './credential.ts';
import type { Engine } from './engine.ts';
import { createGate } from './gate.ts';
import type { MemoryKeeper } from './memory-keeper.ts';
import { logStillWaiting } from './observe.ts';
import type { ClockPort, LogPort } from './ports.ts';
import type { Reconciler } from './reconcile.ts';
import { within } from './time-limit.ts';
import type { StoreWatches } from './watch-stores.ts';

export interface FirstEventsOptions {
  readonly engine: Engine;
  readonly keeper: MemoryKeeper<CredentialState>;
  readonly watches: StoreWatches;
  readonly reconciler: Reconciler;
  /** What brings that credential back. */
  readonly remedy: (credential: string) => string;
  /** Who serves in its place, in each of its chains. */
  readonly standIns: (credential: string) => readonly StandIn[];
  readonly clock: ClockPort;
  readonly log: LogPort;
  /** Nothing is begun any more. */
  readonly isStopping: () => boolean;
}

/** @returns takes credentials in; resolves when each store was read, or did not answer in time */
export function createFirstEvents(
  options: FirstEventsOptions,
): (credentials: readonly ManagedCredential[]) => Promise<void> {
  const { engine, keeper, watches, reconciler, remedy, standIns, clock, log, isStopping } = options;

  return async (credentials) => {
    const gate = createGate(LOADS_MAX);
    await Promise.all(credentials.map((credential) => gate.run(() => takeIn(credential))));
  };

  async function takeIn(credential: ManagedCredential): Promise<void> {
    const { name, policy, parts } = credential;
    const memory = await keeper.load(name);
    watches.set(credential);
    const reading = reconciler.firstEvent(credential, (late) => engine.dispatch(name, late));
    const event = await within(reading, FIRST_READING_MS_MAX);
    // Whatever it holds is the next start's: what begins now, nobody would end.
    if (isStopping()) return;
    if (event === 'timed_out') {
      log.write('warn', 'store_check_hung', { credential: name, path: parts.store.path });
      void reading.then((late) => engine.dispatch(name, late));
    }
    const targets = parts.publishers.map((publisher) => publisher.id);
    const state = initialState({ name, policy, targets, memory }, clock.now());
    engine.add(state, event === 'timed_out' ? { type: 'tick' } : event);
    const settled = engine.state(name);
    if (state.phase.kind === 'reauthorization_required' && settled?.phase.kind === state.phase.kind) {
      logStillWaiting(settled, clock.now(), { log, remedy, standIns });
    }
  }
}

// As many stores at once as keep a disk busy; half-written ones are watched for 3 s, and must not hold up all others.
const LOADS_MAX = 64;

// A file system that hangs at start costs its own credentials, not the start.
const FIRST_READING_MS_MAX = 10_000;
