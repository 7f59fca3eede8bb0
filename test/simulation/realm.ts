/**
 * A realm: all that one life of the simulated daemon can reach of its world, beside its disk.
 *
 * Rule: the bundled program gets everything that is not computation from here: clocks, timers, chance, network, processes,
 * log. A realm ends with its process; what it was waiting for then never comes.
 */
import type { LogPort } from '../../src/daemon/ports.ts';
import type { Leave, SendResult } from './network.ts';
import type { ProcessEntry, SpawnedScript, SpawnRequest } from './processes.ts';
import type { Random } from './random.ts';

export interface Realm {
  readonly pid: number;
  readonly clock: {
    /** Epoch ms as this machine's clock shows it. */
    wallMs(): number;
    /** Since the process began; stands still while the machine sleeps. */
    elapsedMs(): number;
  };
  /** Runs `run` after at least `delayMs`. @returns how to prevent it */
  after(delayMs: number, label: string, run: () => void): Leave;
  readonly random: Random;
  readonly network: {
    /** @returns null for a host that nobody has heard of */
    connect(host: string, done: (result: string) => void): Leave;
    send(host: string, refreshToken: string, done: (result: SendResult) => void): Leave;
  };
  readonly processes: {
    list(): readonly ProcessEntry[];
    hasInEnvironment(pid: number, line: string): boolean;
    /** @returns whether there was such a process */
    signal(pid: number, signal: NodeJS.Signals | 0, isGroup: boolean): boolean;
    spawn(request: SpawnRequest): SpawnedScript;
  };
  /** Takes the kernel's lock on an open file. @returns false while another holds it */
  flock(descriptor: number): boolean;
  /** @throws the system's error where there is no room */
  reserveSpace(path: string, bytes: number): void;
  readonly log: LogPort['write'];
  /** What no code of ours may let happen. */
  readonly complain: (what: string, error: unknown) => void;
}
