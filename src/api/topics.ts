/**
 * What there is to push: per credential and chain its newest token and how it stands, as text, in the order in which they last changed.
 *
 * Rule: only the newest of each is kept, so that whoever is late gets the latest and never a backlog. A change has one
 * number; whoever has seen number n is told of every credential that changed after n, and misses nothing by it.
 */
import type { Generation } from '../core/token.ts';
import type { DaemonPort } from '../daemon/ports.ts';
import { lookAt, removed, type Seen } from './topic-sources.ts';

/** One credential or chain, as subscribers know it. */
export interface Topic {
  readonly name: string;
  /** Number of its last change. */
  readonly seq: number;
  /** Whose token is among the frames; null: there is none. */
  readonly source: string | null;
  /** How it stands as a frame, for whoever may not have the token. */
  readonly withoutToken: string;
  /** Token and standing as frames, for whoever was not there at the last change. */
  readonly state: string;
  /** What the last change changed, as frames. */
  readonly change: string;
  /** The latest alerts as frames, and the number of the change that brought them. */
  readonly alerts: string;
  readonly alertsSeq: number;
  readonly isRemoved: boolean;
}

export interface Topics {
  /** Number of the last change of all. */
  readonly lastSeq: number;
  /** Something of this credential or chain may have changed. */
  touch(name: string): void;
  /** Everybody is to be told of it anew, though nothing of it has changed. */
  retell(name: string): void;
  /** Looks at all that were touched. @returns those that changed, in the order of their numbers */
  update(): readonly Topic[];
  /** Those that changed after `seq`, in the order of their numbers; for 0 all that are there. */
  after(seq: number): Iterable<Topic>;
  /** The number in a `Last-Event-ID` of ours from which one can go on; null: begin anew. */
  resumable(eventId: string | undefined): number | null;
  /** `id:` of everything up to that number. */
  eventId(seq: number): string;
  /** Whose token is told under that name; null: there is none. */
  sourceOf(name: string): string | null;
  /** The generation that whoever has seen `seq` was last given; null: none, or too long ago. */
  generationAt(name: string, seq: number): Generation | null;
}

interface Entry extends Topic {
  /** What was last said, to compare with. */
  readonly kind: Seen['kind'];
  readonly token: string | null;
  readonly standing: string;
  readonly alertIds: ReadonlySet<string>;
  /** Newest last. */
  readonly generations: readonly { readonly seq: number; readonly generation: Generation }[];
}

export function createTopics(daemon: DaemonPort): Topics {
  return new ChangedTopics(daemon);
}

class ChangedTopics implements Topics {
  readonly #daemon: DaemonPort;
  /** Told apart from the numbers of an earlier process by its start. */
  readonly #epoch: string;
  /** In the order of their numbers: a change puts an entry at the end. */
  readonly #entries = new Map<string, Entry>();
  #touched = new Set<string>();
  #removed = 0;
  #lastSeq = 0;
  /** What was forgotten had numbers up to this one. */
  #forgottenSeq = 0;

  constructor(daemon: DaemonPort) {
    this.#daemon = daemon;
    this.#epoch = daemon.startedAt.toString(36);
  }

  get lastSeq(): number {
    return this.#lastSeq;
  }

  touch(name: string): void {
    this.#touched.add(name);
  }

  retell(name: string): void {
    const known = this.#entries.get(name);
    if (known === undefined) return;
    this.#entries.set(name, { ...known, token: null, standing: '' });
    this.touch(name);
  }

  update(): readonly Topic[] {
    const changed: Topic[] = [];
    const touched = this.#touched;
    this.#touched = new Set();
    for (const name of touched) {
      const before = this.#entries.get(name);
      const after = this.#look(name, before);
      if (after === null) continue;
      this.#lastSeq = after.seq;
      this.#removed += Number(after.isRemoved) - Number(before?.isRemoved ?? false);
      this.#entries.delete(name);
      this.#entries.set(name, after);
      changed.push(after);
    }
    this.#forget();
    return changed;
  }

  *after(seq: number): Iterable<Topic> {
    for (const entry of this.#entries.values()) {
      const isNews = entry.seq > seq && !(seq === 0 && entry.isRemoved);
      if (isNews) yield entry;
    }
  }

  resumable(eventId: string | undefined): number | null {
    const [epoch, number] = eventId?.split('-') ?? [];
    if (epoch !== this.#epoch || number === undefined || !/^\d{1,15}$/.test(number)) return null;
    const seq = Number(number);
    return seq >= this.#forgottenSeq && seq <= this.#lastSeq && seq > 0 ? seq : null;
  }

  eventId(seq: number): string {
    return `${this.#epoch}-${seq}`;
  }

  sourceOf(name: string): string | null {
    return this.#entries.get(name)?.source ?? null;
  }

  generationAt(name: string, seq: number): Generation | null {
    return this.#entries.get(name)?.generations.findLast((known) => known.seq <= seq)?.generation ?? null;
  }

  /** @returns null when nothing changed */
  #look(name: string, before: Entry | undefined): Entry | null {
    const seen = lookAt(this.#daemon, name);
    if (seen !== null) return this.#entry(name, before, seen);
    return before === undefined || before.isRemoved ? null : this.#entry(name, before, removed(name, before.kind));
  }

  #entry(name: string, before: Entry | undefined, seen: Seen): Entry | null {
    const { kind, source, token, standing, generation, isRemoved } = seen;
    const news = seen.alerts.filter(({ id }) => before !== undefined && !before.alertIds.has(id));
    const isSame = token === before?.token && standing === before?.standing && news.length === 0;
    if (isSame) return null;
    const seq = this.#lastSeq + 1;
    const known = before?.generations ?? [];
    const isNewGeneration = generation !== null && generation !== known.at(-1)?.generation;
    // The number stands in the last event only: who lost the connection in between is told the whole again.
    const standingFrame = `event: ${kind}\nid: ${this.eventId(seq)}\ndata: ${standing}\n\n`;
    const tokenFrame = token === null ? '' : `event: token\ndata: ${token}\n\n`;
    const alertFrames = news.map(({ data }) => `event: alert\ndata: ${data()}\n\n`).join('');
    return {
      name,
      seq,
      kind,
      source,
      token,
      standing,
      alertIds: new Set(seen.alerts.map(({ id }) => id)),
      generations: isNewGeneration ? [...known, { seq, generation }].slice(-GENERATIONS_KEPT) : known,
      isRemoved,
      alerts: alertFrames === '' ? (before?.alerts ?? '') : alertFrames,
      alertsSeq: alertFrames === '' ? (before?.alertsSeq ?? 0) : seq,
      withoutToken: standingFrame,
      state: tokenFrame + standingFrame,
      change: alertFrames + (token === before?.token ? '' : tokenFrame) + standingFrame,
    };
  }

  #forget(): void {
    for (const entry of this.#removed > REMOVED_KEPT ? this.#entries.values() : []) {
      if (!entry.isRemoved) continue;
      this.#entries.delete(entry.name);
      this.#removed -= 1;
      this.#forgottenSeq = Math.max(this.#forgottenSeq, entry.seq);
      if (this.#removed <= REMOVED_KEPT) return;
    }
  }
}

/** Who resumes is told of what a reload took out; who was away for that many removals begins anew. */
const REMOVED_KEPT = 1_000;

/** To say which one a subscriber that reads slowly still has; one that is further behind is about to be dropped. */
const GENERATIONS_KEPT = 8;
