/**
 * The one queue of a simulated world: what happens next, and when.
 *
 * Rule: ordered by time, then by a seeded draw, then by arrival; nothing else decides the order of things. What belongs to a
 * dead owner never happens.
 */
import type { Random } from './random.ts';

/** Whose an event is: a process of the simulated machine, or the world around it. */
export interface Owner {
  readonly name: string;
  /** It stands still while the machine sleeps. */
  readonly isOnMachine: boolean;
  isAlive: boolean;
  /** World time until which it does not run. */
  stalledUntil: number;
  /** Timers and operations that have not come yet. */
  pending: number;
}

export interface Happening {
  /** Ms since the beginning of the world. */
  at: number;
  readonly tie: number;
  readonly sequence: number;
  readonly owner: Owner;
  /** For the trace. */
  readonly label: string;
  readonly run: () => void;
  isOver: boolean;
}

export interface Plan {
  readonly owner: Owner;
  readonly delayMs: number;
  readonly label: string;
  readonly run: () => void;
}

export class Scheduler {
  /** Ms since the beginning of the world; suspends and set clocks do not change it. */
  now = 0;
  /** Whose event runs. */
  current: Owner | null = null;
  readonly #random: Random;
  #heap: Happening[] = [];
  #sequence = 0;
  #asleepUntil = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  schedule({ owner, delayMs, label, run }: Plan): Happening {
    const from = Math.max(this.now, owner.stalledUntil, owner.isOnMachine ? this.#asleepUntil : 0);
    const at = from + Math.max(0, delayMs);
    const sequence = this.#sequence++;
    const happening = { at, tie: this.#random.next(), sequence, owner, label, run, isOver: false };
    owner.pending += 1;
    this.#push(happening);
    return happening;
  }

  cancel(happening: Happening): void {
    if (happening.isOver) return;
    happening.isOver = true;
    happening.owner.pending -= 1;
  }

  /** Takes out the next happening, and moves the time to it; null when nothing is left before `endMs`. */
  next(endMs: number): Happening | null {
    for (let first = this.#heap[0]; first !== undefined && first.at <= endMs; first = this.#heap[0]) {
      this.#pop();
      if (first.isOver) continue;
      first.isOver = true;
      first.owner.pending -= 1;
      if (!first.owner.isAlive) continue;
      this.now = first.at;
      return first;
    }
    this.now = endMs;
    return null;
  }

  /** The machine sleeps: all that waits there waits so much longer. */
  suspend(durationMs: number): void {
    this.#asleepUntil = this.now + durationMs;
    const stalled = new Set(this.#heap.map(({ owner }) => owner).filter((owner) => this.isStalled(owner)));
    for (const owner of stalled) if (owner.isOnMachine) owner.stalledUntil += durationMs;
    this.#move(
      ({ owner }) => owner.isOnMachine,
      (at) => at + durationMs,
    );
  }

  /** One process does not run for a while; what comes due or in meanwhile comes at the end. */
  stall(owner: Owner, durationMs: number): void {
    const until = this.now + durationMs;
    owner.stalledUntil = Math.max(owner.stalledUntil, until);
    this.#move(
      (happening) => happening.owner === owner,
      (at) => Math.max(at, until),
    );
  }

  isStalled(owner: Owner): boolean {
    return owner.stalledUntil > this.now;
  }

  #move(isMeant: (happening: Happening) => boolean, shift: (at: number) => number): void {
    const moved = this.#heap.filter(({ isOver, owner }) => !isOver && owner.isAlive);
    for (const happening of moved) if (isMeant(happening)) happening.at = shift(happening.at);
    this.#heap = [];
    for (const happening of moved) this.#push(happening);
  }

  #push(happening: Happening): void {
    const heap = this.#heap;
    let hole = heap.length;
    heap.push(happening);
    while (hole > 0) {
      const above = (hole - 1) >> 1;
      const parent = heap[above];
      if (parent === undefined || isBefore(parent, happening)) break;
      heap[hole] = parent;
      hole = above;
    }
    heap[hole] = happening;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let hole = 0;
    for (;;) {
      const left = heap[2 * hole + 1];
      const right = heap[2 * hole + 2];
      if (left === undefined) break;
      const child = right !== undefined && isBefore(right, left) ? right : left;
      if (isBefore(last, child)) break;
      heap[hole] = child;
      hole = child === left ? 2 * hole + 1 : 2 * hole + 2;
    }
    heap[hole] = last;
  }
}

export function createOwner(name: string, options: { readonly isOnMachine: boolean }): Owner {
  return { name, isOnMachine: options.isOnMachine, isAlive: true, stalledUntil: 0, pending: 0 };
}

function isBefore(a: Happening, b: Happening): boolean {
  if (a.at !== b.at) return a.at < b.at;
  return a.tie !== b.tie ? a.tie < b.tie : a.sequence < b.sequence;
}
