/**
 * One simulated world: a machine with a disk and a daemon, servers, and everybody who touches them; all from one seed.
 *
 * Rule: it holds the parts and passes news between them. What somebody does is in actors/, what must be true in checkers/.
 */
import type { CredentialState } from '../../src/core/state.ts';
import type { LogPort } from '../../src/daemon/ports.ts';
import { Crashes, type CrashKind } from './crashes.ts';
import { createDisk, type Disk } from './disk.ts';
import { runOnDisk } from './disk-schedule.ts';
import type { Life } from './life.ts';
import { Machine } from './machine.ts';
import { Network, type Trip } from './network.ts';
import { Processes } from './processes.ts';
import { createRandom, type Random } from './random.ts';
import { type CredentialPlan, drawScenario, type Scenario } from './scenario.ts';
import { createOwner, type Owner, Scheduler } from './scheduler.ts';
import { Seen } from './seen.ts';
import { AuthorizationServer, type Request, type Response } from './servers/server.ts';

/** A broken promise. */
export interface Failure {
  /** `I1`, `liveness`, … */
  readonly rule: string;
  readonly message: string;
  readonly at: number;
}

/** What a checker may hear of. */
export interface Listeners {
  readonly step: ((credential: string, state: CredentialState) => void)[];
  readonly trip: ((trip: Trip) => void)[];
  /** After the server judged it. */
  readonly request: ((server: AuthorizationServer, request: Request, response: Response) => void)[];
  readonly ready: ((life: Life) => void)[];
  readonly down: ((kind: CrashKind | 'stopped') => void)[];
  readonly log: LogPort['write'][];
  /** Something happened that the daemon cannot be blamed for; it gets its time anew. */
  readonly disturbed: ((credential: string | null, what: string) => void)[];
  readonly minute: (() => void)[];
  /** A consumer reads, and waits for a token. */
  readonly asked: ((credential: string) => void)[];
  readonly end: (() => void)[];
}

export class World {
  readonly scenario: Scenario;
  readonly random: Random;
  readonly scheduler: Scheduler;
  readonly machine: Machine;
  readonly disk: Disk;
  readonly network: Network;
  readonly processes: Processes;
  readonly crashes: Crashes;
  readonly seen = new Seen();
  readonly servers: ReadonlyMap<string, AuthorizationServer>;
  /** Outside of the machine. */
  readonly outside: Owner = createOwner('world', { isOnMachine: false });
  /** What starts with the machine, and stops when it sleeps. */
  readonly init: Owner = createOwner('init', { isOnMachine: true });
  readonly on: Listeners = {
    step: [],
    trip: [],
    request: [],
    ready: [],
    down: [],
    log: [],
    disturbed: [],
    minute: [],
    asked: [],
    end: [],
  };
  readonly trace: ((line: string) => void) | null;
  life: Life | null = null;
  lives = 0;
  failure: Failure | null = null;
  /** Starts the daemon again; set by whoever begins lives. */
  restart: (kind: CrashKind | 'stopped', afterMs: number) => void = () => undefined;

