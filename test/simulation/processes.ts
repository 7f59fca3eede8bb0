/**
 * The processes of the simulated machine: daemons, and the scripts that they start.
 *
 * Rule: a script is a process of its own: it lives on when the daemon is killed, and ends with the power.
 */
import type { ProcessEntry } from '../../src/adapters/refresh/process-table.ts';
import type { Machine } from './machine.ts';
import { createOwner, type Owner } from './scheduler.ts';

export type { ProcessEntry } from '../../src/adapters/refresh/process-table.ts';

export interface SpawnRequest {
  readonly program: string;
  readonly environment: Readonly<Record<string, string>>;
  /** Descriptors of the starter. */
  readonly stdin: number | null;
  readonly stdout: number | null;
}

export interface ScriptEnd {
  readonly exitCode: number | null;
  readonly signal: string | null;
}

export interface SpawnedScript {
  readonly pid: number;
  /** @param tell called once, when it has ended */
  ended(tell: (end: ScriptEnd) => void): void;
}

interface Entry extends ProcessEntry {
  readonly owner: Owner;
  readonly environment: Readonly<Record<string, string>>;
  readonly ignoresTerm: boolean;
  readonly exit: (end: ScriptEnd) => void;
}

export class Processes {
  readonly #machine: Machine;
  readonly #entries = new Map<number, Entry>();
  #lastPid = FIRST_PID;

  constructor(machine: Machine) {
    this.#machine = machine;
  }

  /** @param options `pid`: that of a container's first process, say; else the next */
  add(options: {
    readonly name: string;
    readonly pid?: number;
    readonly parent?: number;
    readonly environment?: Entry['environment'];
    readonly ignoresTerm?: boolean;
    readonly onExit?: (end: ScriptEnd) => void;
  }): { readonly pid: number; readonly owner: Owner; readonly exit: (end: ScriptEnd) => void } {
    const pid = options.pid ?? ++this.#lastPid;
    const owner = createOwner(`${options.name}[${pid}]`, { isOnMachine: true });
    const exit = (end: ScriptEnd): void => {
      if (this.#entries.get(pid)?.owner !== owner) return;
      this.#entries.delete(pid);
      owner.isAlive = false;
      options.onExit?.(end);
    };
    this.#entries.set(pid, {
      pid,
      startTime: String(Math.floor(this.#machine.monotonicMs() / 10) + 1),
      parent: options.parent ?? 1,
      group: pid,
      session: pid,
      owner,
      environment: options.environment ?? {},
      ignoresTerm: options.ignoresTerm ?? false,
      exit,
    });
    return { pid, owner, exit };
  }

  list(): readonly ProcessEntry[] {
    return [...this.#entries.values()];
  }

  hasInEnvironment(pid: number, line: string): boolean {
    return Object.entries(this.#entries.get(pid)?.environment ?? {}).some(
      ([name, value]) => `${name}=${value}` === line,
    );
  }

  signal(pid: number, signal: NodeJS.Signals | 0): boolean {
    const entry = this.#entries.get(pid);
    if (entry === undefined) return false;
    const isDeadly = signal === 'SIGKILL' || (signal === 'SIGTERM' && !entry.ignoresTerm);
    if (isDeadly) entry.exit({ exitCode: null, signal });
    return true;
  }

  /** The power fails, or the machine starts anew. */
  endAll(): void {
    for (const { exit } of [...this.#entries.values()]) exit({ exitCode: null, signal: 'SIGKILL' });
    this.#lastPid = FIRST_PID;
  }
}

const FIRST_PID = 400;
