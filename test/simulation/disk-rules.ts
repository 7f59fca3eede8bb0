/**
 * What the processes of a simulated disk ask of whoever runs it.
 *
 * Rule: all time and all chance come from here.
 */
import type { DiskOperation } from './disk-operation.ts';
import type { Tree } from './disk-tree.ts';

/** What a disk asks of whoever runs it. */
export interface DiskRules {
  readonly tree: Tree;
  readonly schedule: (operation: DiskOperation, run: () => void) => void;
  readonly fault: (operation: DiskOperation) => string | null;
  /** Told of each fault that hit. */
  readonly onFault: (code: string) => void;
  readonly random: () => number;
  /** Whether this change is not told to a watcher. */
  readonly isEventLost: () => boolean;
  readonly nextNumber: () => number;
  readonly standardOutput: (descriptor: number, text: string) => void;
  readonly space: () => Space;
}

/** Free blocks, and inodes: what `statfs` says. */
export interface Space {
  readonly freeBlocks: number;
  readonly freeInodes: number;
}
