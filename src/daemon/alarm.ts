/**
 * The waiting deadlines of all credentials, earliest first: an indexed binary heap keyed by monotonic time.
 *
 * Rule: one entry per name; every change costs O(log n), the look at the earliest O(1), so that ten thousand credentials
 * make a wake-up no dearer than one.
 */

export interface Deadline {
  readonly name: string;
  /** Monotonic ms. */
  readonly at: number;
}

export interface DeadlineHeap {
  /** Sets or moves the deadline of that name. */
  set(name: string, at: number): void;
  delete(name: string): void;
  earliest(): Deadline | null;
}

export function createDeadlineHeap(): DeadlineHeap {
  const entries: Deadline[] = [];
  const places = new Map<string, number>();

  return {
    set(name, at) {
      const place = places.get(name) ?? entries.length;
      put(place, { name, at });
      restore(place);
    },
    delete(name) {
      const place = places.get(name);
      if (place === undefined) return;
      places.delete(name);
      const last = entries.pop();
      if (last === undefined || last.name === name) return;
      put(place, last);
      restore(place);
    },
    earliest: () => entries[0] ?? null,
  };

  function put(place: number, entry: Deadline): void {
    entries[place] = entry;
    places.set(entry.name, place);
  }

  /** Moves the entry at `place` up or down to where it belongs. */
  function restore(place: number): void {
    const entry = entries[place];
    if (entry === undefined) return;
    let hole = place;
    for (let above = (hole - 1) >> 1; hole > 0; above = (hole - 1) >> 1) {
      const parent = entries[above];
      if (parent === undefined || parent.at <= entry.at) break;
      put(hole, parent);
      hole = above;
    }
    for (let below = earlierChild(hole); below !== null; below = earlierChild(hole)) {
      const child = entries[below];
      if (child === undefined || child.at >= entry.at) break;
      put(hole, child);
      hole = below;
    }
    put(hole, entry);
  }

  function earlierChild(place: number): number | null {
    const left = place * 2 + 1;
    const first = entries[left];
    if (first === undefined) return null;
    const second = entries[left + 1];
    return second !== undefined && second.at < first.at ? left + 1 : left;
  }
}
