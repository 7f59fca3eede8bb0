/**
 * The table of processes: who runs, in which group and session, started when, by whom.
 *
 * Rule: a process is its pid and its start time together; a pid alone may by now be somebody else's.
 */
import { execFile, execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import type { RunningProcess } from '../../daemon/ports.ts';
import { errnoOf } from '../port-error.ts';
import { parseProcStat, procStatPath } from '../proc-stat.ts';

export interface ProcessEntry {
  readonly pid: number;
  /** Comparable with that of {@link startTimeOf}, and with nothing else. */
  readonly startTime: string;
  readonly parent: number;
  readonly group: number;
  /** 0 where the platform does not tell. */
  readonly session: number;
}

/** All processes that run; the dead that only wait to be reaped are left out. */
export async function listProcesses(): Promise<ProcessEntry[]> {
  return HAS_PROC ? listFromProc() : listFromPs();
}

/** When the process that has this pid now was started; null when there is none, or it is dead. */
export function startTimeOf(pid: number): string | null {
  if (HAS_PROC) return startTimeFromProc(pid);
  return parsePs(psLineOf(pid))[0]?.startTime ?? null;
}

/** Whether the process was started with this line (`NAME=value`) in its environment; false where that cannot be read. */
export async function hasInEnvironment(pid: number, line: string): Promise<boolean> {
  if (!HAS_PROC) return false;
  const environment = await readOrNull(`/proc/${pid}/environ`);
  return environment !== null && `\0${environment}`.includes(`\0${line}\0`);
}

/**
 * Sends a signal if that very process still runs.
 * @param target a process, or with `group: true` the process group that it leads
 * @returns false when it is gone, or not ours to signal
 */
export function signalProcess(target: RunningProcess, signal: NodeJS.Signals, group = false): boolean {
  // Read again, right before the signal: between a scan and now the pid may have passed to somebody else.
  if (target.startTime === null || startTimeOf(target.pid) !== target.startTime) return false;
  try {
    process.kill(group ? -target.pid : target.pid, signal);
    return true;
  } catch (error) {
    if (errnoOf(error) === 'ESRCH' || errnoOf(error) === 'EPERM') return false;
    throw error;
  }
}

async function listFromProc(): Promise<ProcessEntry[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const entries: ProcessEntry[] = [];
  for (let first = 0; first < pids.length; first += READS_AT_ONCE) {
    const stats = await Promise.all(
      pids.slice(first, first + READS_AT_ONCE).map((pid) => readOrNull(procStatPath(pid))),
    );
    for (const stat of stats) {
      const entry = stat === null ? null : livingEntry(stat);
      if (entry !== null) entries.push(entry);
    }
  }
  return entries;
}

function startTimeFromProc(pid: number): string | null {
  try {
    return livingEntry(readFileSync(procStatPath(pid), 'utf8'))?.startTime ?? null;
  } catch (error) {
    if (isGone(error)) return null;
    throw error;
  }
}

/** @returns null for the dead */
function livingEntry(stat: string): ProcessEntry | null {
  const found = parseProcStat(stat);
  if (found === null || found.state === 'Z' || found.state === 'X') return null;
  const { state: _, ...entry } = found;
  return entry;
}

async function readOrNull(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'latin1');
  } catch (error) {
    if (isGone(error) || errnoOf(error) === 'EACCES' || errnoOf(error) === 'EPERM') return null;
    throw error;
  }
}

function isGone(error: unknown): boolean {
  return errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ESRCH';
}

/** For systems without /proc (macOS): the same facts, but for sessions and environments. */
async function listFromPs(): Promise<ProcessEntry[]> {
  const { stdout } = await promisify(execFile)('ps', ['-A', ...PS_COLUMNS], PS_OPTIONS);
  return parsePs(stdout);
}

/** One line of `ps`, or none: it exits 1 when there is no such process. */
function psLineOf(pid: number): string {
  try {
    return execFileSync('ps', ['-p', String(pid), ...PS_COLUMNS], {
      ...PS_OPTIONS,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
  } catch (error) {
    if (error instanceof Error && 'status' in error && error.status === 1) return '';
    throw error;
  }
}

function parsePs(output: string): ProcessEntry[] {
  return output.split('\n').flatMap((line) => {
    const [pid, parent, group, state, ...started] = line.trim().split(/\s+/);
    if (state === undefined || state.startsWith('Z')) return [];
    return [
      { pid: Number(pid), parent: Number(parent), group: Number(group), session: 0, startTime: started.join(' ') },
    ];
  });
}

const HAS_PROC = existsSync('/proc/self/stat');

// A few reads at a time: the thread pool is shared with the journal and the stores.
const READS_AT_ONCE = 16;

const PS_COLUMNS = ['-o', 'pid=,ppid=,pgid=,stat=,lstart='] as const;
const PS_OPTIONS = {
  env: { PATH: '/bin:/usr/bin', LC_ALL: 'C' },
  encoding: 'utf8',
  // A line has about 60 bytes: room for far more processes than a machine has.
  maxBuffer: 16 * 1024 * 1024,
} as const;
