/**
 * What the journal keeps of an attempt: its beginning, its process, its answer, and that it is over.
 *
 * Rule: writes of one attempt follow each other, and each is bounded. None throws but the first, without which nothing is sent.
 */
import type { Effect } from '../core/effect.ts';
import type { OpenAttempt } from './attempt-steps.ts';
import { describeBug } from './bug.ts';
import type { ManagedCredential } from './credential.ts';
import { type JournalEntry, type JournalPort, type LogPort, PortError } from './ports.ts';
import { within } from './time-limit.ts';

type EffectOf<T extends Effect['type']> = Extract<Effect, { type: T }>;

export interface AttemptRecordsOptions {
  readonly journal: JournalPort;
  readonly credential: (name: string) => ManagedCredential | undefined;
  readonly log: LogPort;
  /** From leaving the line to the journal; also each later step but the refresh itself. */
  readonly stepLimitMs: number;
}

export class AttemptRecords {
  readonly #options: AttemptRecordsOptions;

  constructor(options: AttemptRecordsOptions) {
    this.#options = options;
  }

  /** @throws what the journal throws */
  write(open: OpenAttempt, entry: JournalEntry): Promise<void> {
    const write = open.journal.then(() => this.#options.journal.write(open.credential.name, entry));
    open.journal = write.catch(() => undefined);
    return write;
  }

  noteProcess(open: OpenAttempt, process: JournalEntry['process']): void {
    if (open.entry === null || open.closed) return;
    open.entry = { ...open.entry, process };
    // Not waited for: the run is under way, and a journal that fails here only makes a later search for its process harder.
    void this.codeOf(open.credential.name, this.write(open, open.entry), 'run_refresh');
  }

  /** @returns null when the answer is recorded, else the code of what kept it from that */
  async writeAnswer(open: OpenAttempt | null, { answer }: EffectOf<'record_answer'>): Promise<string | null> {
    if (open === null || open.entry === null) return 'journal_failed';
    if (answer.response === null) return null;
    const write = this.write(open, { ...open.entry, response: answer.response });
    return this.codeOf(open.credential.name, write, 'record_answer');
  }

  /** @param open null: it is that of a life before this one */
  async end(name: string, open: OpenAttempt | null, effect: EffectOf<'close_attempt'>): Promise<void> {
    const { attempt, journal } = effect;
    if (journal === 'keep') return;
    const { journal: port, log } = this.#options;
    const work = (open?.journal ?? Promise.resolve()).then(async () => {
      if (journal === 'set_aside') return port.setAside(name);
      await this.#syncUnlessOurs(name, open);
      return port.empty(name);
    });
    const code = await this.codeOf(name, work, 'close_attempt');
    if (code !== null) log.write('warn', 'journal_not_emptied', { credential: name, attempt, code });
    else if (journal === 'set_aside') log.write('warn', 'answer_set_aside', { credential: name, attempt });
  }

  /** What should stay is remembered by its fingerprint, and asked to be forgotten again at the next start. */
  async forgetSetAside(name: string): Promise<void> {
    const { journal, log } = this.#options;
    const code = await this.codeOf(name, journal.forgetSetAside(name), 'forget_set_aside');
    if (code !== null) log.write('warn', 'journal_not_emptied', { credential: name, code });
  }

  /** Null when the work was done in time; else why not. A bug is in the log. */
  async codeOf(credential: string, work: Promise<void>, during: Effect['type']): Promise<string | null> {
    const { log, stepLimitMs } = this.#options;
    try {
      return (await within(work, stepLimitMs)) === 'timed_out' ? 'timed_out' : null;
    } catch (error) {
      if (error instanceof PortError) return error.code;
      log.write('error', 'internal_error', { credential, during, ...describeBug(error) });
      return 'internal_error';
    }
  }

  /** What the process before this one wrote, or a tool, may not be on the disk yet; then the journal is all there is. */
  async #syncUnlessOurs(name: string, open: OpenAttempt | null): Promise<void> {
    const credential = open?.credential ?? this.#options.credential(name);
    if (credential !== undefined && (open === null || credential.policy.resultInStore)) {
      await credential.parts.store.sync?.();
    }
  }
}
