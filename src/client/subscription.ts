/**
 * Keeps the client subscribed: connects, comes back after every end, and goes on where it was.
 *
 * Rule: never gives up and never hammers: each further try waits longer, up to a bound, by a random share, so that a
 * thousand clients of a daemon that restarts do not come at once.
 */
import { PATHS, type SynchronizedEvent } from '../api/protocol.ts';
import type { FreshdError } from './errors.ts';
import { type EventStream, openEventStream, type StreamEvent } from './event-stream.ts';
import type { Runtime, Timer } from './runtime.ts';

export interface SubscriptionOptions {
  /** Tried in turn. */
  readonly places: readonly string[];
  /** Null: all. */
  readonly names: readonly string[] | null;
  /** Null: looks on, and is not counted among the consumers. */
  readonly consumer: string | null;
  readonly runtime: Runtime;
  /** A connection is being made; what comes next is the present state. */
  readonly onBegin: () => void;
  readonly onEvent: (event: StreamEvent) => void;
  /** The present state is in. */
  readonly onUp: (synchronized: SynchronizedEvent) => void;
  /** Called at each failure, also of a first connection. */
  readonly onDown: (reason: FreshdError) => void;
}

export interface Subscription {
  /** Where the daemon was last found, first of all. */
  places(): readonly string[];
  close(): void;
  ref(): void;
  unref(): void;
}

export function keepSubscribed(options: SubscriptionOptions): Subscription {
  const subscription = new KeptSubscription(options);
  subscription.open(0);
  return subscription;
}

class KeptSubscription implements Subscription {
  readonly #options: SubscriptionOptions;
  readonly #path: string;
  #places: readonly string[];
  #lastEventId: string | null = null;
  #stream: EventStream | null = null;
  #pause: Timer | null = null;
  #failures = 0;
  #isClosed = false;
  #isRef = true;
  /** The present state is in, on this connection. */
  #isSynchronized = false;

  constructor(options: SubscriptionOptions) {
    this.#options = options;
    this.#places = options.places;
    const query = new URLSearchParams(
      options.consumer === null ? { observer: 'true' } : { consumer: options.consumer },
    );
    for (const name of options.names ?? []) query.append('credential', name);
    this.#path = `${PATHS.events}?${query}`;
  }

  places(): readonly string[] {
    return this.#places;
  }

  /** @param place which of the places */
  open(place: number): void {
    const socketPath = this.#places[place];
    if (this.#isClosed || socketPath === undefined) return;
    this.#pause = null;
    this.#isSynchronized = false;
    this.#options.onBegin();
    this.#stream = openEventStream({
      socketPath,
      path: this.#path,
      lastEventId: this.#lastEventId,
      runtime: this.#options.runtime,
      onEvent: (event) => this.#take(event, socketPath),
      onEnd: (reason) => this.#ended(reason, place),
    });
    if (!this.#isRef) this.#stream.unref();
  }

  close(): void {
    this.#isClosed = true;
    this.#pause?.cancel();
    this.#stream?.close();
  }

  ref(): void {
    this.#isRef = true;
    this.#stream?.ref();
    this.#pause?.ref();
  }

  unref(): void {
    this.#isRef = false;
    this.#stream?.unref();
    this.#pause?.unref();
  }

  #take(event: StreamEvent, socketPath: string): void {
    if (this.#isClosed) return;
    if (event.type === 'synchronized') {
      this.#failures = 0;
      this.#isSynchronized = true;
      // Another socket that appears later must not draw the client away from a daemon that works.
      this.#places = [socketPath, ...this.#options.places.filter((place) => place !== socketPath)];
      this.#options.onUp(JSON.parse(event.data) as SynchronizedEvent);
    } else this.#options.onEvent(event);
    // Resumed in the middle of a snapshot, the daemon would not say what exists no more.
    if (this.#isSynchronized) this.#lastEventId = event.id ?? this.#lastEventId;
  }

  #ended(reason: FreshdError, place: number): void {
    this.#stream = null;
    if (this.#isClosed) return;
    if (reason.code === 'no_daemon' && place + 1 < this.#places.length) {
      this.open(place + 1);
      return;
    }
    this.#options.onDown(reason);
    const { runtime } = this.#options;
    const longestMs = Math.min(PAUSE_MS_MAX, PAUSE_MS_MIN * 2 ** Math.min(this.#failures, DOUBLINGS_MAX));
    this.#failures += 1;
    const pauseMs = Math.max(reason.retryAfterMs ?? 0, longestMs * (0.5 + runtime.random() / 2));
    this.#pause = runtime.after(pauseMs, () => this.open(0));
    if (!this.#isRef) this.#pause.unref();
  }
}

/** A daemon that restarts is back within a second; its socket is looked for a few times in it. */
const PAUSE_MS_MIN = 100;

/** One that is down for long is asked this often by each client: a failed look costs microseconds. */
const PAUSE_MS_MAX = 5_000;
const DOUBLINGS_MAX = 10;
