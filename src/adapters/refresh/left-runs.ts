/**
 * Runs of refresh scripts that a daemon before this one left behind: their processes, and what they had printed.
 *
 * Rule: a script that still runs may hold the only answer, so it gets its time; then nothing of it may live on, because two
 * at once could spend one refresh token twice.
 */
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { classifyScriptResult } from '../../core/classify.ts';
import type { TokenResponse } from '../../core/token.ts';
import type { LeftRun, LeftRunsPort, LogPort, RunningProcess } from '../../daemon/ports.ts';
import { errnoOf } from '../port-error.ts';
import { decodeStdout } from './output.ts';
import { endProcesses } from './process-group.ts';
import { hasInEnvironment, listProcesses, startTimeOf } from './process-table.ts';
import { STDOUT_BYTES_MAX, sweepStaleSpools } from './spool.ts';
import { delay } from './timer.ts';

/** @param options.spoolDirectory may be missing: then nothing was printed */
export function createLeftRuns(options: {
  readonly spoolDirectory: string;
  readonly log: LogPort['write'];
}): LeftRunsPort {
  const { spoolDirectory, log } = options;
  return {
    async settle(run) {
      await ended(run);
      const first = await answerIn(spoolDirectory, run.runId);
      // What a script that succeeded leaves running (an agent) is its own business.
      if (first !== null && !(await isAlive(run))) return { response: first, isOver: true };
      const leader = run.process ?? UNKNOWN;
      const { survivors } = await endProcesses({
        leader,
        marker: markerOf(run.runId),
        graceMs: run.graceMs,
      });
      return { response: first ?? (await answerIn(spoolDirectory, run.runId)), isOver: survivors.length === 0 };
    },
    sweep() {
      try {
        const files = sweepStaleSpools(spoolDirectory);
        if (files > 0) log('info', 'stale_spools_removed', { files });
      } catch (error) {
        // Worth a line, not a start: the first run will say what is wrong with the directory, as its failure.
        log('warn', 'stale_spools_kept', { code: errnoOf(error) ?? 'unknown' });
      }
    },
  };
}

async function ended(run: LeftRun): Promise<void> {
  for (let leftMs = run.waitMs; leftMs > 0 && (await isAlive(run)); leftMs -= LOOK_MS) {
    await delay(Math.min(LOOK_MS, leftMs));
  }
}

/** The script itself, or, where nobody noted which that is, anything of its run. */
async function isAlive({ process, runId }: LeftRun): Promise<boolean> {
  if (process !== null) return process.startTime !== null && startTimeOf(process.pid) === process.startTime;
  for (const { pid } of await listProcesses()) if (await hasInEnvironment(pid, markerOf(runId))) return true;
  return false;
}

const markerOf = (runId: string): string => `FRESHD_RUN_ID=${runId}`;

/** A complete token response, or nothing: half of one looks like any other text. */
async function answerIn(directory: string, runId: string): Promise<TokenResponse | null> {
  const path = await spoolOf(directory, runId);
  if (path === null || (await stat(path)).size > STDOUT_BYTES_MAX) return null;
  const output = decodeStdout(await readFile(path));
  const end = { ending: 'exited', exitCode: null, signal: null } as const;
  const verdict = classifyScriptResult({ ...end, output, result: 'stdout', rotates: true });
  return verdict.kind === 'response' ? verdict.response : null;
}

async function spoolOf(directory: string, runId: string): Promise<string | null> {
  const prefix = `${encodeURIComponent(runId)}.`;
  try {
    const name = (await readdir(directory)).find((each) => each.startsWith(prefix) && each.endsWith('.stdout'));
    return name === undefined ? null : join(directory, name);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return null;
    throw error;
  }
}

// Killed before it could note the script's process: only the run id in its environment tells.
const UNKNOWN: RunningProcess = { pid: -1, startTime: '0' };

const LOOK_MS = 50;
