/**
 * Names of temp files, and the removal of those whose writer died before its rename, or whose disk let nothing be removed.
 *
 * Rule: the name carries the writer's pid; a temp is removed only when no living process can be its writer.
 */
import { randomBytes } from 'node:crypto';
import { readdir, readFile, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { errnoOf, portErrorFrom } from './port-error.ts';
import { parseProcStat, procStatPath } from './proc-stat.ts';

/** A fresh name beside `target`, kept from the sweep until it is released. */
export function claimTempPath(target: string): string {
  // A name may have 255 bytes; 60 characters have at most 180 of them.
  const unique = `${LIFE}${(claims++ & 0xff_ffff).toString(16).padStart(6, '0')}`;
  const name = `.${basename(target).slice(0, 60)}.freshd-${process.pid}-${unique}`;
  const temp = join(dirname(target), name);
  liveTemps.add(name);
  return temp;
}

export function releaseTempPath(temp: string): void {
  liveTemps.delete(basename(temp));
}

/**
 * After a failed write. A disk that takes nothing may not let go of anything either: then it is tried again later.
 * @returns whether it is gone
 */
export async function removeTemp(temp: string): Promise<boolean> {
  try {
    await rm(temp, { force: true });
    return true;
  } catch {
    // The error of the write is the one to report. A temp beyond the limit is swept at the next start.
    if (leftTemps.size < LEFT_TEMPS_MAX) leftTemps.add(temp);
    return false;
  }
}

/**
 * Tries again what could not be removed; one at a time and waited for by nobody, as its disk may hang. Where one can be removed
 * the next is tried: a disk that failed for an hour leaves more of them than there are writes in the hours after it.
 */
export function removeLeftTemps(): void {
  const [first] = leftTemps;
  if (first === undefined || isRemoving) return;
  isRemoving = true;
  leftTemps.delete(first);
  void removeTemp(first).then((isGone) => {
    isRemoving = false;
    if (isGone) removeLeftTemps();
  });
}

/**
 * Removes temps whose writer no longer lives, in one directory. A writer in another container looks dead from here; if its
 * temp is swept in the milliseconds before its rename, that write fails, is reported and repeated: nothing tears.
 * @returns the removed paths; none when the directory is missing
 * @throws PortError
 */
export async function sweepStaleTemps(directory: string): Promise<string[]> {
  const removed: string[] = [];
  try {
    for (const name of await readdir(directory)) {
      const pid = TEMP_NAME.exec(name)?.[1];
      if (pid === undefined) continue;
      const path = join(directory, name);
      if (liveTemps.has(name) || (await writerLives(Number(pid), path))) continue;
      await rm(path, { force: true });
      removed.push(path);
    }
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw portErrorFrom(error, { path: directory, doing: 'sweep' });
  }
  return removed;
}

async function writerLives(pid: number, temp: string): Promise<boolean> {
  // Ours would be in liveTemps: this one was left by an earlier life with the same pid (in a container always 1).
  if (pid === process.pid) return false;
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (errnoOf(error) === 'ESRCH') return false;
  }
  const [startedAt, stats] = await Promise.all([processStartedAt(pid), stat(temp).catch(() => null)]);
  // A process that began after the temp was last written is not its writer, but has got its pid.
  return startedAt === null || stats === null || startedAt <= stats.mtimeMs + CLOCK_SLACK_MS;
}

/** Epoch ms, from /proc/PID/stat (field 22, in ticks since boot) and /proc/stat; null where there is no /proc. */
async function processStartedAt(pid: number): Promise<number | null> {
  try {
    const [process_, system] = await Promise.all([readFile(procStatPath(pid), 'utf8'), readFile('/proc/stat', 'utf8')]);
    const ticks = Number(parseProcStat(process_)?.startTime);
    const bootSeconds = Number(/^btime (\d+)$/m.exec(system)?.[1]);
    const startedAt = bootSeconds * 1000 + ticks * MS_PER_TICK;
    return Number.isFinite(startedAt) ? startedAt : null;
  } catch {
    // No /proc, or hidden, or the process just ended: then its start says nothing.
    return null;
  }
}

/** Tells the temps of this life from those that an earlier one with the same pid left behind. */
const LIFE = randomBytes(3).toString('hex');
let claims = 0;

/** Names of the temps that this process is writing now; unique by their last part, whatever path led there. */
const liveTemps = new Set<string>();

/** Paths of temps, perhaps with a token in them, that could not be removed when their write failed. */
const leftTemps = new Set<string>();
let isRemoving = false;

// More than all targets of a configuration leave when one disk is remounted under them.
const LEFT_TEMPS_MAX = 256;

const TEMP_NAME = /^\..+\.freshd-(\d+)-[0-9a-f]{12}$/;

// USER_HZ: the kernel's ABI reports 100 ticks a second on every architecture that Node runs on.
const MS_PER_TICK = 10;

// `btime` has whole seconds, and follows small corrections of the wall clock.
const CLOCK_SLACK_MS = 2_000;
