/**
 * Which process the two stand-ins for Node's modules belong to.
 *
 * Rule: an instance of this module starts with the process that was in use when it was loaded, and keeps it. So a bundle
 * that is loaded anew for each incarnation belongs to that incarnation, also after the next one has begun.
 */
import type { DiskProcess } from './disk-process.ts';
import type { Program } from './disk-program.ts';

const IN_USE = Symbol.for('freshd simulated disk');

// A bundle has a copy of this file of its own; only the global object is shared with who loads it.
const shared = globalThis as { [IN_USE]?: Program | undefined };
let current: Program | undefined = shared[IN_USE];

/** From here on this instance's calls are made by this process, and those of instances that are loaded from now on. */
export function useDisk(process: DiskProcess): void {
  current = process.program;
  shared[IN_USE] = current;
}

export function currentDisk(): Program {
  if (current === undefined) throw new Error('no simulated disk is in use: call useDisk(disk.boot()) first');
  return current;
}
