/**
 * A run that the process before this one left: waited for, ended, and its answer taken.
 *
 * Rule: it counts as over only when nothing of it lives; its answer need not wait for that.
 */
import type { TokenResponse } from '../core/token.ts';
import { epochMs } from '../core/token.ts';
import { dateResponse } from '../core/token-response.ts';
import { describeBug } from './bug.ts';
import type { ManagedCredential } from './credential.ts';
import type { ClockPort, JournalEntry, LeftRun, LeftRunsPort, LogPort } from './ports.ts';
import { pause } from './time-limit.ts';

export interface LeftRunTools {
  readonly leftRuns: LeftRunsPort;
  readonly clock: ClockPort;
  readonly log: LogPort;
  readonly bootId: string | null;
}

/**
 * Waits for the script while it has time left, ends it after that, and takes what it printed.
 * @param tools `untilOver` is told what to wait for when something of the run survives its end
 */
export async function responseOfRun(
  { name, policy }: ManagedCredential,
  { attempt, runId, process, beganAt, bootId }: JournalEntry,
  tools: LeftRunTools & { readonly untilOver: (over: Promise<unknown>) => void },
): Promise<TokenResponse | null> {
  const isOfThisBoot = bootId === tools.bootId;
  const leftMs = beganAt + policy.refreshTimeoutMs - tools.clock.now().wallMs;
  const waitMs = isOfThisBoot ? Math.max(0, Math.min(leftMs, policy.refreshTimeoutMs)) : 0;
  const run = { runId, process: isOfThisBoot ? process : null, graceMs: policy.killGraceMs };
  let { response, isOver } = await tools.leftRuns.settle({ ...run, waitMs });
  if (!isOver) {
    const over = survived(run, { credential: name, attempt }, tools);
    tools.untilOver(over);
    response ??= await over;
  }
  // A tool that writes the store itself has its answer there.
  return policy.resultInStore || response === null ? null : dateResponse(response, epochMs(beganAt));
}

/** SIGKILL does not end what hangs in the kernel or has taken another user's rights: it is looked for until it is gone. */
async function survived(
  run: Omit<LeftRun, 'waitMs'>,
  fields: { readonly credential: string; readonly attempt: number },
  { leftRuns, log }: LeftRunTools,
): Promise<TokenResponse | null> {
  const remedy = 'end it: before that nothing is sent for this credential';
  log.write('error', 'left_run_survives', { ...fields, remedy });
  for (;;) {
    await pause(LOOK_MS, { keepsAlive: false });
    const { isOver, response } = await leftRuns.settle({ ...run, waitMs: 0 }).catch((error: unknown) => {
      log.write('error', 'internal_error', { ...fields, during: 'settle_left_run', ...describeBug(error) });
      return { isOver: false, response: null };
    });
    if (!isOver) continue;
    log.write('info', 'left_run_over', fields);
    return response;
  }
}

// Each look goes through the processes of the machine.
const LOOK_MS = 1_000;
