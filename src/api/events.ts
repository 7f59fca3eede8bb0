/**
 * Push: every subscriber hears of each change, by one write of bytes that are made once for all of them.
 *
 * Rule: nothing is queued for a subscriber but a number, that of the last change it was given; what it missed while its
 * connection was full is read from the topics when there is room again. One that takes nothing for two heartbeats is dropped.
 * Nobody waits for a subscriber, and nothing is kept or counted before the first one comes.
 */
import type { Socket } from 'node:net';
import type { Generation } from '../core/token.ts';
import type { DaemonPort, LogPort } from '../daemon/ports.ts';
import type { Access } from './access.ts';
import { HEARTBEAT_SECONDS, type SynchronizedEvent } from './protocol.ts';
import { changeFor, createSubscriber, type Subscriber, type Subscription, stateFor, write } from './subscriber.ts';
import type { Timers } from './timers.ts';
import { createTopics, type Topic, type Topics } from './topics.ts';

/** What one subscriber was given of one credential. */
export interface Reader {
  readonly consumer: string | null;
  readonly sent: Generation | null;
}

export interface Events {
  /** Takes the connection over. @returns false when there are too many already; the connection is untouched then */
  subscribe(socket: Socket, subscription: Subscription): boolean;
  readonly count: number;
  /** Those that are subscribed to it. */
  readersOf(credential: string): Iterable<Reader>;
  /** Ends every subscription. */
  close(): void;
}

export interface EventsOptions {
  readonly daemon: DaemonPort;
  readonly access: Pick<Access, 'isRestricted' | 'onRulesChanged'>;
  readonly timers: Timers;
  readonly log: LogPort;
  readonly subscribersMax: number;
  /** Its last subscription has ended. */
  readonly onLeft: (consumer: string) => void;
}

export function createEvents(options: EventsOptions): Events {
  return new SubscriberHub(options);
}

class SubscriberHub implements Events {
  readonly #options: EventsOptions;
  readonly #topics: Topics;
  readonly #subscribers = new Set<Subscriber>();
  /** Subscriptions by the name of their consumer. */
  readonly #named = new Map<string, number>();
  #stopListening: (() => void) | null = null;
  #stopBeating: (() => void) | null = null;
  #isFlushing = false;
  #isClosed = false;

  constructor(options: EventsOptions) {
    this.#options = options;
    this.#topics = createTopics(options.daemon);
  }

  get count(): number {
    return this.#subscribers.size;
  }

