/**
 * Who reads which credential, and the generation each has: for people who wait for the last one to follow.
 *
 * Rule: names and numbers only. What is sent to subscribers is known by the hub; kept here is what consumers said of
 * themselves, a bounded number of entries, the longest silent forgotten first.
 */
import type { Generation, MonotonicMs } from '../core/token.ts';
import type { DaemonPort } from '../daemon/ports.ts';
import type { Events } from './events.ts';
import type { ConsumerBody, ConsumersBody } from './protocol.ts';

export interface Consumers {
  /** A named consumer read a token, and said which one it had. */
  noteRead(consumer: string, credential: string, read: ReadNote): void;
  /** Forgets a consumer of which the last subscription ended: it reads no more, or comes back and says so. */
  forget(consumer: string): void;
  /** @param looks how many consumers may still be looked at in this answer */
  summary(credential: string, looks: { left: number }): ConsumersBody | null;
  detail(credential: string): ConsumersBody & { readonly each: readonly ConsumerBody[] };
}

export interface ReadNote {
  readonly sent: Generation | null;
  readonly acknowledged: Generation | null;
}

export function createConsumers(daemon: DaemonPort, events: Pick<Events, 'count' | 'readersOf'>): Consumers {
  const notes = createNotes();

  function bodiesOf(credential: string): ConsumerBody[] {
    const { monotonicMs } = daemon.now();
    const bodies: ConsumerBody[] = [];
    const known = notes.of(credential);
    const seen = new Set<string>();
    for (const { consumer, sent } of events.readersOf(credential)) {
      if (consumer !== null && seen.has(consumer)) continue;
      if (consumer !== null) seen.add(consumer);
      const acknowledged = (consumer === null ? null : known?.get(consumer)?.acknowledged) ?? null;
      bodies.push({ consumer, subscribed: true, sent, acknowledged });
    }
    for (const [consumer, { sent, acknowledged, at }] of known ?? []) {
      const isSilent = monotonicMs - at > SILENCE_MS_MAX;
      if (seen.has(consumer) || isSilent) continue;
      bodies.push({ consumer, subscribed: false, sent, acknowledged });
    }
    return bodies;
  }

  function bodyOf(credential: string, bodies: readonly ConsumerBody[]): ConsumersBody {
    const behind = bodies.filter((body) => isBehind(daemon, credential, body));
    const counts = new Map<Generation | null, number>();
    for (const generation of behind.map(generationOf)) counts.set(generation, (counts.get(generation) ?? 0) + 1);
    const rows = [...counts].map(([generation, consumers]) => ({ generation, consumers }));
    const oldestFirst = rows.sort((a, b) => (a.generation ?? 0) - (b.generation ?? 0));
    return { total: bodies.length, behind: behind.length, behind_on: oldestFirst.slice(0, BEHIND_ON_MAX) };
  }

  return {
    noteRead(consumer, credential, { sent, acknowledged }) {
      const before = notes.of(credential)?.get(consumer);
      notes.put(credential, consumer, {
        sent: sent ?? before?.sent ?? null,
        acknowledged: acknowledged ?? before?.acknowledged ?? null,
        at: daemon.now().monotonicMs,
      });
    },
    forget: notes.forget,
    summary(credential, looks) {
      looks.left -= events.count + (notes.of(credential)?.size ?? 0);
      return looks.left < 0 ? null : bodyOf(credential, bodiesOf(credential));
    },
    detail(credential) {
      const bodies = bodiesOf(credential);
      const behindFirst = bodies.toSorted(
        (a, b) => Number(isBehind(daemon, credential, b)) - Number(isBehind(daemon, credential, a)),
      );
      return { ...bodyOf(credential, bodies), each: behindFirst.slice(0, EACH_MAX) };
    },
  };
}

interface Note extends ReadNote {
  readonly at: MonotonicMs;
}

/** Per credential and consumer, the longest silent first; their number is limited. */
function createNotes() {
  const notes = new Map<string, Map<string, Note>>();
  let count = 0;

  function remove(credential: string, consumer: string): void {
    const known = notes.get(credential);
    if (known?.delete(consumer) !== true) return;
    count -= 1;
    if (known.size === 0) notes.delete(credential);
  }

  function removeFirst(credential: string): void {
    const [longestSilent] = notes.get(credential)?.keys() ?? [];
    if (longestSilent !== undefined) remove(credential, longestSilent);
  }

  return {
    of: (credential: string): ReadonlyMap<string, Note> | undefined => notes.get(credential),
    put(credential: string, consumer: string, note: Note): void {
      remove(credential, consumer);
      if ((notes.get(credential)?.size ?? 0) >= NOTES_PER_CREDENTIAL) removeFirst(credential);
      const [another] = count < NOTES_MAX ? [] : notes.keys();
      if (another !== undefined) removeFirst(another);
      const known = notes.get(credential) ?? new Map<string, Note>();
      notes.set(credential, known.set(consumer, note));
      count += 1;
    },
    forget(consumer: string): void {
      for (const credential of [...notes.keys()]) remove(credential, consumer);
    },
  };
}

/** What it says it has; one that never says so has what it was given. */
const generationOf = ({ sent, acknowledged }: ConsumerBody): Generation | null => acknowledged ?? sent;

/** Of a credential or a chain; null: there is no token. */
export function presentGeneration({ state, chains }: DaemonPort, name: string): Generation | null {
  const chain = chains.state(name);
  return chain === undefined ? (state(name)?.held?.generation ?? null) : chain.inUse && chain.generation;
}

function isBehind(daemon: DaemonPort, credential: string, body: ConsumerBody): boolean {
  const present = presentGeneration(daemon, credential);
  return present !== null && generationOf(body) !== present;
}

/** A name in a read is a claim, and names are cheap: some megabytes are all that a flood of them may cost. */
const NOTES_MAX = 50_000;
const NOTES_PER_CREDENTIAL = 10_000;

/** One that reads once an hour is a consumer; one that has not for longer has ended, or takes another way. */
const SILENCE_MS_MAX = 3_600_000;

/** Whoever is further apart than this is no matter of a few seconds. */
const BEHIND_ON_MAX = 8;

/** More names than this are a list for machines, which have the metrics. */
const EACH_MAX = 100;
