/**
 * What Linux says of a process in `/proc/PID/stat`, taken apart.
 *
 * Rule: the text comes in and facts go out; who reads it decides what a file that cannot be read means.
 */

export interface ProcStat {
  readonly pid: number;
  /** `Z` and `X`: dead, and only waits to be reaped. */
  readonly state: string;
  readonly parent: number;
  readonly group: number;
  readonly session: number;
  /** In ticks since boot; as text, to be compared. */
  readonly startTime: string;
}

export const procStatPath = (pid: number | string): string => `/proc/${pid}/stat`;

/**
 * @returns null for what is cut short
 * @see proc_pid_stat(5): the name in parentheses may itself contain spaces and parentheses, but the last one is its own
 */
export function parseProcStat(text: string): ProcStat | null {
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const [state, parent, group, session] = fields;
  const startTime = fields[START_TIME];
  if (state === undefined || startTime === undefined) return null;
  return {
    pid: Number.parseInt(text, 10),
    state,
    parent: Number(parent),
    group: Number(group),
    session: Number(session),
    startTime,
  };
}

// Field 22 of the manual, counted from the third, which is the first behind the name.
const START_TIME = 19;
