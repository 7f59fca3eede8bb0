/**
 * Watches of directories on the simulated disk, as `fs.watch` has them.
 *
 * Rule: a help, not a promise: what the disk is told to lose, nobody hears of.
 */
import { EventEmitter } from 'node:events';
import { basename } from 'node:path';
import type { ChangeKind, Inode } from './disk-tree.ts';

/** What `fs.watch` returns: emits `change` (kind, name) and, at its end, `close`. */
export class DiskWatcher extends EventEmitter {
  readonly directory: Inode;
  readonly path: string;
  readonly #onClose: () => void;
  #isOpen = true;

  constructor(path: string, directory: Inode, onClose: () => void) {
    super();
    this.path = path;
    this.directory = directory;
    this.#onClose = onClose;
  }

  /** @param name null: the directory itself went or moved, which Node tells by its own name */
  tell(kind: ChangeKind, name: string | null): void {
    if (this.#isOpen) this.emit('change', kind, name ?? basename(this.path));
  }

  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#onClose();
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }
}
