/**
 * Watches one store file: its entry in the directory, and the file that a symlink there names.
 *
 * Rule: whatever cannot be watched is left to the regular check, which also tries to watch again.
 */
import type { DirectoryWatches, WatchedFile } from './directory-watch.ts';
import { realPathOf } from './store-lock.ts';

/** Of a class, not of closures: each credential has one, and ten thousand of them are to stay small. */
export class FileWatch {
  readonly #path: string;
  readonly #watches: DirectoryWatches;
  #watched: readonly WatchedFile[] = [];

  constructor(path: string, watches: DirectoryWatches) {
    this.#path = path;
    this.#watches = watches;
  }

  /** @returns how to stop */
  watch(onChange: () => void): () => void {
    let ours: readonly WatchedFile[] | null = [];
    const add = (place: string): void => {
      if (ours === null) return;
      const file = this.#watches.add(place, onChange);
      ours = ours.concat(file);
      this.#watched = this.#watched.concat(file);
    };
    add(this.#path);
    void realPathOf(this.#path).then(
      (real) => {
        if (real !== this.#path) add(real);
      },
      // What cannot be resolved cannot be read either, which the next look tells.
      () => undefined,
    );
    return () => {
      const stopped = ours ?? [];
      ours = null;
      for (const file of stopped) file.stop();
      this.#watched = this.#watched.filter((file) => !stopped.includes(file));
    };
  }

  /** Watches again what is not watched any more. */
  revive(): void {
    for (const file of this.#watched) file.revive();
  }
}
