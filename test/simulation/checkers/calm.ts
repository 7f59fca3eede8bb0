/**
 * Since when nothing hindered a credential: the moment from which the daemon must have put things right in time.
 *
 * Rule: generous. What is in doubt counts as a hindrance; a checker that cries wolf is soon switched off.
 */
import type { World } from '../world.ts';

export class Calm {
  readonly #world: World;
  readonly #disturbedAt = new Map<string | null, number>();
  #readyAt = Number.POSITIVE_INFINITY;
  /** How far the machine's clock was ahead, and from when. */
  readonly #clock = [{ from: 0, aheadMs: 0 }];

  constructor(world: World) {
    this.#world = world;
    const { scheduler, on } = world;
    on.disturbed.push((credential) => {
      this.#disturbedAt.set(credential, scheduler.now);
      this.#clock.push({ from: scheduler.now, aheadMs: world.machine.wallAheadMs });
    });
    on.ready.push(() => {
      this.#readyAt = scheduler.now;
    });
    on.down.push(() => {
      this.#readyAt = Number.POSITIVE_INFINITY;
    });
    on.trip.push(({ by, server }) => {
      if (by === 'foreign') this.#disturbedAt.set(server.name, scheduler.now);
    });
  }

  /** World time; infinite while something hinders it now. */
  since(credential: string): number {
    const server = this.#world.server(credential);
    const weather = server.weather();
    return Math.max(
      this.ofMachine(),
      this.#disturbedAt.get(credential) ?? 0,
      weather.kind === 'calm' ? weather.fromMs : Number.POSITIVE_INFINITY,
      server.limitedUntil,
    );
  }

  /** The same without what happens to servers and stores: daemon, disk, clocks. */
  ofMachine(): number {
    const { machine, scenario, scheduler, life } = this.#world;
    const isStalled = life !== null && scheduler.isStalled(life.owner);
    if (isStalled || machine.wallAheadMs !== 0) return Number.POSITIVE_INFINITY;
    const disk = scenario.disk.map(({ fromMs, toMs }) => (fromMs <= scheduler.now ? toMs : 0));
    return Math.max(this.#readyAt, this.#disturbedAt.get(null) ?? 0, ...disk);
  }

  /** When the machine last slept or stood still, or its clock was set. */
  jumpedAt(): number {
    return this.#disturbedAt.get(null) ?? 0;
  }

  /**
   * How much too late the end of a token may seem: a clock that was ahead dated it in its store, and whoever has started since
   * has nothing else to go by.
   */
  misdatedMs(givenAt: number): number {
    const clock = this.#clock.findLast(({ from }) => from <= givenAt);
    return givenAt < this.#readyAt ? Math.max(0, clock?.aheadMs ?? 0) : 0;
  }

  /** When the store was last touched by others. */
  disturbedAt(credential: string): number {
    return this.#disturbedAt.get(credential) ?? 0;
  }

  forMs(credential: string): number {
    return this.#world.scheduler.now - this.since(credential);
  }
}
