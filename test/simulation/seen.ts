/**
 * What a world has met, by kind: so that a run can be asked what it never showed.
 *
 * Rule: counting only; nothing that happens depends on it.
 */
import type { CrashKind, CrashPlace } from './crashes.ts';

/** All kinds that a run of some hundred seeds must have met. */
const KINDS = {
  method: ['oauth', 'script', 'tool', 'follow'],
  server: ['rotates, with grace', 'rotates, without grace', 'keeps its token', 'clock apart'],
  /** Met by a request, or by a connection that was tried. */
  weather: ['outage', 'lossy', 'slow', 'wrong', 'odd', 'limiting', 'misconfigured'],
  trip: ['arrived', 'request_lost', 'answer_lost', 'given_up'],
  outcome: ['family lost by reuse', 'answered within its grace'],
  clock: ['suspend', 'stall', 'set forward', 'set back', 'set far away', 'put right'],
  /** An operation failed of it. */
  disk: ['ENOSPC', 'EROFS', 'EIO', 'EACCES', 'EMFILE'],
  others: ['foreign refresh', 'login', 'restore', 'blank', 'tear', 'remove', 'reload', 'refresh', 'force', 'restart'],
  /** Of a chain: reads that were served, and who followed whom. */
  chain: ['read', 'fallback', 'back'],
  script: ['hangs at its start', 'hangs at its end', 'ignores SIGTERM', 'dies half-way'],
} as const;

/** Where the daemon can die: a call of the disk by its name, a timer by its purpose, a stage of a request or of a script. */
const CRASH_POINTS = {
  timer: ['timer', 'wait', 'immediate', 'time limit'],
  request: ['connected', 'sent', 'taken', 'answered', 'broken'],
  script: ['started', 'ended'],
  life: ['start', 'out of the blue'],
} as const;

type Groups = typeof KINDS;

export class Seen {
  /** By group and kind. */
  readonly counts: Record<string, number> = {};

  note<Group extends keyof Groups>(group: Group, kind: Groups[Group][number]): void {
    this.#add(`${group}: ${kind}`);
  }

  /** A moment at which the daemon could have died. */
  passed(point: string): void {
    this.#add(`moment: ${point}`);
  }

  died(point: string, how: CrashKind | CrashPlace): void {
    this.#add(`crash: ${point}, ${how}`);
  }

  #add(key: string): void {
    this.counts[key] = (this.counts[key] ?? 0) + 1;
  }
}

type Counts = Readonly<Record<string, number>>;

export function addCounts(sums: Record<string, number>, counts: Counts): void {
  for (const [key, count] of Object.entries(counts)) sums[key] = (sums[key] ?? 0) + count;
}

/** What of {@link KINDS} was never met, and where the daemon never died in one way or the other. */
export function neverSeen(counts: Counts): readonly string[] {
  const kinds = Object.entries(KINDS).flatMap(([group, names]) => names.map((name) => `${group}: ${name}`));
  const deaths = pointsOf(counts).flatMap((point) =>
    [...ENDS, ...(point.startsWith('disk ') ? PLACES : [])].map((how) => `crash: ${point}, ${how}`),
  );
  return [...kinds, ...deaths].filter((key) => (counts[key] ?? 0) === 0);
}

/** A line for each group of kinds, and of crash points: how often, and of that how often with the power. */
export function seenInWords(counts: Counts): string {
  const count = (key: string): number => counts[key] ?? 0;
  const kinds = Object.entries(KINDS).map(
    ([group, names]) => `${group}: ${names.map((name) => `${name} ${count(`${group}: ${name}`)}`).join(', ')}`,
  );
  const groups = new Map<string, string[]>();
  let [deaths, powerFailures] = [0, 0];
  for (const point of pointsOf(counts)) {
    const [group = '', ...name] = point.split(' ');
    const [killed, unpowered] = ENDS.map((end) => count(`crash: ${point}, ${end}`)) as [number, number];
    deaths += killed + unpowered;
    powerFailures += unpowered;
    groups.set(group, [...(groups.get(group) ?? []), `${name.join(' ')} ${killed}+${unpowered}`]);
  }
  return [
    ...kinds,
    `crashes: ${deaths}, of these ${powerFailures} with the loss of what was not synced`,
    ...[...groups].map(([group, points]) => `crashes, ${group}: ${points.join(', ')}`),
  ].join('\n');
}

/** Those that must be, and whatever else a daemon came by. */
function pointsOf(counts: Counts): readonly string[] {
  const required = Object.entries(CRASH_POINTS).flatMap(([group, names]) => names.map((name) => `${group} ${name}`));
  const passed = Object.keys(counts).flatMap((key) => (key.startsWith(MOMENT) ? [key.slice(MOMENT.length)] : []));
  return [...new Set([...required, ...passed.sort()])];
}

const MOMENT = 'moment: ';
const ENDS: readonly CrashKind[] = ['process', 'power'];
const PLACES: readonly CrashPlace[] = ['before', 'middle', 'after'];
