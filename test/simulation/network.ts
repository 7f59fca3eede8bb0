/**
 * The way between the simulated machine and the authorization servers: connections, requests, answers, and their loss.
 *
 * Rule: what was handed to a connection travels on, whatever becomes of its sender; an answer reaches only a sender that
 * still lives and waits. Every trip is kept, with its end, for the checkers.
 */
import type { Random } from './random.ts';
import type { Owner, Scheduler } from './scheduler.ts';
import type { Seen } from './seen.ts';
import type { Answer } from './servers/answers.ts';
import type { Sender, Spending } from './servers/grants.ts';
import type { AuthorizationServer } from './servers/server.ts';

/** One request and what became of it. */
export interface Trip {
  readonly number: number;
  readonly server: AuthorizationServer;
  readonly owner: Owner;
  readonly by: Sender;
  readonly refreshToken: string;
  readonly sentAt: number;
  /** When the server judged it; null: it never came there, or is on its way. */
  takenAt: number | null;
  spending: Spending | null;
  status: number | null;
  /** The body of a whole answer that arrived. */
  brought: string | null;
  end: 'under_way' | 'arrived' | 'request_lost' | 'answer_lost' | 'given_up';
  endedAt: number | null;
}

/** Codes are those of `NoAnswer`. */
export type ConnectResult = 'connected' | 'connection_refused' | 'dns_failed' | 'no_route' | 'tls_failed';
export type SendResult = { readonly answer: Answer } | { readonly fault: 'connection_lost' | 'malformed_answer' };

/** Stops the waiting; what was sent travels on. */
export type Leave = () => void;

/** The machine may end at any step of a trip. @returns true when it did */
export type CrashPoint = (owner: Owner, point: string) => boolean;

export class Network {
  readonly trips: Trip[] = [];
  readonly #scheduler: Scheduler;
  readonly #world: Owner;
  readonly #random: Random;
  readonly #crashes: CrashPoint;
  readonly #seen: Seen;
  readonly #listeners: ((trip: Trip) => void)[] = [];

  constructor(parts: {
    readonly scheduler: Scheduler;
    readonly world: Owner;
    readonly random: Random;
    readonly crashes: CrashPoint;
    readonly seen: Seen;
  }) {
    this.#scheduler = parts.scheduler;
    this.#world = parts.world;
    this.#random = parts.random;
    this.#crashes = parts.crashes;
    this.#seen = parts.seen;
  }

  /** Told of each request when it is sent, and again when it is over. */
  onTrip(listener: (trip: Trip) => void): void {
    this.#listeners.push(listener);
  }

  connect(owner: Owner, server: AuthorizationServer, done: (result: ConnectResult) => void): Leave {
    const random = this.#random;
    const isOutage = server.weather().kind === 'outage';
    // A black hole lets the caller wait for its own limit.
    const result = isOutage
      ? random.pick<ConnectResult | null>(['connection_refused', 'dns_failed', 'no_route', 'tls_failed', null])
      : 'connected';
    if (isOutage) this.#seen.note('weather', 'outage');
    if (result === null) return () => undefined;
    return this.#later(owner, random.between(2, 80), `connect ${server.name} ${result}`, () => {
      if (!this.#crashes(owner, 'request connected')) done(result);
    });
  }

  send(
    owner: Owner,
    server: AuthorizationServer,
    { refreshToken, by }: { readonly refreshToken: string; readonly by: Sender },
    done: (result: SendResult) => void,
  ): Leave {
    const trip: Trip = {
      number: this.trips.length + 1,
      server,
      owner,
      by,
      refreshToken,
      sentAt: this.#scheduler.now,
      takenAt: null,
      spending: null,
      status: null,
      brought: null,
      end: 'under_way',
      endedAt: null,
    };
    this.trips.push(trip);
    this.#tell(trip);
    let isWaiting = true;
    const deliver = (result: SendResult): void => {
      if (isWaiting) done(result);
    };
    this.#travel(trip, deliver);
    this.#crashes(owner, 'request sent');
    return () => {
      isWaiting = false;
      this.#end(trip, 'given_up');
    };
  }

  #travel(trip: Trip, deliver: (result: SendResult) => void): void {
    const random = this.#random;
    const { server, owner } = trip;
    const { kind } = server.weather();
    if (kind !== 'calm') this.#seen.note('weather', kind);
    const isLossy = kind === 'lossy';
    if (isLossy && random.chance(REQUEST_LOSS)) {
      this.#lose(trip, 'request_lost', deliver);
      return;
    }
    const { beforeMs, afterMs } = server.pace();
    this.#later(this.#world, random.between(1, 60) + beforeMs, `take ${server.name} #${trip.number}`, () => {
      trip.takenAt = this.#scheduler.now;
      const { answer, spending } = server.take({ refreshToken: trip.refreshToken, by: trip.by });
      trip.spending = spending;
      trip.status = answer.status;
      this.#crashes(owner, 'request taken');
      if (isLossy && random.chance(ANSWER_LOSS)) this.#lose(trip, 'answer_lost', deliver);
      else this.#bringBack(trip, answer, { delayMs: afterMs + random.between(1, 60), deliver });
    });
  }

  #bringBack(
    trip: Trip,
    answer: Answer,
    { delayMs, deliver }: { readonly delayMs: number; readonly deliver: (result: SendResult) => void },
  ): void {
    const plannedFor = this.#scheduler.now + delayMs;
    this.#later(trip.owner, delayMs, `answer ${trip.server.name} #${trip.number} ${answer.status}`, () => {
      if (this.#crashes(trip.owner, 'request answered')) return;
      // Nobody keeps a connection to a machine that sleeps.
      const isStale = this.#scheduler.now - plannedFor > STALE_MS;
      if (!isStale && trip.end === 'under_way') trip.brought = answer.body;
      this.#end(trip, isStale ? 'answer_lost' : 'arrived');
      deliver(isStale ? { fault: 'connection_lost' } : { answer });
    });
  }

  /** Silence until the sender's own limit, or a connection that breaks. */
  #lose(trip: Trip, end: 'request_lost' | 'answer_lost', deliver: (result: SendResult) => void): void {
    const random = this.#random;
    this.#end(trip, end);
    if (random.chance(0.5)) return;
    const fault = random.pick(['connection_lost', 'connection_lost', 'malformed_answer'] as const);
    this.#later(trip.owner, random.logarithmic(1, 30_000), `broken ${trip.server.name} #${trip.number}`, () => {
      if (!this.#crashes(trip.owner, 'request broken')) deliver({ fault });
    });
  }

  #end(trip: Trip, end: Trip['end']): void {
    if (trip.end !== 'under_way') return;
    trip.end = end;
    trip.endedAt = this.#scheduler.now;
    if (end !== 'under_way') this.#seen.note('trip', end);
    this.#tell(trip);
  }

  #tell(trip: Trip): void {
    for (const listener of this.#listeners) listener(trip);
  }

  #later(owner: Owner, delayMs: number, label: string, run: () => void): Leave {
    const happening = this.#scheduler.schedule({ owner, delayMs, label, run });
    return () => this.#scheduler.cancel(happening);
  }
}

const REQUEST_LOSS = 0.3;
const ANSWER_LOSS = 0.5;

// Longer than any queue on the way holds an answer for a machine that does not take it.
const STALE_MS = 30_000;
