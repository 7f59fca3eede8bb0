/**
 * Tells at once when a file may have changed, by watching its directory: tools replace their file, and a watch of the file
 * itself would stay with the old one.
 *
 * Rule: a help, never a need. A directory that is missing, a system that cannot watch, one watch too many: nothing happens
 * but that the regular store check is what notices. Each such check tries again.
 */
import { type FSWatcher, watch } from 'node:fs';
import { basename, dirname } from 'node:path';

export interface DirectoryWatches {
  /** @param onChange called soon after the directory's entry changed, once for many changes in a row */
  add(path: string, onChange: () => void): WatchedFile;
}

export interface WatchedFile {
  /** Watches again if it does not; cheap if it does. */
  revive(): void;
  stop(): void;
}

interface Watched {
  readonly watcher: FSWatcher;
  /** By name of the file. Lists, because there are thousands with one member, and a set of one takes five times as much. */
  readonly listeners: Map<string, readonly (() => void)[]>;
}

/** @param options `watchesMax`: directories at once */
export function createDirectoryWatches(options: { readonly watchesMax?: number } = {}): DirectoryWatches {
  const { watchesMax = WATCHES_MAX } = options;
  const directories = new Map<string, Watched>();

  function open(directory: string): Watched | null {
    const known = directories.get(directory);
    if (known !== undefined) return known;
    if (directories.size >= watchesMax) return null;
    const watched = openWatch(directory, {
      onEvent: (name) => tell(watched, name),
      onGone: () => {
        if (directories.get(directory) === watched) directories.delete(directory);
        watched?.watcher.close();
        // Whatever ended it may have changed the file too.
        tell(watched, null);
      },
    });
    if (watched !== null) directories.set(directory, watched);
    return watched;
  }

  function close(directory: string, watched: Watched): void {
    if (watched.listeners.size > 0 || directories.get(directory) !== watched) return;
    directories.delete(directory);
    watched.watcher.close();
  }

  return {
    add: (path, onChange) => {
      const [directory, name] = [dirname(path), basename(path)];
      const soon = oncePer(GATHER_MS, onChange);
      let joined: Watched | null = null;
      const revive = (): void => {
        if (joined !== null && directories.get(directory) === joined) return;
        joined = open(directory);
        if (joined === null) return;
        joined.listeners.set(name, (joined.listeners.get(name) ?? []).concat(soon.call));
      };
      revive();
      return {
        revive,
        stop: () => {
          soon.cancel();
          if (joined === null) return;
          const others = (joined.listeners.get(name) ?? []).filter((listener) => listener !== soon.call);
          if (others.length > 0) joined.listeners.set(name, others);
          else joined.listeners.delete(name);
          close(directory, joined);
          joined = null;
        },
      };
    },
  };
}

/** @returns null when this directory cannot be watched */
function openWatch(
  directory: string,
  on: { readonly onEvent: (name: string | null) => void; readonly onGone: () => void },
): Watched | null {
  try {
    const watcher = watch(directory, { persistent: false });
    watcher.on('error', on.onGone);
    watcher.on('change', (kind, name) => {
      const text = name === null ? null : String(name);
      // The directory itself was moved or removed: the watch stays with what is no longer there.
      if (kind === 'rename' && text === basename(directory)) on.onGone();
      else on.onEvent(text);
    });
    return { watcher, listeners: new Map() };
  } catch (error) {
    if (error instanceof Error && 'code' in error) return null;
    throw error;
  }
}

/** @param name null: it may be any of them */
function tell(watched: Watched | null, name: string | null): void {
  const told = name === null ? [...(watched?.listeners.values() ?? [])].flat() : (watched?.listeners.get(name) ?? []);
  for (const call of told) call();
}

/** Gathers calls: one for all within `ms`, made at their end. */
function oncePer(ms: number, act: () => void): { readonly call: () => void; readonly cancel: () => void } {
  let timer: NodeJS.Timeout | null = null;
  return {
    call: () => {
      timer ??= setTimeout(() => {
        timer = null;
        act();
      }, ms);
      timer.unref();
    },
    cancel: () => {
      if (timer !== null) clearTimeout(timer);
      timer = null;
    },
  };
}

// A writer makes several events of one change; nobody notices a delay this short.
const GATHER_MS = 50;

// Most systems allow 8,192 for everything that a person runs; credentials seldom lie in more than ten directories.
const WATCHES_MAX = 256;
