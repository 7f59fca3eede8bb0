/**
 * How many threads publications may keep: those that work, and those that hang.
 *
 * Rule: Node does its work with files in a pool of threads, and a mount that hangs keeps one for as long as it likes. What is
 * kept here leaves threads to journal and stores, whatever hangs.
 */
import { createGate } from './gate.ts';

export interface FileThreads {
  /** @param file what the job writes; null: a program does the work, and takes no thread */
  run(file: string | null, job: () => Promise<void>): Promise<void>;
  /** So much hangs that no other operation on a file should be begun. */
  isCrowded(): boolean;
  /** That operation hangs, until it ends. */
  hangs(file: string, work: Promise<unknown>): void;
}

export function createFileThreads(): FileThreads {
  const gates = { file: createGate(FILES_MAX), program: createGate(PROGRAMS_MAX) };
  /** The file of each operation that hangs: those of one file wait for each other, and keep one thread together. */
  const hung = new Map<Promise<unknown>, string>();
  return {
    run: (file, job) => (file === null ? gates.program : gates.file).run(job),
    isCrowded: () => new Set(hung.values()).size >= HUNG_MAX,
    hangs(file, work) {
      hung.set(work, file);
      void work.then(() => hung.delete(work));
    },
  };
}

// Each has a thread of the pool while it waits for its disk. The two are 32 of the 64 that bin/freshd.js asks for; looks at
// stores have 12, attempts that hang 8, and what is left is the journal's.
const FILES_MAX = 12;
const HUNG_MAX = 20;

// Far below the usual limit of 1,024 descriptors.
const PROGRAMS_MAX = 64;
