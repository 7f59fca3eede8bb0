/**
 * A gate for jobs that need a token: holds them while there is none, lets them through when there is, loses none.
 *
 * Rule: a job is started once, by the order in which it came, and its promise is settled by it; only one that has not begun
 * can be rejected by the gate, and only where that was asked for.
 */
import { asksAPerson, FreshdError } from './errors.ts';

export interface GateOptions {
  /** How many jobs run at once; 10 when left out. */
  readonly concurrency?: number;
  /** How many jobs may wait; 10,000 when left out. */
  readonly waitingMax?: number;
  /** Reject those that wait, and those that come, at once while a person must act. */
  readonly failFast?: boolean;
}

/** As `client.fetch`, but it waits as long as the gate holds. */
export type GateFetch = (input: string | URL | Request, init?: RequestInit) => Promise<Response>;

export interface Gate {
  /**
   * Runs the job as soon as there is a token and its turn has come.
   * @throws FreshdError `gate_full` and `unknown_credential` at once; `reauthorization_required` and `not_allowed` with
   *   `failFast`; `closed`; what the job throws
   */
  run<Result>(job: (fetch: GateFetch) => Result | Promise<Result>): Promise<Result>;
  readonly waiting: number;
  readonly running: number;
  /** Nothing is started at the moment, for want of a token. */
  readonly isHeld: boolean;
  /** Resolves when nothing waits and nothing runs. */
  idle(): Promise<void>;
}

export interface GateParts {
  readonly fetch: GateFetch;
  /** Why no job may start now; null: it may. */
  readonly obstacle: () => FreshdError | null;
  /** Calls back whenever the obstacle may have changed. */
  readonly onChange: (look: () => void) => void;
  /** Keeps the process alive. @returns how to let it go */
  readonly hold: () => () => void;
}

export function createGate(parts: GateParts, options: GateOptions): Gate {
  return new JobGate(parts, options);
}

interface Job {
  start(): Promise<void>;
  reject(error: FreshdError): void;
}

class JobGate implements Gate {
  readonly #parts: GateParts;
  readonly #concurrency: number;
  readonly #waitingMax: number;
  readonly #failFast: boolean;
  readonly #waiting = new Set<Job>();
  readonly #idle = new Set<() => void>();
  #running = 0;
  #release: (() => void) | null = null;

  constructor(parts: GateParts, { concurrency = 10, waitingMax = 10_000, failFast = false }: GateOptions) {
    this.#parts = parts;
    this.#concurrency = atLeastOne(concurrency, 'concurrency');
    this.#waitingMax = atLeastOne(waitingMax, 'waitingMax');
    this.#failFast = failFast;
    parts.onChange(() => this.#look());
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  get running(): number {
    return this.#running;
  }

  get isHeld(): boolean {
    return this.#parts.obstacle() !== null;
  }

  run<Result>(job: (fetch: GateFetch) => Result | Promise<Result>): Promise<Result> {
    if (this.#waiting.size >= this.#waitingMax) {
      const message = `${this.#waitingMax} jobs wait already; run fewer at a time, or raise waitingMax`;
      return Promise.reject(new FreshdError(message, { code: 'gate_full' }));
    }
    // Those that wait are kept: what a reload took out by mistake may come back.
    const obstacle = this.#parts.obstacle();
    if (obstacle?.code === 'unknown_credential') return Promise.reject(obstacle);
    return new Promise((resolve, reject) => {
      this.#waiting.add({
        reject,
        // In a function of its own, so that what a job throws at once is its failure and not the gate's.
        start: async () => {
          try {
            resolve(await job(this.#parts.fetch));
          } catch (error) {
            reject(error);
          }
        },
      });
      this.#look();
    });
  }

  idle(): Promise<void> {
    return new Promise((resolve) => {
      this.#idle.add(resolve);
      this.#settle();
    });
  }

  #look(): void {
    for (const job of this.#waiting) {
      const obstacle = this.#parts.obstacle();
      if (obstacle !== null && (obstacle.code === 'closed' || (this.#failFast && asksAPerson(obstacle.code)))) {
        this.#waiting.delete(job);
        job.reject(obstacle);
        continue;
      }
      if (obstacle !== null || this.#running >= this.#concurrency) break;
      this.#waiting.delete(job);
      this.#running += 1;
      void job.start().then(() => {
        this.#running -= 1;
        this.#look();
      });
    }
    this.#settle();
  }

  /** A process must not end while jobs wait for a token, although nothing but a background stream is open then. */
  #settle(): void {
    const isIdle = this.#waiting.size === 0 && this.#running === 0;
    if (!isIdle) {
      this.#release ??= this.#parts.hold();
      return;
    }
    this.#release?.();
    this.#release = null;
    for (const resolve of this.#idle) resolve();
    this.#idle.clear();
  }
}

function atLeastOne(value: number, option: string): number {
  if (value >= 1) return value;
  throw new RangeError(`${option}: expected 1 or more, got ${value}`);
}
