/**
 * Watches one store file: its entry in the directory, and the file that a symlink there names.
 *
 * Rule: whatever cannot be watched is left to the regular check, which also tries to watch again.
 */
import type { DirectoryWatches, WatchedFile } from './directory-watch.ts';
import { realPathOf } from './store-lock.ts';

export interface FileWatch {
  /** @returns how to stop */
  watch(onChange: () => void): () => void;
  /** Watches again what is not watched any more. */
  revive(): void;
}

export function createFileWatch(path: string, watches: DirectoryWatches): FileWatch {
  let watched: readonly WatchedFile[] = [];
  return {
    revive: () => {
      for (const file of watched) file.revive();
    },
    watch: (onChange) => {
      let ours: readonly WatchedFile[] = [];
      let isStopped = false;
      const add = (place: string): void => {
        const file = watches.add(place, onChange);
        ours = ours.concat(file);
        watched = watched.concat(file);
      };
      add(path);
      void realPathOf(path).then(
        (real) => {
          if (!isStopped && real !== path) add(real);
        },
        // What cannot be resolved cannot be read either, which the next look tells.
        () => undefined,
      );
      return () => {
        isStopped = true;
        for (const file of ours) file.stop();
        watched = watched.filter((file) => !ours.includes(file));
      };
    },
  };
}
