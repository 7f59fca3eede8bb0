/**
 * The globals of the simulated process: timers, clocks, signals and the process itself, all of its realm.
 *
 * Rule: esbuild puts these in the place of every free identifier of the same name in the bundled program, packages included.
 */
import type { Realm } from '../realm.ts';

declare const realm: Realm;

type Callback = (...values: unknown[]) => void;

/** What `setTimeout` and `setInterval` return. */
class VirtualTimer {
  readonly #run: () => void;
  readonly #delayMs: number;
  readonly #isRepeated: boolean;
  #cancel: (() => void) | null = null;

  constructor(run: () => void, delayMs: number, isRepeated: boolean) {
    this.#run = run;
    // As Node: what cannot be waited for is not waited for.
    this.#delayMs = delayMs >= 1 && delayMs <= DELAY_MS_MAX ? delayMs : 1;
    this.#isRepeated = isRepeated;
    this.#start();
  }

  #start(): void {
    this.#cancel = realm.after(this.#delayMs, 'timer', () => {
      this.#cancel = null;
      if (this.#isRepeated) this.#start();
      this.#run();
    });
  }

  end(): void {
    this.#cancel?.();
    this.#cancel = null;
  }

  hasRef(): boolean {
    return true;
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }
}

const setVirtualTimeout = (run: Callback, delayMs = 1, ...values: unknown[]): VirtualTimer =>
  new VirtualTimer(() => run(...values), delayMs, false);

const setVirtualInterval = (run: Callback, delayMs = 1, ...values: unknown[]): VirtualTimer =>
  new VirtualTimer(() => run(...values), delayMs, true);

const clearVirtual = (timer: VirtualTimer | undefined | null): void => timer?.end();

const setVirtualImmediate = (run: Callback, ...values: unknown[]): VirtualTimer =>
  new ImmediateTimer(() => run(...values));

class ImmediateTimer extends VirtualTimer {
  constructor(run: () => void) {
    super(() => undefined, DELAY_MS_MAX, false);
    this.end();
    realm.after(0, 'immediate', run);
  }
}

class VirtualDate extends Date {
  // The overloads of Date, passed on as they are.
  constructor(...parts: readonly unknown[]) {
    super(...((parts.length === 0 ? [realm.clock.wallMs()] : parts) as [number]));
  }

  static override now(): number {
    return Math.floor(realm.clock.wallMs());
  }
}

const virtualPerformance = { now: (): number => realm.clock.elapsedMs() };

const VirtualAbortSignal = {
  timeout(delayMs: number): AbortSignal {
    const controller = new AbortController();
    realm.after(delayMs, 'time limit', () =>
      controller.abort(new DOMException('The operation was aborted due to timeout', 'TimeoutError')),
    );
    return controller.signal;
  },
};

const virtualProcess = {
  pid: realm.pid,
  platform: 'linux',
  env: { HOME: '/home/user', PATH: '/usr/bin:/bin', LANG: 'C.UTF-8' },
  cwd: () => '/home/user',
  geteuid: () => 0,
  umask: () => 0o077,
  on: () => virtualProcess,
  kill(pid: number, signal: NodeJS.Signals | 0): true {
    if (realm.processes.signal(Math.abs(pid), signal, pid < 0)) return true;
    throw Object.assign(new Error('kill ESRCH'), { code: 'ESRCH', syscall: 'kill' });
  },
  exit: (code: number) => realm.complain(`exit with ${code}`, null),
};

export {
  clearVirtual as clearImmediate,
  clearVirtual as clearInterval,
  clearVirtual as clearTimeout,
  setVirtualImmediate as setImmediate,
  setVirtualInterval as setInterval,
  setVirtualTimeout as setTimeout,
  VirtualAbortSignal as AbortSignal,
  VirtualDate as Date,
  virtualPerformance as performance,
  virtualProcess as process,
};

// What a timer of Node holds: 2^31 - 1.
const DELAY_MS_MAX = 2_147_483_647;
