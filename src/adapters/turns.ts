/**
 * Turns: jobs under one key run one after the other, whatever becomes of each; those of different keys do not wait.
 *
 * Rule: nothing is kept once nobody waits.
 */

export type InTurn = <T>(key: string, job: () => Promise<T>) => Promise<T>;

export function createTurns(): InTurn {
  const last = new Map<string, Promise<void>>();
  return (key, job) => {
    const turn = (last.get(key) ?? Promise.resolve()).then(job);
    // The next in line waits for this one's end, whichever it is; its error goes to its own caller.
    const ended = turn.then(
      () => undefined,
      () => undefined,
    );
    last.set(key, ended);
    void ended.then(() => last.get(key) === ended && last.delete(key));
    return turn;
  };
}
