/**
 * Limits of an exchange: how long its parts may take, and that it may be cancelled.
 *
 * Rule: a limit ends the work and names itself; whether something was sent is known only to the stage that is ended.
 */
import { NoAnswer } from './no-answer.ts';

export interface Limit {
  readonly signal: AbortSignal;
  /** Stable and greppable. */
  readonly code: string;
  /** What was expected and what happened. */
  readonly message: string;
}

/** A limit in time. It does not keep a process alive. */
export function timeLimit(durationMs: number, code: string, message: string): Limit {
  return { signal: AbortSignal.timeout(Math.max(1, Math.ceil(durationMs))), code, message };
}

/**
 * Runs `work`; a limit that comes first calls `end`, which makes it settle.
 * @throws NoAnswer of the limit, or what `work` throws
 */
export async function within<T>(
  limits: readonly Limit[],
  stage: { readonly isSent: boolean; readonly end: () => void },
  work: () => Promise<T>,
): Promise<T> {
  let isOver = false;
  // Timers come before sockets: of a process that stood still, an answer may lie there that came in time.
  const end = () => void setImmediate(() => isOver || stage.end());
  // Not AbortSignal.any: in Node 20 the composite of a timeout can be collected before it fires.
  for (const { signal } of limits) signal.addEventListener('abort', end);
  const refuseWhenOver = () => {
    const over = limits.find(({ signal }) => signal.aborted);
    if (over !== undefined) throw new NoAnswer(over.message, { code: over.code, isSent: stage.isSent });
  };
  try {
    refuseWhenOver();
    return await work();
  } catch (error) {
    refuseWhenOver();
    throw error;
  } finally {
    isOver = true;
    for (const { signal } of limits) signal.removeEventListener('abort', end);
  }
}
