/**
 * A gate that lets a limited number of pieces of work through at once, in the order they came.
 *
 * Rule: what bounds the count is the gate, what bounds the time is the work's own limit; a gate never gives up on anybody.
 */

export interface Gate {
  /** Runs the work when there is room; rejects as it does. */
  run<T>(work: () => Promise<T>): Promise<T>;
}

/** @param room how many may be inside at once, at least 1 */
export function createGate(room: number): Gate {
  let inside = 0;
  const waiting: (() => void)[] = [];
  return {
    async run(work) {
      if (inside >= room) await new Promise<void>((enter) => waiting.push(enter));
      else inside += 1;
      try {
        return await work();
      } finally {
        // The place is handed on, not given back, so that nobody slips in between.
        const next = waiting.shift();
        if (next === undefined) inside -= 1;
        else next();
      }
    },
  };
}
