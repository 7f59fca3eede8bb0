/**
 * One subscriber: its connection, how far it has been told, and whether there is room to tell it more.
 *
 * Rule: one write at a time. What the system does not take at once is the only thing that waits here.
 */
import type { Socket } from 'node:net';
import type { Asker } from './access.ts';
import type { Topic } from './topics.ts';

export interface Subscription {
  readonly asker: Pick<Asker, 'denialOf' | 'noteRead'>;
  readonly consumer: string | null;
  /** Looks on for a person, and is no consumer of any token. */
  readonly isObserver: boolean;
  /** Null: all, also those that a reload adds. */
  readonly names: ReadonlySet<string> | null;
  readonly lastEventId: string | undefined;
}

export interface Subscriber extends Subscription {
  readonly socket: Socket;
  /** Number of the last change that was written to its connection. */
  cursor: number;
  /** Number of the last change that the system has taken whole. */
  delivered: number;
  /** The connection is full; nothing is written until it has room. */
  isBusy: boolean;
  /** Heartbeats for which it has been busy. */
  beatsMissed: number;
  /** The present state is told, and that this was all of it. */
  isSynchronized: boolean;
  readonly resumed: boolean;
  /** Alerts up to this change were told to those who were there. */
  readonly alertsAfter: number;
  /** One function for all its writes. */
  readonly onTaken: () => void;
}

/** @param resumedAt number of the change after which it goes on; null: it begins anew, and was told of nothing yet */
export function createSubscriber(
  socket: Socket,
  subscription: Subscription,
  options: { readonly resumedAt: number | null; readonly lastSeq: number; readonly onTaken: (who: Subscriber) => void },
): Subscriber {
  const { resumedAt, lastSeq, onTaken } = options;
  const subscriber: Subscriber = {
    ...subscription,
    socket,
    cursor: resumedAt ?? 0,
    delivered: resumedAt ?? 0,
    isBusy: false,
    beatsMissed: 0,
    isSynchronized: false,
    resumed: resumedAt !== null,
    alertsAfter: resumedAt ?? lastSeq,
    onTaken: () => {
      // Called for each write, and mostly what it tells was known when the write returned.
      if (!subscriber.isBusy) return;
      subscriber.isBusy = false;
      subscriber.beatsMissed = 0;
      subscriber.delivered = subscriber.cursor;
      onTaken(subscriber);
    },
  };
  write(subscriber, HEAD);
  return subscriber;
}

/** What a change says to this subscriber: without the token where it may not have it. */
export function changeFor(
  { asker }: Subscriber,
  { source, change, seq, alerts, alertsSeq, withoutToken }: Topic,
): string {
  if (source === null || asker.denialOf(source) === null) return change;
  return (alertsSeq === seq ? alerts : '') + withoutToken;
}

/** How something stands, for a subscriber that was not there at its last change; likewise. */
export function stateFor({ asker }: Subscriber, { source, state, withoutToken }: Topic): string {
  if (source === null) return state;
  if (asker.denialOf(source) !== null) return withoutToken;
  asker.noteRead(source);
  return state;
}

export function write(subscriber: Subscriber, bytes: Buffer): void {
  const { socket, onTaken } = subscriber;
  socket.write(bytes, onTaken);
  // Mostly the system takes it at once, and nothing is left here.
  if (socket.writableLength > 0) subscriber.isBusy = true;
}

/** Ended by the end of the connection: a length is not known, and chunks would differ from frames for nothing. */
const HEAD = Buffer.from(
  [
    'HTTP/1.1 200 OK',
    'Content-Type: text/event-stream; charset=utf-8',
    'Cache-Control: no-store',
    'Connection: close',
    '',
    '',
  ].join('\r\n'),
);
