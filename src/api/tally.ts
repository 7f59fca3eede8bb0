/**
 * Many events of one kind as few records: the first of each at once, those after it as a count.
 *
 * Rule: neither the table nor the log grows with the number of events; what does not fit is counted together.
 */
import type { LogLevel, LogPort } from '../daemon/ports.ts';
import type { Timers } from './timers.ts';

type Fields = Readonly<Record<string, string | number | null>>;

export interface Tally {
  /** @param key what counts as the same; `fields` is called for the first of them */
  note(key: string, fields: () => Fields): void;
  /** Writes what is still only counted, and ends. */
  close(): void;
}

export interface TallyOptions {
  readonly event: string;
  readonly level: LogLevel;
  readonly log: LogPort;
  readonly timers: Timers;
}

/** Each record has a `count`: how many of them since the one before. */
export function createTally({ event, level, log, timers }: TallyOptions): Tally {
  let counted = new Map<string, { readonly fields: Fields; count: number }>();
  const write = (): void => {
    for (const { fields, count } of counted.values()) if (count > 0) log.write(level, event, { ...fields, count });
  };
  const stop = timers.every(INTERVAL_MS, () => {
    write();
    // Those that went on are told again after the next interval, not anew at once.
    counted = new Map(
      [...counted].filter(([, { count }]) => count > 0).map(([key, { fields }]) => [key, { fields, count: 0 }]),
    );
  });

  return {
    note(key, fields) {
      const known = counted.get(key) ?? (counted.size < KEYS_MAX ? undefined : counted.get(OTHERS));
      if (known !== undefined) {
        known.count += 1;
        return;
      }
      const isOther = counted.size >= KEYS_MAX;
      const first = isOther ? { others: 'too many to be told apart' } : fields();
      counted.set(isOther ? OTHERS : key, { fields: first, count: 0 });
      log.write(level, event, { ...first, count: 1 });
    },
    close() {
      stop();
      write();
    },
  };
}

/** Long enough for a log that is kept for a year, short enough to say when. */
const INTERVAL_MS = 600_000;

/** Readers times credentials that one person could still look through. */
const KEYS_MAX = 256;

/** No key of a caller is empty. */
const OTHERS = '';
