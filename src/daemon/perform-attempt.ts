/**
 * Performs the effects of an attempt: wait in line, lock, re-read, journal, run, record, persist, unlock.
 *
 * Rule: whoever opens it closes it. An attempt that does not come as far as `attempt_recorded` is released here; from then
 * on slot and store lock are held until `close_attempt`, or until the credential's next attempt begins. Every effect is
 * answered by exactly one event, also when a port throws (`internal_error`) or hangs.
 */
import type { AttemptReason, Effect } from '../core/effect.ts';
import type { Event } from '../core/event.ts';
import { lifeLeftMs } from '../core/schedule.ts';
import type { CredentialState } from '../core/state.ts';
import { AttemptRecords, type AttemptRecordsOptions } from './attempt-records.ts';
import {
  commitAnswer,
  failedWith,
  lockAgain,
  lockFailure,
  type OpenAttempt,
  prepareAttempt,
  type StepTools,
} from './attempt-steps.ts';
import { describeBug } from './bug.ts';
import { unsent } from './failures.ts';
import { createHangs, type Hangs } from './hangs.ts';
import type { WaitingLine } from './line.ts';
import { type ClockPort, type JournalEntry, PortError } from './ports.ts';
import { runRefresh } from './run-refresh.ts';

type EffectOf<T extends Effect['type']> = Extract<Effect, { type: T }>;

export interface AttemptsOptions extends StepTools, AttemptRecordsOptions {
  readonly state: (name: string) => CredentialState | undefined;
  /** An attempt of the process before this one may still be sending. */
  readonly isReconciling: (name: string) => boolean;
  readonly report: (credential: string, event: Event) => void;
  readonly line: WaitingLine;
}

export class Attempts {
  readonly #options: AttemptsOptions;
  readonly #tools: Parameters<typeof prepareAttempt>[2];
  readonly #records: AttemptRecords;
  /** Steps that still keep a thread: no second one is begun beside it. */
  readonly #hangs: Hangs;
  readonly #open = new Map<string, OpenAttempt>();

  constructor(options: AttemptsOptions) {
    this.#options = options;
    this.#records = new AttemptRecords(options);
    this.#hangs = createHangs(options.stepLimitMs);
    this.#tools = { ...options, write: (open, entry) => this.#records.write(open, entry) };
  }

  /** Does this credential hold anything for an attempt? */
  isOpen(name: string): boolean {
    return this.#open.has(name);
  }

