/**
 * What a program finds on the simulated disk under Node's names: promises, calls that wait, callbacks.
 *
 * Rule: one per process, made once.
 */
import type { DiskProcess } from './disk-process.ts';
import { type DiskPromises, promisesOf } from './disk-promises.ts';
import { callbacksOf, type DiskCallbacks, type DiskSync, syncOf } from './disk-sync.ts';

export interface Program {
  readonly promises: DiskPromises;
  readonly sync: DiskSync;
  readonly callbacks: DiskCallbacks;
}

export function programOf(process: DiskProcess): Program {
  return { promises: promisesOf(process), sync: syncOf(process), callbacks: callbacksOf(process) };
}