  *readersOf(credential: string): Iterable<Reader> {
    const source = this.#topics.sourceOf(credential);
    for (const { asker, consumer, isObserver, names, delivered } of this.#subscribers) {
      if (isObserver) continue;
      if (names !== null && !names.has(credential)) continue;
      // It hears how the credential is, and never has a generation of it.
      if (source !== null && asker.denialOf(source) !== null) continue;
      yield { consumer, sent: this.#topics.generationAt(credential, delivered) };
    }
  }

  subscribe(socket: Socket, subscription: Subscription): boolean {
    if (this.#isClosed) {
      // It ends as all others do. A refusal would keep it away from the daemon that comes next.
      socket.end();
      return true;
    }
    if (this.#subscribers.size >= this.#options.subscribersMax) return false;
    this.#begin();
    const subscriber = createSubscriber(socket, subscription, {
      resumedAt: this.#topics.resumable(subscription.lastEventId),
      lastSeq: this.#topics.lastSeq,
      onTaken: (who) => this.#catchUp(who),
    });
    this.#enter(subscriber);
    this.#catchUp(subscriber);
    return true;
  }

  close(): void {
    this.#isClosed = true;
    this.#stopListening?.();
    this.#stopBeating?.();
    for (const { socket } of this.#subscribers) socket.end();
  }

  #enter(subscriber: Subscriber): void {
    const { consumer, socket } = subscriber;
    this.#subscribers.add(subscriber);
    if (consumer !== null) this.#named.set(consumer, (this.#named.get(consumer) ?? 0) + 1);
    this.#stopBeating ??= this.#options.timers.every(HEARTBEAT_SECONDS * 1000, () => this.#beat());
    socket.once('close', () => this.#leave(subscriber));
  }

  #leave(subscriber: Subscriber): void {
    const { consumer } = subscriber;
    this.#subscribers.delete(subscriber);
    if (this.#subscribers.size === 0) {
      this.#stopBeating?.();
      this.#stopBeating = null;
    }
    if (consumer === null) return;
    const left = (this.#named.get(consumer) ?? 1) - 1;
    if (left > 0) this.#named.set(consumer, left);
    else if (this.#named.delete(consumer)) this.#options.onLeft(consumer);
  }

  /** From the first subscriber on, also while there is none: who comes back soon goes on where it was. */
  #begin(): void {
    if (this.#stopListening !== null) return;
    const { access, daemon } = this.#options;
    const touch = (name: string): void => {
      this.#topics.touch(name);
      this.#flushSoon();
    };
    const onRulesChanged = access.onRulesChanged((credentials) => this.#reconsider(credentials));
    const stops = [daemon.onStep(touch), daemon.chains.onStep(touch), onRulesChanged];
    this.#stopListening = () => {
      for (const stop of stops) stop();
    };
    for (const name of [...daemon.names(), ...daemon.chains.names()]) this.#topics.touch(name);
    this.#topics.update();
  }

  /** Whoever lost a right is told by the end of its stream, whoever got one by the token. */
  #reconsider(credentials: readonly string[]): void {
    const { chains } = this.#options.daemon;
    for (const credential of credentials) {
      const names = [credential, ...chains.of(credential)];
      for (const subscriber of this.#subscribers) {
        const listens = subscriber.names === null || names.some((name) => subscriber.names?.has(name));
        if (listens && subscriber.asker.denialOf(credential) !== null) this.#drop(subscriber, 'not_allowed');
      }
      for (const name of names) this.#topics.retell(name);
    }
    this.#flushSoon();
  }

  /** Not within the step: what the step itself caused goes first, and several steps at once are one change. */
  #flushSoon(): void {
    if (this.#isFlushing) return;
    this.#isFlushing = true;
    setImmediate(() => this.#flush());
  }

  #flush(): void {
    const fromSeq = this.#topics.lastSeq;
    const changed = this.#topics.update();
    this.#isFlushing = false;
    if (changed.length === 0 || this.#subscribers.size === 0) return;
    const { isRestricted } = this.#options.access;
    const isForAll = changed.every(({ source }) => source === null || !isRestricted(source));
    const shared = isForAll ? Buffer.from(changed.map(({ change }) => change).join('')) : null;
    this.#isFlushing = true;
    this.#tell({ fromSeq, toSeq: this.#topics.lastSeq, changed, shared, waiting: this.#subscribers.values() });
  }

  /** So many at a time, with everything else that waits for the loop in between. */
  #tell(news: News): void {
    for (let told = 0; told < TOLD_AT_ONCE; told += 1) {
      const next = news.waiting.next();
      if (next.done === true) {
        // What changed meanwhile.
        this.#isFlushing = false;
        this.#flushSoon();
        return;
      }
      this.#tellOne(next.value, news);
    }
    setImmediate(() => this.#tell(news));
  }

  #tellOne(subscriber: Subscriber, { fromSeq, toSeq, changed, shared }: News): void {
    const { names } = subscriber;
    if (subscriber.isBusy || subscriber.cursor !== fromSeq) return;
    subscriber.cursor = toSeq;
    if (names === null && shared !== null) write(subscriber, shared);
    else {
      const wanted = names === null ? changed : changed.filter(({ name }) => names.has(name));
      const frames = wanted.map((topic) => changeFor(subscriber, topic));
      if (frames.length > 0) write(subscriber, Buffer.from(frames.join('')));
    }
    if (!subscriber.isBusy) subscriber.delivered = toSeq;
  }

  /** Writes what it has not seen, in portions, until that is all or the connection is full. */
  #catchUp(subscriber: Subscriber): void {
    while (!subscriber.isBusy && !subscriber.socket.destroyed) {
      const frames = this.#portionFor(subscriber);
      if (frames !== '') write(subscriber, Buffer.from(frames));
      if (subscriber.isBusy) return;
      subscriber.delivered = subscriber.cursor;
      if (subscriber.isSynchronized && subscriber.cursor === this.#topics.lastSeq) return;
    }
  }

  #portionFor(subscriber: Subscriber): string {
    const { names, alertsAfter } = subscriber;
    let portion = '';
    for (const topic of this.#topics.after(subscriber.cursor)) {
      if (portion.length >= PORTION_LENGTH) return portion;
      if (names === null || names.has(topic.name)) {
        portion +=
          (topic.alertsSeq > Math.max(alertsAfter, subscriber.cursor) ? topic.alerts : '') +
          stateFor(subscriber, topic);
      }
      subscriber.cursor = topic.seq;
    }
    subscriber.cursor = this.#topics.lastSeq;
    if (subscriber.isSynchronized) return portion;
    subscriber.isSynchronized = true;
    const data: SynchronizedEvent = { resumed: subscriber.resumed };
    return `${portion}event: synchronized\nid: ${this.#topics.eventId(subscriber.cursor)}\ndata: ${JSON.stringify(data)}\n\n`;
  }

  #beat(): void {
    for (const subscriber of this.#subscribers) {
      if (!subscriber.isBusy) write(subscriber, HEARTBEAT);
      else if (subscriber.beatsMissed === 0) subscriber.beatsMissed = 1;
      else this.#drop(subscriber, 'takes_nothing');
    }
  }

  #drop({ socket, consumer }: Subscriber, reason: 'takes_nothing' | 'not_allowed'): void {
    this.#options.log.write('warn', 'subscriber_dropped', { consumer, reason });
    socket.destroy();
  }
}

/** One change on its way to everybody. */
interface News {
  readonly fromSeq: number;
  readonly toSeq: number;
  readonly changed: readonly Topic[];
  /** Null: not everybody may have all of it. */
  readonly shared: Buffer | null;
  readonly waiting: Iterator<Subscriber>;
}

/** A comment: proof of life for whoever reads, and of a reader for us. */
const HEARTBEAT = Buffer.from(':\n\n');

/** About two milliseconds of writes: what a read of a token may have to wait for. */
const TOLD_AT_ONCE = 256;

/** What a connection usually takes at once; more would be held here for a reader that is slow. */
const PORTION_LENGTH = 64 * 1024;
