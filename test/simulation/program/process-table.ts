/**
 * Stands in for `adapters/refresh/process-table.ts`: the processes of the simulated machine.
 */
import type { ProcessEntry, startTimeOf as realStartTimeOf } from '../../../src/adapters/refresh/process-table.ts';
import type { RunningProcess } from '../../../src/daemon/ports.ts';
import type { Realm } from '../realm.ts';

declare const realm: Realm;

export async function listProcesses(): Promise<readonly ProcessEntry[]> {
  return realm.processes.list();
}

export const startTimeOf: typeof realStartTimeOf = (pid) =>
  realm.processes.list().find((entry) => entry.pid === pid)?.startTime ?? null;

export async function hasInEnvironment(pid: number, line: string): Promise<boolean> {
  return realm.processes.hasInEnvironment(pid, line);
}

export function signalProcess(target: RunningProcess, signal: NodeJS.Signals, group = false): boolean {
  if (target.startTime === null || startTimeOf(target.pid) !== target.startTime) return false;
  return realm.processes.signal(target.pid, signal, group);
}
