/**
 * Performs `reread_store`: looks whether a store moved, and tells the core what it holds now.
 *
 * Rule: always one answer, also from a file system that hangs; a hang or a passing trouble of the system says nothing about
 * the store and is answered as `store_unchanged`, never as broken. One look at a time: an older one must not be reported
 * behind a newer one.
 */
import type { Event } from '../core/event.ts';
import type { Failure } from '../core/failure.ts';
import type { CredentialState } from '../core/state.ts';
import type { Fingerprinter } from '../core/token.ts';
import { LOCK_PLACE_UNUSABLE, lockObstacle } from './attempt-steps.ts';
import { describeBug } from './bug.ts';
import { findingOf, lossOf, type ManagedCredential } from './credential.ts';
import { unsent } from './failures.ts';
import { createGate } from './gate.ts';
import { createHangs } from './hangs.ts';
import { type LogPort, PortError } from './ports.ts';

export interface StoreChecksOptions {
  readonly credential: (name: string) => ManagedCredential | undefined;
  readonly state: (name: string) => CredentialState | undefined;
  /** An attempt reads the store itself, and nothing else that is read meanwhile counts. */
  readonly isAttempting: (name: string) => boolean;
  readonly report: (credential: string, event: Event) => void;
  readonly log: LogPort;
  readonly fingerprint: Fingerprinter;
  readonly limitMs: number;
}

/** @returns performs one check and reports one event; never rejects */
export function createStoreChecks(options: StoreChecksOptions): (credential: string) => Promise<void> {
  const hangs = createHangs(options.limitMs);
  const last = new Map<string, Promise<void>>();
  const waiting = new Set<string>();
  const gate = createGate(LOOKS_MAX);

  return (name) => {
    const before = last.get(name);
    // The look that waits will see whatever this one would have seen.
    if (waiting.has(name)) return Promise.resolve(options.report(name, UNCHANGED));
    if (before !== undefined) waiting.add(name);
    const turn = before ?? Promise.resolve();
    const work = turn.then(() => {
      waiting.delete(name);
      return gate.run(() => look(name));
    });
    last.set(name, work);
    return work.finally(() => {
      if (last.get(name) === work) last.delete(name);
    });
  };

  async function look(name: string): Promise<void> {
    const credential = options.credential(name);
    if (credential === undefined) return;
    if (!hangs.mayBegin(name) || options.isAttempting(name)) {
      options.report(name, UNCHANGED);
      return;
    }
    const work = check(credential);
    const event = await hangs.inTime(name, work);
    const login = event === 'timed_out' ? null : await hangs.inTime(name, loginOf(credential));
    if (login !== null && login !== 'timed_out') options.report(name, login);
    if (event === 'timed_out') {
      // What it finds in the end still counts: the store will not say it a second time.
      void work.then((late) => options.report(name, late));
      options.log.write('warn', 'store_check_hung', { credential: name, path: credential.parts.store.path });
    }
    options.report(name, event === 'timed_out' ? UNCHANGED : event);
  }

  async function check(credential: ManagedCredential): Promise<Event> {
    try {
      const reading = await credential.parts.store.readIfChanged();
      if (reading.kind === 'unchanged') return { type: 'store_unchanged', obstacle: await obstacleTo(credential) };
      const finding = findingOf(reading, options.fingerprint);
      return finding.kind === 'grant'
        ? { type: 'store_changed', grant: finding.grant, attempt: null }
        : lossOf(finding, null);
    } catch (error) {
      return eventOfThrow(error, credential.name, options.log);
    }
  }

  /** Asked for only while a login is waited for. */
  async function loginOf({ name, parts }: ManagedCredential): Promise<Event | null> {
    const isAwaited = options.state(name)?.phase.kind === 'reauthorization_required';
    const at = isAwaited ? ((await parts.loginChangedAt?.()) ?? null) : null;
    return at === null ? null : { type: 'watched_path_changed', at };
  }

  /** Asked for only where the core waits for it: it costs a look at files, or the taking of a lock. */
  async function obstacleTo(credential: ManagedCredential): Promise<Failure | null> {
    const { refresh } = credential.parts;
    const phase = options.state(credential.name)?.phase;
    if (phase?.kind !== 'reauthorization_required' || !phase.local || refresh === null) return null;
    return (await refresh.obstacle()) ?? (phase.code === LOCK_PLACE_UNUSABLE ? await lockObstacle(credential) : null);
  }
}

/** What a store holds at start, as the credential's first event; never rejects. */
export async function firstReading(
  { name, parts }: ManagedCredential,
  { fingerprint, log }: Pick<StoreChecksOptions, 'fingerprint' | 'log'>,
): Promise<Event> {
  try {
    const finding = findingOf(await parts.store.read(), fingerprint);
    return finding.kind === 'grant' ? { type: 'token_loaded', grant: finding.grant } : lossOf(finding, null);
  } catch (error) {
    return eventOfThrow(error, name, log);
  }
}

/** What a throw of a store means for its credential. */
function eventOfThrow(error: unknown, credential: string, log: LogPort): Event {
  if (!(error instanceof PortError)) {
    log.write('error', 'internal_error', { credential, during: 'read_store', ...describeBug(error) });
    return { type: 'state_broken', reason: 'state_broken', detail: 'internal_error: see the log', attempt: null };
  }
  log.write('warn', 'store_unreadable', { credential, code: error.code, detail: error.message, remedy: error.remedy });
  if (PASSING_CODES.has(error.code)) return UNCHANGED;
  return { type: 'state_broken', reason: 'state_broken', detail: error.message, attempt: null };
}

/** Nobody looked, so a local obstacle still counts as there. */
const UNCHANGED: Event = { type: 'store_unchanged', obstacle: unsent('not_checked', 'the store did not answer') };

/** Troubles of the machine, not of the store. */
const PASSING_CODES: ReadonlySet<string> = new Set([
  'too_many_files',
  'io_error',
  'mount_lost',
  'store_busy',
  'timed_out',
]);

// Threads of the pool (see file-threads.ts): a file is looked at in microseconds.
const LOOKS_MAX = 4;
