/**
 * Listeners by event, called in the order in which they came.
 *
 * Rule: one that throws is a bug of its program and ends up where such bugs do; the others and the client go on.
 */
export interface Listeners<Details> {
  /** @returns how to stop listening */
  on<Name extends keyof Details>(event: Name, listener: (detail: Details[Name]) => void): () => void;
  emit<Name extends keyof Details>(event: Name, detail: Details[Name]): void;
  /** To the listeners of every event. */
  emitAll(detail: Details[keyof Details]): void;
}

export function createListeners<Details>(): Listeners<Details> {
  // Typed by the two functions that put in and take out.
  const listeners = new Map<keyof Details, Set<(detail: never) => void>>();

  function call(called: ReadonlySet<(detail: never) => void> | undefined, detail: unknown): void {
    for (const listener of [...(called ?? [])]) {
      try {
        listener(detail as never);
      } catch (error) {
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }

  return {
    on(event, listener) {
      const others = listeners.get(event) ?? new Set();
      // The same function twice is two listeners.
      const own = (detail: never): void => listener(detail);
      listeners.set(event, others.add(own));
      return () => {
        others.delete(own);
        if (others.size === 0 && listeners.get(event) === others) listeners.delete(event);
      };
    },
    emit: (event, detail) => call(listeners.get(event), detail),
    emitAll(detail) {
      for (const called of [...listeners.values()]) call(called, detail);
    },
  };
}
