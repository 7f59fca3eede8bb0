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
  readonly listeners: Map<string, readonly FileInDirectory[]>;
}

/** @param options `watchesMax`: directories at once */
export function createDirectoryWatches(options: { readonly watchesMax?: number } = {}): DirectoryWatches {
  const directories = new Directories(options.watchesMax ?? WATCHES_MAX);
  return {
    add: (path, onChange) => {
      const file = new FileInDirectory(directories, path, onChange);
      file.revive();
      return file;
    },
  };
}

class Directories {
  readonly #watchesMax: number;
  readonly #open = new Map<string, Watched>();

  constructor(watchesMax: number) {
    this.#watchesMax = watchesMax;
  }

  isOpen(directory: string, watched: Watched): boolean {
    return this.#open.get(directory) === watched;
  }

  open(directory: string): Watched | null {
    const known = this.#open.get(directory);
    if (known !== undefined) return known;
    if (this.#open.size >= this.#watchesMax) return null;
    const watched = openWatch(directory, {
      onEvent: (name) => tell(watched, name),
      onGone: () => {
        if (watched !== null && this.isOpen(directory, watched)) this.#open.delete(directory);
        watched?.watcher.close();
        // Whatever ended it may have changed the file too.
        tell(watched, null);
      },
    });
    if (watched !== null) this.#open.set(directory, watched);
    return watched;
  }

  closeUnlessUsed(directory: string, watched: Watched): void {
    if (watched.listeners.size > 0 || !this.isOpen(directory, watched)) return;
    this.#open.delete(directory);
    watched.watcher.close();
  }
}

/** Of a class, not of closures: each credential has one, and ten thousand of them are to stay small. */
class FileInDirectory implements WatchedFile {
  readonly #directories: Directories;
  readonly #directory: string;
  readonly #name: string;
  readonly #onChange: () => void;
  #joined: Watched | null = null;
  /** Gathers changes: one call for all within its time, made at its end. */
  #timer: NodeJS.Timeout | null = null;

  constructor(directories: Directories, path: string, onChange: () => void) {
    this.#directories = directories;
    this.#directory = dirname(path);
    this.#name = basename(path);
    this.#onChange = onChange;
  }

  revive(): void {
    if (this.#joined !== null && this.#directories.isOpen(this.#directory, this.#joined)) return;
    const joined = this.#directories.open(this.#directory);
    this.#joined = joined;
    joined?.listeners.set(this.#name, (joined.listeners.get(this.#name) ?? []).concat(this));
  }

  changed(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      this.#onChange();
    }, GATHER_MS);
    this.#timer.unref();
  }

  stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    const joined = this.#joined;
    if (joined === null) return;
    this.#joined = null;
    const others = (joined.listeners.get(this.#name) ?? []).filter((file) => file !== this);
    if (others.length > 0) joined.listeners.set(this.#name, others);
    else joined.listeners.delete(this.#name);
    this.#directories.closeUnlessUsed(this.#directory, joined);
  }
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
  for (const file of told) file.changed();
}

// A writer makes several events of one change; nobody notices a delay this short.
const GATHER_MS = 50;

// Most systems allow 8,192 for everything that a person runs; credentials seldom lie in more than ten directories.
const WATCHES_MAX = 256;