  constructor(seed: number, options: { readonly days: number; readonly trace: ((line: string) => void) | null }) {
    this.trace = options.trace;
    this.random = createRandom(String(seed));
    this.scenario = drawScenario(seed, options.days, this.random.stream('scenario'));
    this.scheduler = new Scheduler(this.random.stream('order'));
    this.machine = new Machine(this.scheduler, this.random.stream('machine'));
    this.processes = new Processes(this.machine);
    this.crashes = new Crashes(this.scenario.crashMean, this.random.stream('crashes'), this.seen);
    const { scheduler, outside } = this;
    const network = {
      scheduler,
      world: outside,
      random: this.random.stream('network'),
      crashes: this.strikesStage,
      seen: this.seen,
    };
    this.network = new Network(network);
    this.network.onTrip((trip) => this.tell('trip', trip));
    this.servers = new Map(this.scenario.credentials.map((plan) => [plan.name, this.#createServer(plan)]));
    this.disk = createDisk({
      now: this.machine.wallMs,
      elapsed: () => this.scheduler.now,
      random: this.random.stream('disk').next,
      eventLoss: 0.05,
      uid: 0,
      gid: 0,
      ...runOnDisk(this),
    });
  }

  /** @param host of the token endpoint */
  serverAt(host: string): AuthorizationServer {
    return this.server(host.replace(/\..*$/, ''));
  }

  server(name: string): AuthorizationServer {
    const server = this.servers.get(name);
    if (server === undefined) throw new Error(`no server ${name}`);
    return server;
  }

  plan(name: string): CredentialPlan {
    const plan = this.scenario.credentials.find((candidate) => candidate.name === name);
    if (plan === undefined) throw new Error(`no credential ${name}`);
    return plan;
  }

  /** What the daemon knows of a credential; null while none is up. */
  state(name: string): CredentialState | null {
    return this.life?.running?.daemon.state(name) ?? null;
  }

  /**
   * Ends the daemon where it stands, and whatever else the power takes with it.
   * @param point where that is
   */
  crash(point: string, kind: CrashKind = this.crashes.kind()): void {
    const { life } = this;
    if (life === null) return;
    this.seen.died(point, kind);
    this.disk.crash(kind);
    if (kind === 'power') this.processes.endAll();
    else this.processes.signal(life.pid, 'SIGKILL');
    this.downed(kind, this.crashes.pauseMs());
  }

  /** The daemon is gone. */
  downed(kind: CrashKind | 'stopped', pauseMs: number): void {
    if (this.life !== null) this.life.owner.isAlive = false;
    this.life = null;
    this.crashes.isDangerous = false;
    this.note(`down: ${kind}`);
    this.tell('down', kind);
    this.restart(kind, pauseMs);
  }

  /** The daemon ended by itself: it was told to, or could not start. */
  stopped(life: Life): void {
    if (life !== this.life) return;
    this.disk.crash('process');
    this.processes.signal(life.pid, 'SIGKILL');
    this.downed('stopped', this.crashes.pauseMs());
  }

  stepped(credential: string, state: CredentialState): void {
    const isMoving = ({ phase, deliveries, unpersisted }: CredentialState): boolean =>
      phase.kind === 'refreshing' || unpersisted !== null || deliveries.some(({ status }) => status === 'pending');
    const daemon = this.life?.running?.daemon;
    this.crashes.isDangerous = daemon?.names().some((name) => isMoving(daemon.state(name) ?? state)) ?? false;
    this.tell('step', credential, state);
  }

  logged: LogPort['write'] = (level, event, fields) => {
    this.note(`log ${level} ${event} ${JSON.stringify(fields)}`);
    for (const listener of this.on.log) listener(level, event, fields);
  };

  note(line: string): void {
    this.trace?.(line);
  }

  /** The first broken promise ends the world. */
  fail(rule: string, message: string): void {
    this.failure ??= { rule, message, at: this.scheduler.now };
  }

  tell<Name extends keyof Listeners>(name: Name, ...news: Parameters<Listeners[Name][number]>): void {
    for (const listener of this.on[name]) (listener as (...news: unknown[]) => void)(...news);
  }

  /** The daemon may die at this stage of what it does. @returns whether it did */
  strikesStage = (owner: Owner, point: string): boolean => {
    if (owner !== this.life?.owner || !this.crashes.strikesStage(point)) return false;
    this.crash(point);
    return true;
  };

  #createServer(plan: CredentialPlan): AuthorizationServer {
    const server = new AuthorizationServer({
      name: plan.name,
      rules: plan.rules,
      weather: plan.weather,
      aheadMs: plan.serverAheadMs,
      repeatsToken: plan.repeatsToken,
      random: this.random.stream(`server ${plan.name}`),
      now: () => this.scheduler.now,
      wallMs: this.machine.trueWallMs,
    });
    server.onRequest((asked, request, response) => {
      // What is counted from a wrong clock ends at a wrong time.
      if (this.machine.wallAheadMs !== 0) asked.distrustNewest();
      const spentAt = response.spending?.at ?? this.scheduler.now;
      if (spentAt < this.scheduler.now) this.seen.note('outcome', 'answered within its grace');
      this.tell('request', asked, request, response);
    });
    return server;
  }
}
