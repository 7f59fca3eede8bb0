/**
 * Runs one seed to its end, or to the first broken promise.
 *
 * Rule: one happening at a time; whatever follows from it without waiting follows before the next one. So the order of all
 * things is a function of the seed.
 */
import { startChainConsumer } from './actors/chain-consumer.ts';
import { startClocks } from './actors/clocks.ts';
import { startConsumer } from './actors/consumer.ts';
import { startForeignTool, startTampering } from './actors/foreign.ts';
import { startOperator, startPerson } from './actors/person.ts';
import { loginText } from './actors/store-file.ts';
import { watchEverything } from './checkers/all.ts';
import { watchChain } from './checkers/chains.ts';
import { beginLife, type Life } from './life.ts';
import type { LoadedBundle } from './load-bundle.ts';
import { CONFIG_PATH, SCRIPTS } from './scenario.ts';
import { createTrace } from './trace.ts';
import { type Failure, World } from './world.ts';

export interface SeedResult {
  readonly seed: number;
  readonly failure: Failure | null;
  /** Of the order of everything that happened. */
  readonly hash: string;
  readonly happenings: number;
  readonly days: number;
  readonly lives: number;
  readonly attempts: number;
  readonly families: number;
  readonly lost: number;
  /** What was met, by kind: see seen.ts. */
  readonly seen: Readonly<Record<string, number>>;
}

export interface SeedOptions {
  readonly days: number;
  readonly print: ((line: string) => void) | null;
}

/** Rejections that nobody handled, and errors that nobody caught, since the world that runs now began. */
let accused: ((what: string, error: unknown) => void) | null = null;
process.on('unhandledRejection', (error) => accuse('unhandled rejection', error));

function accuse(what: string, error: unknown): void {
  if (accused === null) throw error;
  accused(what, error);
}

export function runSeed(seed: number, bundle: LoadedBundle, { days, print }: SeedOptions): Promise<SeedResult> {
  const trace = createTrace(print);
  const world = new World(seed, { days, trace: print === null ? null : trace.note });
  trace.follow(world);
  accused = (what, error) => world.fail('no bug', `${what}: ${error instanceof Error ? error.stack : String(error)}`);
  prepare(world, bundle);
  return new Promise((resolve) => {
    setImmediate(() => {
      while (world.failure === null) {
        const happening = world.scheduler.next(world.scenario.endMs);
        if (happening === null) break;
        trace.happened(happening);
        world.scheduler.current = happening.owner;
        try {
          happening.run();
        } catch (error) {
          accuse('uncaught', error);
        }
        drainMicrotasks();
      }
      if (world.failure === null) world.tell('end');
      accused = null;
      resolve(resultOf(world, trace));
    });
  });
}

function prepare(world: World, bundle: LoadedBundle): void {
  const { disk, scenario, scheduler } = world;
  disk.writeText(CONFIG_PATH, JSON.stringify(scenario.config));
  disk.writeText('/etc/machine-id', world.random.stream('machine id').hex(16));
  disk.makeDirectory('/proc/sys/kernel/random');
  for (const plan of scenario.credentials) {
    const grant = world.server(plan.name).grants.login(scheduler.now);
    disk.writeText(plan.storePath, loginText(world, grant));
    disk.writeText(`${SCRIPTS}/${plan.name}`, '#!/bin/sh\n', { mode: 0o755 });
    disk.writeText(plan.envPath, 'FIRST=1\n# a comment\nOTHER=two\n');
  }
  disk.writeText('/bin/sh', '', { mode: 0o755 });
  disk.makeDirectory('/home/user/.freshd');
  const consumed = watchEverything(world);
  const { chain } = scenario;
  if (chain !== null) startChainConsumer(world, chain, watchChain(world, chain, consumed.calm));
  for (const plan of scenario.credentials) {
    startConsumer(world, plan, consumed.read);
    startForeignTool(world, plan);
    startTampering(world, plan);
    startPerson(world, plan);
  }
  startOperator(world);
  startClocks(world);
  scheduleMinutes(world);
  scheduleCrashes(world);
  startService(world, bundle);
  disk.sync();
}

/** What a service manager does: starts the daemon, and starts it again. */
function startService(world: World, bundle: LoadedBundle): void {
  const start = (): void => {
    world.note('start');
    disk.writeText('/proc/sys/kernel/random/boot_id', `${world.machine.bootId}\n`);
    beginLife(world, bundle, { ready, failed });
  };
  const { disk, scheduler } = world;
  const ready = (life: Life): void => {
    life.running?.daemon.onStep((credential, state) => world.stepped(credential, state));
    world.note('ready');
    world.tell('ready', life);
  };
  const failed = (life: Life, error: unknown): void => {
    const isExpected = error instanceof Error && (error.name === 'PortError' || error.message.includes('expected'));
    if (!isExpected) accuse('start', error);
    world.note(`did not start: ${String(error)}`);
    world.stopped(life);
  };
  world.restart = (kind, afterMs) => {
    scheduler.schedule({
      owner: world.init,
      delayMs: afterMs,
      label: 'start',
      run: () => {
        if (kind === 'power') world.machine.boot();
        start();
      },
    });
  };
  start();
}

function scheduleMinutes(world: World): void {
  const { scheduler, init } = world;
  // Nobody looks while the machine sleeps.
  const minute = (): void => {
    scheduler.schedule({ owner: init, delayMs: 60_000, label: 'minute', run: minute });
    world.tell('minute');
  };
  minute();
}

/** Some come out of the blue. */
function scheduleCrashes(world: World): void {
  const { scheduler, outside, scenario } = world;
  const random = world.random.stream('crashes by time');
  const next = (): void => {
    const delayMs = random.exponential(scenario.crashMeanMs);
    scheduler.schedule({
      owner: outside,
      delayMs,
      label: 'crash',
      run: () => {
        next();
        world.crash('life out of the blue');
      },
    });
  };
  next();
}

function resultOf(world: World, trace: ReturnType<typeof createTrace>): SeedResult {
  const { scheduler, scenario, failure, lives, network } = world;
  const servers = [...world.servers.values()];
  const families = servers.flatMap(({ grants }) => grants.families);
  noteKinds(world);
  return {
    seed: scenario.seed,
    failure,
    hash: trace.hash(),
    happenings: trace.count(),
    days: scheduler.now / 86_400_000,
    lives,
    attempts: network.trips.filter(({ by }) => by === 'freshd').length,
    families: families.length,
    lost: families.filter(({ revoked }) => revoked?.cause.kind === 'reuse').length,
    seen: world.seen.counts,
  };
}

/** What is known from the beginning, or only from its end. */
function noteKinds({ scenario, servers, seen }: World): void {
  for (const { name, method, rules, serverAheadMs } of scenario.credentials) {
    seen.note('method', method);
    const withGrace = rules.reuseGraceMs > 0 ? 'rotates, with grace' : 'rotates, without grace';
    seen.note('server', rules.rotates ? withGrace : 'keeps its token');
    if (Math.abs(serverAheadMs) > CLOCK_APART_MS) seen.note('server', 'clock apart');
    for (const { revoked } of servers.get(name)?.grants.families ?? []) {
      if (revoked?.cause.kind === 'reuse') seen.note('outcome', 'family lost by reuse');
    }
  }
}

// From here on the daemon speaks of it.
const CLOCK_APART_MS = 60_000;

/** Undocumented, and the only way to run what is due now without giving the event loop a turn, which costs ten times as much. */
const drainMicrotasks = (process as unknown as { _tickCallback(): void })._tickCallback;
