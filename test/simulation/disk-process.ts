/**
 * One process that uses the simulated disk: its descriptors, its watches, and the way each of its calls takes.
 *
 * Rule: every call is counted, handed to `schedule` (or made at once, where the program waits for it), may be refused by
 * `fault`, and never settles once the process is dead.
 */
import { bytesBeforeFull, reserveCall, writeCall } from './disk-descriptor.ts';
import { Refused, systemError } from './disk-error.ts';
import { closeFile, type OpenFile, openCall } from './disk-open.ts';
import { type Call, canFail, type DiskOperation } from './disk-operation.ts';
import { findExisting } from './disk-path.ts';
import { type Program, programOf } from './disk-program.ts';
import type { DiskRules } from './disk-rules.ts';
import type { Inode, Tree } from './disk-tree.ts';
import { DiskWatcher } from './disk-watch.ts';

/** What a child has of a descriptor that it was given. */
export interface InheritedFile {
  write(text: string): void;
  close(): void;
}

export class DiskProcess {
  readonly id: number;
  readonly rules: DiskRules;
  /** For useDisk. */
  readonly program: Program;
  readonly #files = new Map<number, OpenFile>();
  readonly #watchers = new Set<DiskWatcher>();
  #isAlive = true;

  constructor(id: number, rules: DiskRules) {
    this.id = id;
    this.rules = rules;
    this.program = programOf(this);
  }

  get isAlive(): boolean {
    return this.#isAlive;
  }

  get tree(): Tree {
    return this.rules.tree;
  }

  /** Makes the call when its time has come. @throws (rejects) the system's error */
  call<T>(call: Call<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      if (!this.#isAlive) return;
      const state = { isDone: false };
      const operation = this.#operation(call, state);
      this.rules.schedule(operation, () => {
        if (state.isDone || !this.#isAlive) return;
        state.isDone = true;
        try {
          resolve(this.#attempt(call, operation));
        } catch (error) {
          reject(error);
        }
      });
    });
  }

  /** Makes the call at once. @throws the system's error */
  callNow<T>(call: Call<T>): T {
    if (!this.#isAlive) throw new Error(`${call.syscall} of ${call.path}: this process is dead`);
    return this.#attempt(call, this.#operation(call, { isDone: false }));
  }

  #operation<T>(call: Call<T>, state: { isDone: boolean }): DiskOperation {
    const { syscall, path, destination = null, bytes = 0, isModifying = false } = call;
    const partially = (fraction: number): void => {
      if (state.isDone || !this.#isAlive) return;
      state.isDone = true;
      try {
        if (fraction >= 1) call.perform();
        else call.performPart?.(Math.floor(bytes * fraction));
      } catch (error) {
        // It would have been refused, of which nobody hears any more.
        if (!(error instanceof Refused)) throw error;
      }
    };
    const number = this.rules.nextNumber();
    return { number, processId: this.id, syscall, path, destination, bytes, isModifying, partially };
  }

  #attempt<T>(call: Call<T>, operation: DiskOperation): T {
    const { syscall, path, destination, isOnDescriptor = false } = call;
    try {
      const code = this.rules.fault(operation);
      if (code === null || !canFail(call, code)) return call.perform();
      this.rules.onFault(code);
      call.onFault?.(code);
      const fits = code === 'ENOSPC' || code === 'EDQUOT' ? bytesBeforeFull(operation.bytes, this.rules.random()) : 0;
      if (fits > 0 && call.performPart !== undefined) return call.performPart(fits);
      throw new Refused(code);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      throw systemError(error.code, isOnDescriptor ? { syscall } : { syscall, path, destination });
    }
  }

  open(path: string, options: { readonly flags: number; readonly mode: number }): Call<number> {
    const { perform, performPart: _, ...call } = openCall(this.tree, path, options);
    return { ...call, perform: () => this.#describe(perform()) };
  }

  /** Gives the descriptor back at once, as the kernel does; what is asked for is only when the program hears of it. */
  close(descriptor: number): Call<void> {
    const path = this.#files.get(descriptor)?.path ?? '';
    return { syscall: 'close', path, isOnDescriptor: true, perform: () => this.#release(descriptor) };
  }

  /** @throws the system's error: `EBADF` */
  file(descriptor: number, syscall: string): OpenFile {
    const file = this.#files.get(descriptor);
    if (file === undefined) throw systemError('EBADF', { syscall });
    return file;
  }

  /** A child's share in an open file: lives until the child closes it, or the power fails. */
  inherit(descriptor: number): InheritedFile {
    const file = this.file(descriptor, 'dup');
    file.sharers += 1;
    let isOpen = true;
    return {
      write: (text) => {
        if (isOpen && file.boot === this.tree.boots) writeCall(this.tree, file, Buffer.from(text), null).perform();
      },
      close: () => {
        if (isOpen) closeFile(this.tree, file);
        isOpen = false;
      },
    };
  }

  /** Takes the kernel's exclusive lock, which goes with the last descriptor. @returns false when somebody holds it */
  flock(descriptor: number): boolean {
    const file = this.file(descriptor, 'flock');
    if (file.inode.isLocked) return file.isLocking;
    file.inode.isLocked = true;
    file.isLocking = true;
    return true;
  }

  /** What `fallocate --keep-size` does. @throws the system's error: `ENOSPC` */
  reserve(path: string, bytes: number): void {
    this.callNow(reserveCall(this.tree, path, bytes));
  }

  /** @throws the system's error */
  watch(path: string): DiskWatcher {
    const call: Call<Inode> = { syscall: 'watch', path, perform: () => findExisting(this.tree, path, FOLLOW).inode };
    const watcher: DiskWatcher = new DiskWatcher(path, this.callNow(call), () => this.#watchers.delete(watcher));
    this.#watchers.add(watcher);
    return watcher;
  }

  /** A directory changed: its watchers hear of it in their time, or not at all. */
  onEvent(directory: Inode, kind: 'rename' | 'change', name: string | null): void {
    for (const watcher of [...this.#watchers]) {
      if (watcher.directory !== directory || this.rules.isEventLost()) continue;
      const tell: Call<void> = { syscall: 'watch', path: watcher.path, perform: () => watcher.tell(kind, name) };
      void this.call(tell);
    }
  }

  /** Paths of what is open. */
  openPaths(): readonly string[] {
    return [...this.#files.values()].map(({ path }) => path);
  }

  /** From here on nothing of it happens any more. */
  kill(): void {
    this.#isAlive = false;
    for (const descriptor of [...this.#files.keys()]) this.#release(descriptor);
    this.#watchers.clear();
  }

  #describe(file: OpenFile): number {
    let descriptor = FIRST_DESCRIPTOR;
    while (this.#files.has(descriptor)) descriptor += 1;
    this.#files.set(descriptor, file);
    return descriptor;
  }

  #release(descriptor: number): void {
    const file = this.#files.get(descriptor);
    if (file === undefined) throw new Refused('EBADF');
    this.#files.delete(descriptor);
    closeFile(this.tree, file);
  }
}

const FOLLOW = { follow: true } as const;

// Below are standard input, output and error.
const FIRST_DESCRIPTOR = 3;
