/**
 * One life of the daemon: a process, its realm, and the program that runs in it.
 *
 * Rule: a life has everything of its own but the machine: program, descriptors, timers. When it ends, nothing of it goes on.
 */

import { startScript } from './actors/script.ts';
import { useDisk } from './disk-current.ts';
import type { DiskProcess } from './disk-process.ts';
import type { LoadedBundle } from './load-bundle.ts';
import type { Running } from './program/entry.ts';
import type { Realm } from './realm.ts';
import { CONFIG_PATH } from './scenario.ts';
import type { Owner } from './scheduler.ts';
import type { World } from './world.ts';

export interface Life {
  readonly number: number;
  readonly pid: number;
  readonly owner: Owner;
  readonly disk: DiskProcess;
  readonly beganAt: number;
  /** Null until it is ready. */
  running: Running | null;
}

/**
 * Starts the daemon.
 * @param told `ready` once it serves, or `failed` with what it said
 */
export function beginLife(
  world: World,
  bundle: LoadedBundle,
  told: { readonly ready: (life: Life) => void; readonly failed: (life: Life, error: unknown) => void },
): Life {
  const { scheduler, scenario, processes, disk } = world;
  const { fixedPid } = scenario;
  const { pid, owner } = processes.add({ name: 'freshd', ...(fixedPid === null ? {} : { pid: fixedPid }) });
  const diskProcess = disk.boot();
  const life: Life = { number: ++world.lives, pid, owner, disk: diskProcess, beganAt: scheduler.now, running: null };
  world.life = life;
  useDisk(diskProcess);
  const program = bundle.instantiate(realmOf(world, life));
  scheduler.schedule({
    owner,
    delayMs: 0,
    label: 'start',
    run: () => {
      if (world.strikesStage(owner, 'life start')) return;
      program.start(CONFIG_PATH).then(
        (running) => {
          life.running = running;
          told.ready(life);
        },
        (error: unknown) => told.failed(life, error),
      );
    },
  });
  return life;
}

function realmOf(world: World, life: Life): Realm {
  const { scheduler, machine, network, processes, crashes } = world;
  const { owner, disk, number, pid } = life;
  const random = world.random.stream(`life ${number}`);
  const beganAtMonotonicMs = machine.monotonicMs();
  return {
    pid,
    clock: {
      wallMs: machine.wallMs,
      elapsedMs: () => machine.monotonicMs() - beganAtMonotonicMs + START_MS,
    },
    after: (delayMs, label, run) => {
      const guarded = (): void => {
        const point = `timer ${label}`;
        if (crashes.strikes(point) || crashes.strikesRare(point)) world.crash(point);
        else run();
      };
      const lateMs = delayMs === 0 ? 0 : random.next();
      const happening = scheduler.schedule({ owner, delayMs: delayMs + lateMs, label, run: guarded });
      return () => scheduler.cancel(happening);
    },
    random,
    network: {
      connect: (host, done) => network.connect(owner, world.serverAt(host), done),
      send: (host, refreshToken, done) =>
        network.send(owner, world.serverAt(host), { refreshToken, by: 'freshd' }, done),
    },
    processes: {
      list: () => processes.list(),
      hasInEnvironment: (pid, line) => processes.hasInEnvironment(pid, line),
      signal: (pid, signal) => processes.signal(pid, signal),
      spawn: (request) => startScript(world, life, { ...request, parent: pid }),
    },
    flock: (descriptor) => disk.flock(descriptor),
    reserveSpace: (path, bytes) => disk.reserve(path, bytes),
    log: (level, event, fields) => world.logged(level, event, fields),
    complain: (what, error) => world.fail('no bug', `${what}: ${String(error)}`),
  };
}

// What a process has run for when its first line runs.
const START_MS = 40;
