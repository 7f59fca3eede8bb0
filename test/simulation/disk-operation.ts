/**
 * One system call on the simulated disk: what is known of it before it happens, and which faults can hit it.
 *
 * Rule: a fault that could not happen to this call on a real system does not happen here, however it is wished for.
 */

/** What schedule and fault are told. */
export interface DiskOperation {
  /** Counts all operations of a disk. */
  readonly number: number;
  /** Which process of the disk asks. */
  readonly processId: number;
  /** `open`, `write`, `fsync`, …; `watch`: a change is told to a watcher. */
  readonly syscall: string;
  /** Absolute; of a descriptor the path that it was opened with. */
  readonly path: string;
  /** Of a rename or link; else null. */
  readonly destination: string | null;
  /** To be written; 0 for all else. */
  readonly bytes: number;
  /** Whether it can change anything but what is open. */
  readonly isModifying: boolean;
  /**
   * For a crash in the middle of it, or after it: does this part of it and never settles. Of a write the first bytes
   * happen; anything else happens at 1 or not at all. `run` does nothing afterwards.
   * @param fraction from 0 to 1
   */
  partially(fraction: number): void;
}

/** One system call before it is made. */
export interface Call<T> {
  readonly syscall: string;
  readonly path: string;
  readonly destination?: string;
  /** A call on a descriptor: its errors name no path. */
  readonly isOnDescriptor?: boolean;
  readonly bytes?: number;
  readonly isModifying?: boolean;
  /** Whether it takes blocks or inodes that it does not have yet. */
  readonly needsSpace?: () => boolean;
  /** @throws Refused */
  readonly perform: () => T;
  /** Only the first bytes of a write. */
  readonly performPart?: (bytes: number) => T;
  /** What else happens when it fails with this error. */
  readonly onFault?: (code: string) => void;
}

/** Whether that error could come of that call. Of space: overwriting what is allocated needs none. */
export function canFail<T>(call: Call<T>, code: string): boolean {
  const { syscall, isModifying = false, isOnDescriptor = false } = call;
  switch (code) {
    case 'ENOSPC':
    case 'EDQUOT':
      return call.needsSpace?.() ?? false;
    case 'EROFS':
      return isModifying;
    case 'EMFILE':
    case 'ENFILE':
      return OPENING.has(syscall);
    case 'EACCES':
    case 'EPERM':
      return !isOnDescriptor && syscall !== 'watch';
    case 'EBUSY':
      return REPLACING.has(syscall);
    default:
      return !['close', 'watch'].includes(syscall);
  }
}

const OPENING: ReadonlySet<string> = new Set(['open', 'scandir']);
const REPLACING: ReadonlySet<string> = new Set(['rename', 'unlink', 'rmdir']);
