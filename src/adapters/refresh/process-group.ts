/**
 * The end of a run that must end: SIGTERM, grace, SIGKILL, and a sweep until nothing of it is left.
 *
 * Rule: only what is known to belong to the run is touched: its process group and session, what carries its run id, and
 * their descendants. Without a cgroup this is best effort: a process that left the group and the session, emptied its
 * environment and lost its parent before the first scan cannot be told from a stranger.
 */
import type { RunningProcess } from '../../daemon/ports.ts';
import { hasInEnvironment, listProcesses, type ProcessEntry, signalProcess } from './process-table.ts';
import { delay } from './timer.ts';

export interface EndedRun {
  /** How many processes were found and signalled. */
  readonly processes: number;
  /** What outlived SIGKILL for the whole sweep: stuck in the kernel, or not ours to signal. */
  readonly survivors: readonly RunningProcess[];
}

/**
 * Ends every process of one run.
 * @param run.leader the script itself, which leads its own process group and session
 * @param run.marker the line `NAME=value` that stands in the environment of its processes and of no others
 * @returns at the latest `graceMs` and a few seconds later; never throws for what the processes do
 */
export async function endProcesses(run: {
  readonly leader: RunningProcess;
  readonly marker: string;
  readonly graceMs: number;
}): Promise<EndedRun> {
  const members = new Members(run.leader, run.marker);
  let living: readonly ProcessEntry[] = await members.scan();
  signalAll(run.leader, living, 'SIGTERM');
  living = await emptied(members, living, run.graceMs, GRACE_POLL_MS, () => undefined);
  living = await emptied(members, living, SWEEP_MS_MAX, SWEEP_POLL_MS, (found) =>
    signalAll(run.leader, found, 'SIGKILL'),
  );
  return { processes: members.count(), survivors: living };
}

/**
 * Scans until two scans in a row find nothing, or time is up. One empty scan proves nothing: a process that is read
 * before its parent forks, in a directory that is read while it changes, can be missed once.
 */
async function emptied(
  members: Members,
  before: readonly ProcessEntry[],
  limitMs: number,
  pollMs: number,
  onFound: (found: readonly ProcessEntry[]) => void,
): Promise<readonly ProcessEntry[]> {
  let living = before;
  let emptyScans = living.length === 0 ? 1 : 0;
  const startedAt = performance.now();
  while (emptyScans < 2) {
    onFound(living);
    const leftMs = limitMs - (performance.now() - startedAt);
    if (leftMs <= 0) break;
    await delay(Math.min(pollMs, leftMs));
    living = await members.scan();
    emptyScans = living.length === 0 ? emptyScans + 1 : 0;
  }
  return living;
}

/** The group at once, so that a member which forks just now is met too; then those who had left it, one by one. */
function signalAll(leader: RunningProcess, living: readonly ProcessEntry[], signal: NodeJS.Signals): void {
  const groupSignalled = signalProcess(leader, signal, true);
  for (const entry of living) {
    if (!groupSignalled || entry.group !== leader.pid) signalProcess(entry, signal);
  }
}

/** Who belongs to one run; what was once recognised stays known, also when its parent or group is gone. */
class Members {
  readonly #leader: RunningProcess;
  readonly #marker: string;
  readonly #known = new Set<string>();
  /** Until it is seen empty, or its number seen with another process: as long as it has members, that cannot be given away. */
  #groupIsOurs = true;

  constructor(leader: RunningProcess, marker: string) {
    this.#leader = leader;
    this.#marker = marker;
  }

  count(): number {
    return this.#known.size;
  }

  async scan(): Promise<ProcessEntry[]> {
    const all = await listProcesses();
    const holder = all.find((entry) => entry.pid === this.#leader.pid);
    if (holder !== undefined && identity(holder) !== identity(this.#leader)) this.#groupIsOurs = false;
    const found = new Map<number, ProcessEntry>();
    for (const entry of all) {
      if (await this.#isMember(entry)) found.set(entry.pid, entry);
    }
    if (!all.some((entry) => this.#isInGroup(entry))) this.#groupIsOurs = false;
    addDescendants(found, all);
    // A script that starts itself anew under this process's pid cannot exist; this is for the day it seems to.
    found.delete(process.pid);
    for (const entry of found.values()) this.#known.add(identity(entry));
    return [...found.values()];
  }

  async #isMember(entry: ProcessEntry): Promise<boolean> {
    if (this.#known.has(identity(entry)) || this.#isInGroup(entry)) return true;
    // The run's processes are younger than its leader: the environments of all others need not be read.
    if (Number(entry.startTime) < Number(this.#leader.startTime)) return false;
    return hasInEnvironment(entry.pid, this.#marker);
  }

  #isInGroup(entry: ProcessEntry): boolean {
    return this.#groupIsOurs && (entry.group === this.#leader.pid || entry.session === this.#leader.pid);
  }
}

function addDescendants(found: Map<number, ProcessEntry>, all: readonly ProcessEntry[]): void {
  let before: number;
  do {
    before = found.size;
    for (const entry of all) {
      if (found.has(entry.parent)) found.set(entry.pid, entry);
    }
  } while (found.size > before);
}

function identity(process_: RunningProcess): string {
  return `${process_.pid}:${process_.startTime}`;
}

// Well-behaved scripts end within milliseconds of SIGTERM; scanning more often would only cost.
const GRACE_POLL_MS = 100;
const SWEEP_POLL_MS = 50;

// SIGKILL works at once but for processes stuck in the kernel, for which no waiting helps.
const SWEEP_MS_MAX = 3_000;
