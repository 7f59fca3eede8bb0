/**
 * How much one reader may ask for: a bucket of units for each, filled at a constant rate.
 *
 * Rule: generous. Nobody who reads tokens meets it; it keeps a loop gone wild from taking the whole daemon.
 */
import type { MonotonicMs } from '../core/token.ts';

export interface Throttle {
  /** @returns null when it may go on, else how long it should wait, in ms */
  charge(reader: string, cost: number, now: MonotonicMs): number | null;
}

interface Bucket {
  units: number;
  at: MonotonicMs;
}

/** @param unitsMax what a bucket holds at most, and at first */
export function createThrottle(unitsMax: number): Throttle {
  /** Those known longest first. */
  const buckets = new Map<string, Bucket>();
  return {
    charge(reader, cost, now) {
      let bucket = buckets.get(reader);
      if (bucket === undefined) {
        bucket = { units: unitsMax, at: now };
        buckets.set(reader, bucket);
        const [first] = buckets.size > READERS_MAX ? buckets.keys() : [];
        if (first !== undefined) buckets.delete(first);
      }
      bucket.units = Math.min(unitsMax, bucket.units + (now - bucket.at) * UNITS_PER_MS);
      bucket.at = now;
      if (bucket.units < cost) return (cost - bucket.units) / UNITS_PER_MS;
      bucket.units -= cost;
      return null;
    },
  };
}

/** A read of a token takes microseconds; every other call is worth a hundred of them. */
export const READ_COST = 1;
export const CALL_COST = 100;

/** For ever 20,000 reads a second, or 200 other calls. */
const UNITS_PER_MS = 20;

/** Processes of one machine that talk to us; whoever is forgotten begins with a full bucket. */
const READERS_MAX = 4_096;
