/**
 * A disk in memory for simulations: what the kernel shows, what is durable, and what crashes make of the difference.
 *
 * Rule: deterministic. Time and chance come from the options alone, and nothing happens but when `schedule` runs it.
 *
 *     const disk = createDisk({ now, random, schedule: (operation, run) => later(latency(), run), fault: () => null });
 *     disk.writeText('/etc/freshd/config.json', text, { mode: 0o600 });   // another process: at once, no fault, no latency
 *     disk.sync();                                                       // all that is there survives power failures
 *     const process = disk.boot();                                       // one incarnation
 *     useDisk(process);      // of fs-promises.ts or fs.ts, which the program finds in the place of node:fs/promises, node:fs
 *     …
 *     disk.crash('process');      // every process is dead; the kernel's image stays
 *     disk.crash('power');        // … and what was not synced is lost or kept by chance
 *     useDisk(disk.boot());
 *
 * `schedule(operation, run)` is called inside the program's call and must not run it there and then. It calls `run` once, at
 * its time; or, to crash the program:
 * - before the operation: does not call `run`, and kills the process (`process.kill()`, or a crash of the disk)
 * - in the middle: `operation.partially(0.3)`, then kills it: the first bytes of a write are there, of anything else nothing
 * - after it: `operation.partially(1)`, then kills it: it happened, and the program never hears of it
 * Kill from a task of its own, not from inside `schedule`. Calls of a dead process never settle, even when they are run.
 * Calls that the program waits for (`statSync`) happen at once and are not scheduled; faults hit them too.
 *
 * Errors, buffers and dates are of the realm that made the disk: load the program into the same one, not into a `vm` context.
 * Load its bundle anew for each incarnation, after `useDisk`: that instance keeps its process, and state of its modules that
 * a crash would lose is lost. For the programs that it starts a process has `inherit`, `flock` and `reserve`.
 *
 * `fault(operation)` returns the name of an error or null, each time an operation is run. What cannot happen is ignored, so
 * `() => 'ENOSPC'` is a full disk: overwriting, removing and renaming go on, new files and growth do not; and
 * `() => 'EROFS'` is a read-only one. Permissions are not checked: ask for EACCES.
 */
import { createHash } from 'node:crypto';
import { type ForeignView, foreignView } from './disk-foreign.ts';
import type { DiskOperation } from './disk-operation.ts';
import { losePower, makeAllDurable } from './disk-power.ts';
import { DiskProcess } from './disk-process.ts';
import type { DiskRules, Space } from './disk-rules.ts';
import { createTree } from './disk-tree.ts';
import { describeTree } from './disk-tree-text.ts';

export type { ForeignView } from './disk-foreign.ts';
export type { DiskOperation } from './disk-operation.ts';
export type { DiskProcess } from './disk-process.ts';
export type { Space } from './disk-rules.ts';

export interface DiskOptions {
  /** Epoch ms, as the program's own clock says it. */
  readonly now: () => number;
  /** Ms that nobody sets, for what waits to be written back; default: `now`. */
  readonly elapsed?: () => number;
  /** From 0 to below 1. */
  readonly random: () => number;
  readonly schedule: (operation: DiskOperation, run: () => void) => void;
  /** Name of an error (`ENOSPC`); default: never one. */
  readonly fault?: (operation: DiskOperation) => string | null;
  /** Told of each fault that hit an operation. */
  readonly onFault?: (code: string) => void;
  /** Share of the changes that watchers do not hear of; default 0. */
  readonly eventLoss?: number;
  /** Owner of what is made; default 1000 for both. */
  readonly uid?: number;
  readonly gid?: number;
  /** What the program writes to its descriptors 1 and 2; default: dropped. */
  readonly standardOutput?: (descriptor: number, text: string) => void;
  /** What `statfs` says; default: plenty. */
  readonly space?: () => Space;
}

export interface Disk extends ForeignView {
  /** A new process on this disk, with no file open. */
  boot(): DiskProcess;
  /** Ends every process; `power` also loses what is not durable. */
  crash(kind: 'process' | 'power'): void;
  /** Makes all durable that is there. */
  sync(): void;
  /** Descriptors and watches of living processes. */
  openPaths(): readonly string[];
  /** Changes with anything that a program could see on this disk, and with what is durable. */
  hash(): string;
  /** How many operations there were. */
  operations(): number;
}

export function createDisk(options: DiskOptions): Disk {
  const { now, elapsed = now, random, schedule, fault = () => null, eventLoss = 0, uid = 1000, gid = 1000 } = options;
  const tree = createTree({ now, elapsed, uid, gid });
  let processes: readonly DiskProcess[] = [];
  let processCount = 0;
  let operationCount = 0;
  const living = (): readonly DiskProcess[] => {
    processes = processes.filter(({ isAlive }) => isAlive);
    return processes;
  };
  tree.onEvent = (directory, kind, name) => {
    for (const process of living()) process.onEvent(directory, kind, name);
  };
  const rules: DiskRules = {
    tree,
    schedule,
    fault,
    random,
    onFault: options.onFault ?? (() => undefined),
    isEventLost: () => eventLoss > 0 && random() < eventLoss,
    nextNumber: () => operationCount++,
    standardOutput: options.standardOutput ?? (() => undefined),
    space: options.space ?? (() => PLENTY),
  };
  return {
    ...foreignView(tree),
    boot: () => {
      const process = new DiskProcess(processCount++, rules);
      processes = [...living(), process];
      return process;
    },
    crash: (kind) => {
      for (const process of living()) process.kill();
      if (kind === 'power') losePower(tree, random);
    },
    sync: () => makeAllDurable(tree),
    openPaths: () => living().flatMap((process) => process.openPaths()),
    hash: () => createHash('sha256').update(describeTree(tree)).digest('hex'),
    operations: () => operationCount,
  };
}

const PLENTY: Space = { freeBlocks: 1_000_000, freeInodes: 1_000_000 };