  /** Answered by attempt_recorded | store_changed | token_missing | state_broken | refresh_failed. */
  async begin(name: string, effect: EffectOf<'begin_attempt'>): Promise<void> {
    const { attempt } = effect;
    const credential = this.#options.credential(name);
    const state = this.#options.state(name);
    if (credential === undefined || state === undefined) return;
    if (this.#options.isReconciling(name)) {
      this.#options.report(
        name,
        failedWith(
          attempt,
          unsent(
            'left_run_alive',
            'what an attempt before the start came to is not known yet; until then nothing is sent',
          ),
        ),
      );
      return;
    }
    if (!this.#hangs.mayBegin(name)) {
      this.#options.report(name, failedWith(attempt, unsent('store_busy', SILENT)));
      return;
    }
    if (effect.guarded) this.#options.log.write('info', 'guarded_attempt', { credential: name, attempt });
    await this.release(name);
    const place = this.#options.line.enter(urgencyOf(state, this.#options.clock));
    const open: OpenAttempt = {
      attempt,
      credential,
      leaveLine: place.leave,
      unlock: null,
      entry: null,
      found: null,
      tokens: null,
      closed: false,
      journal: Promise.resolve(),
    };
    this.#open.set(name, open);
    const event = (await place.turn)
      ? await this.#answer(open, prepareAttempt(open, effect, this.#tools))
      : failedWith(attempt, unsent('store_busy', 'the attempt was given up while it waited in line'));
    if (event.type !== 'attempt_recorded') await this.release(name, open);
    this.#options.report(name, event);
  }

  /** Answered by refresh_succeeded | refresh_failed | refresh_outcome_unknown. Its own time limit is the port's; the core has a back-stop. */
  async run(name: string, effect: { readonly attempt: number; readonly reason: AttemptReason }): Promise<void> {
    const { attempt, reason } = effect;
    const open = this.#current(name, attempt);
    if (open?.entry == null) {
      this.#options.report(name, failedWith(attempt, unsent('internal_error', 'the attempt is not open')));
      return;
    }
    const { runId } = open.entry;
    const onStarted = (process: JournalEntry['process']) => this.#records.noteProcess(open, process);
    try {
      const { credential, found, tokens } = open;
      const locking = { unlock: () => this.#unlock(open), lockAgain: () => lockAgain(open) };
      const run = { credential, attempt, reason, runId, found, tokens, onStarted, ...locking };
      this.#options.report(name, await runRefresh(run, this.#options));
    } catch (error) {
      // Whatever the bug is: something may have been sent, and may still run. The core has it ended.
      this.#logBug(name, 'run_refresh', error);
      this.#options.report(name, { type: 'refresh_outcome_unknown', attempt });
    }
  }

  cancel(name: string, attempt: number): void {
    const open = this.#current(name, attempt);
    open?.credential.parts.refresh?.cancel(attempt);
  }

  /** Answered by answer_recorded | answer_record_failed. */
  async record(name: string, effect: EffectOf<'record_answer'>): Promise<void> {
    const { attempt } = effect;
    const code = await this.#records.writeAnswer(this.#current(name, attempt), effect);
    this.#options.report(
      name,
      code === null ? { type: 'answer_recorded', attempt } : { type: 'answer_record_failed', attempt, code },
    );
  }

  /** Answered by persist_succeeded | persist_failed. Also comes after the attempt was closed, as a retry. */
  async persist(name: string, effect: EffectOf<'persist_token'>): Promise<void> {
    const { attempt } = effect;
    const open = this.#current(name, attempt);
    const credential = open?.credential ?? this.#options.credential(name);
    if (credential === undefined) return;
    const refused = (code: string): Event => ({ type: 'persist_failed', attempt, code, winner: null });
    if (this.#hangs.isHung(name)) {
      this.#options.report(name, refused('timed_out'));
      return;
    }
    try {
      const work = commitAnswer(credential, effect, { ...this.#options, isLocked: open?.unlock != null });
      const event = await this.#hangs.inTime(name, work);
      this.#options.report(name, event === 'timed_out' ? refused('timed_out') : event);
    } catch (error) {
      const code = error instanceof PortError ? error.code : 'internal_error';
      if (code === 'internal_error') this.#logBug(name, 'persist_token', error);
      else this.#options.log.write('warn', 'persist_refused', { credential: name, attempt, code, ...wordsOf(error) });
      this.#options.report(name, refused(code));
    }
  }

  async close(name: string, effect: EffectOf<'close_attempt'>): Promise<void> {
    const open = this.#current(name, effect.attempt);
    await this.#records.end(name, open, effect);
    if (open !== null) await this.release(name, open);
  }

  /** Unanswered. */
  forgetSetAside(name: string): Promise<void> {
    return this.#records.forgetSetAside(name);
  }

  /** Ends the run under way, whichever it is. */
  cancelAny(name: string): void {
    const open = this.#open.get(name);
    if (open !== undefined) this.cancel(name, open.attempt);
  }

  #current(name: string, attempt: number): OpenAttempt | null {
    const open = this.#open.get(name);
    return open?.attempt === attempt ? open : null;
  }

  /** Bounds the work, and makes an event of whatever it throws. */
  async #answer(open: OpenAttempt, work: Promise<Event>): Promise<Event> {
    try {
      const event = await this.#hangs.inTime(open.credential.name, work);
      return event === 'timed_out' ? failedWith(open.attempt, unsent('store_busy', SILENT)) : event;
    } catch (error) {
      if (!(error instanceof PortError)) {
        return failedWith(open.attempt, unsent('internal_error', this.#internal(open, 'begin_attempt', error)));
      }
      return failedWith(open.attempt, lockFailure(error));
    }
  }

  /** Gives back slot and lock. */
  async release(name: string, open = this.#open.get(name)): Promise<void> {
    if (open === undefined) return;
    open.closed = true;
    if (this.#open.get(name) === open) this.#open.delete(name);
    open.leaveLine();
    await this.#unlock(open);
    const { refresh } = open.credential.parts;
    if (refresh?.closed !== undefined) await this.#records.codeOf(name, refresh.closed(open.attempt), 'close_attempt');
  }

  async #unlock(open: OpenAttempt): Promise<void> {
    const { unlock, credential } = open;
    open.unlock = null;
    if (unlock !== null) await this.#records.codeOf(credential.name, unlock(), 'close_attempt');
  }

  #internal(open: OpenAttempt, during: string, error: unknown): string {
    this.#logBug(open.credential.name, during, error);
    return `a bug in freshd: see internal_error in the log`;
  }

  #logBug(credential: string, during: string, error: unknown): void {
    this.#options.log.write('error', 'internal_error', { credential, during, ...describeBug(error) });
  }
}

const wordsOf = (error: unknown) =>
  error instanceof PortError ? { detail: error.message, remedy: error.remedy } : { detail: null, remedy: null };

/** Life left; whoever holds nothing at all, or an expired token, goes before those that can wait. */
function urgencyOf(state: CredentialState, clock: ClockPort): number {
  if (state.held === null) return 0;
  return lifeLeftMs(state.held, clock.now()) ?? Number.MAX_SAFE_INTEGER;
}

const SILENT = 'store and journal did not answer in time';
