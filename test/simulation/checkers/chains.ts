/**
 * A chain serves whenever one of its members can, by the first of them that has settled; its variables are those of that member;
 * its generations mean one token and only grow.
 *
 * Rule: which members are usable, and since when, is counted here anew from their states.
 */
import type { ChainState } from '../../../src/core/chain-state.ts';
import { lifeLeftMs, wholeLifeMs } from '../../../src/core/schedule.ts';
import type { HeldToken } from '../../../src/core/state.ts';
import type { Now } from '../../../src/core/token.ts';
import type { ChainRead } from '../actors/chain-consumer.ts';
import type { ChainPlan } from '../scenario.ts';
import type { World } from '../world.ts';
import type { Calm } from './calm.ts';
import { valueIn } from './env.ts';
import { isFromFuture } from './generations.ts';

/** @returns what is to be told of each answer that a consumer of the chain was given */
export function watchChain(world: World, plan: ChainPlan, calm: Calm): (read: ChainRead) => void {
  const members = new Usability(world, plan);
  const generations = new Map<number, string>();
  let newest = 0;
  let state: ChainState | null = null;

  const judgeGeneration = (generation: number, accessToken: string): void => {
    if (isFromFuture(world, generation)) return;
    const known = generations.get(generation);
    if (known !== undefined && known !== accessToken) fail(`generation ${generation} means two tokens`);
    generations.set(generation, accessToken);
  };
  const fail = (what: string): void => world.fail('chain', `${plan.name}: ${what}`);

  const stepped = (_: string, next: ChainState | null): void => {
    if (next === null || next.name !== plan.name) return;
    members.look();
    if (state !== null) judgeSwitch(state, next);
    state = next;
    const token = next.inUse === null ? null : (world.state(next.inUse.credential)?.held?.token ?? null);
    if (token !== null) judgeGeneration(next.generation, token.accessToken);
    if (next.generation < newest) fail(`generation ${next.generation} after a greater one`);
    newest = Math.max(newest, next.generation);
  };

  /** Back to a preferred member only when it has settled; nobody leaves a usable one for another reason. */
  const judgeSwitch = (before: ChainState, after: ChainState): void => {
    const [from, to] = [before.inUse?.credential, after.inUse?.credential];
    if (from === undefined || to === undefined || from === to) return;
    world.seen.note('chain', plan.members.indexOf(to) < plan.members.indexOf(from) ? 'back' : 'fallback');
    if (!members.lasts(from)) return;
    if (plan.members.indexOf(to) > plan.members.indexOf(from)) fail(`left ${from} for ${to}, although its token lasts`);
    else if (members.usableForMs(to) < plan.settleMs - CLOCK_NOISE_MS)
      fail(`went back to ${to} after ${Math.round(members.usableForMs(to))} ms, to settle takes ${plan.settleMs}`);
  };

  world.on.ready.push((life) => {
    const chains = life.running?.daemon.chains;
    members.begin(world.scheduler.now - life.beganAt);
    state = chains?.state(plan.name) ?? null;
    chains?.onStep(stepped);
  });
  world.on.down.push((kind) => {
    state = null;
    // What a chain is remembered by is saved behind its switches: a crash between the two takes the last of them back, and with
    // it a generation; what that one meant stays.
    if (kind !== 'stopped') newest = 0;
  });
  world.on.step.push(() => members.look());

  world.on.minute.push(() => {
    if (state === null || world.life?.running == null) return;
    members.look();
    judgeChoice(state);
    judgeVariables(state);
  });

  /** Expected of a machine that runs: what comes due within a minute has happened. */
  const judgeChoice = ({ inUse }: ChainState): void => {
    const calmMs = world.scheduler.now - calm.ofMachine();
    const position = inUse === null ? plan.members.length : plan.members.indexOf(inUse.credential);
    for (const [nth, member] of plan.members.entries()) {
      const forMs = Math.min(members.usableForMs(member), calmMs);
      if (nth < position && forMs > plan.settleMs + LOOK_SLACK_MS)
        fail(`${member} is usable for ${Math.round(forMs / 1000)} s, in use is ${inUse?.credential ?? 'nobody'}`);
    }
  };

  const judgeVariables = ({ inUse, deliveries, generation }: ChainState): void => {
    const since = Math.max(calm.ofMachine(), inUse === null ? 0 : members.takenAt(inUse.credential, generation));
    if (world.scheduler.now - since < DELIVERY_MS) return;
    for (const member of plan.members) {
      const { envPath, variable } = world.plan(member);
      const value = valueIn(world.disk.readText(envPath) ?? '', variable);
      const delivery = deliveries.find(({ target }) => target === `envFile:${envPath}`);
      // A value that it does not take for its own stays, and is spoken of.
      const isSaid = delivery?.code === 'foreign_value';
      // After a start, what was published before stays for its time while its member cannot be read.
      const isKept = delivery?.told === 'unknown' && inUse === null && isGood(world, member, value);
      const isInUse = member === inUse?.credential;
      const wanted = isInUse ? (world.state(member)?.held?.token.accessToken ?? null) : null;
      if (value === wanted || isSaid || isKept || (isInUse && !members.isUsable(member))) continue;
      fail(
        `${variable} ${value === null ? 'is missing' : isInUse ? 'is an old one' : `stands while ${inUse?.credential} is in use`}`,
      );
    }
  };

  return ({ status, given }) => {
    members.look();
    if (given === null) {
      const able = plan.members.find((member) => members.isUsable(member));
      if (able !== undefined) fail(`a read was answered by ${status}, although ${able} is usable`);
      return;
    }
    world.seen.note('chain', 'read');
    if (given.generation < newest) fail(`generation ${given.generation} was read after a greater one`);
    judgeGeneration(given.generation, given.accessToken);
  };
}

const isGood = (world: World, member: string, accessToken: string | null): boolean =>
  accessToken !== null && world.server(member).grants.isGood(accessToken, world.scheduler.now);

/** A chain leaves it for another one a little before its end (ADR 21). */
function isEnding(held: HeldToken, now: Now): boolean {
  const left = held.token.expiry.kind === 'known' ? lifeLeftMs(held, now) : null;
  return left !== null && left <= Math.min(ENDING_MS, (wholeLifeMs(held) ?? left) / 10);
}

/** Since when each member is usable beyond doubt, and not for moments only, in time of the machine's monotonic clock. */
class Usability {
  readonly #world: World;
  readonly #plan: ChainPlan;
  readonly #since = new Map<string, number>();
  #taken: { readonly key: string; readonly at: number } = { key: '', at: 0 };

  constructor(world: World, plan: ChainPlan) {
    this.#world = world;
    this.#plan = plan;
  }

  /** A daemon is ready that began so long ago: whatever is usable now may have been so since then. */
  begin(forMs: number): void {
    this.#since.clear();
    const began = this.#world.machine.monotonicMs() - forMs;
    for (const member of this.#plan.members) if (this.lasts(member)) this.#since.set(member, began);
  }

  look(): void {
    const now = this.#world.machine.monotonicMs();
    for (const member of this.#plan.members) {
      if (!this.lasts(member)) this.#since.delete(member);
      else if (!this.#since.has(member)) this.#since.set(member, now);
    }
  }

  isUsable(member: string): boolean {
    const running = this.#world.life?.running;
    const state = this.#world.state(member);
    if (running == null || state === null || state.rejection !== null) return false;
    return running.readToken(state, running.daemon.now()).kind === 'token';
  }

  lasts(member: string): boolean {
    const [held, daemon] = [this.#world.state(member)?.held ?? null, this.#world.life?.running?.daemon];
    return held !== null && daemon !== undefined && this.isUsable(member) && !isEnding(held, daemon.now());
  }

  usableForMs(member: string): number {
    const since = this.#since.get(member);
    return since === undefined ? 0 : this.#world.machine.monotonicMs() - since;
  }

  /** When it was first seen that this generation is in use. */
  takenAt(member: string, generation: number): number {
    const key = `${member} ${generation}`;
    if (this.#taken.key !== key) this.#taken = { key, at: this.#world.scheduler.now };
    return this.#taken.at;
  }
}

const ENDING_MS = 5_000;

// The look once a minute, a doubt that ends by itself, and the alarm that may be late.
const LOOK_SLACK_MS = 150_000;

// What failed is told again within a minute, and looked at once in a minute.
const DELIVERY_MS = 180_000;

const CLOCK_NOISE_MS = 50;
