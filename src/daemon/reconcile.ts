/**
 * What the attempt journal shows open at start: ends what still runs of it, and looks for its answer.
 *
 * Rule: nothing is sent before the last process of it has ended, however long that takes; what the store holds is served
 * meanwhile. It finds facts; what follows from them is the core's to say.
 */
import type { Event, JournalFinding } from '../core/event.ts';
import type { Answer, Fingerprinter, TokenResponse } from '../core/token.ts';
import { epochMs } from '../core/token.ts';
import { grantOf, mergeResponse, readTokenResponse } from '../core/token-response.ts';
import { describeBug } from './bug.ts';
import { findingOf, type ManagedCredential } from './credential.ts';
import { type LeftRunTools, responseOfRun } from './left-run.ts';
import { firstReading } from './perform-store.ts';
import { type JournalEntry, type JournalPort, PortError } from './ports.ts';
import { pause, within } from './time-limit.ts';

export interface ReconcileTools extends LeftRunTools {
  readonly journal: JournalPort;
  readonly fingerprint: Fingerprinter;
}

/** First events, with what the journal showed. */
export interface Reconciler {
  /**
   * What the store holds, with what the journal showed. Never rejects.
   * @param onLate told the same again with that, when something of the attempt still runs and so it is not known yet
   */
  firstEvent(credential: ManagedCredential, onLate: (event: Event) => void): Promise<Event>;
  /** Is an attempt of the process before this one not over yet, as far as is known? */
  isReconciling(credential: string): boolean;
  /** Resolves when all that was begun is over. */
  finished(): Promise<void>;
}

export function createReconciler(tools: ReconcileTools): Reconciler {
  const open = new Map<string, Set<Promise<unknown>>>();
  const track: Track = (name, work) => {
    const works = open.get(name) ?? new Set();
    open.set(name, works.add(work));
    const end = () => {
      works.delete(work);
      if (works.size === 0) open.delete(name);
    };
    void work.then(end, end);
  };
  return {
    firstEvent(credential, onLate) {
      const journal = reconcile(credential, tools, track);
      const event = readWith(credential, journal, { tools, onLate, track });
      track(credential.name, event);
      return event;
    },
    isReconciling: (credential) => open.has(credential),
    async finished() {
      while (open.size > 0) await Promise.allSettled([...open.values()].flatMap((works) => [...works]));
    },
  };
}

/** Notes what has to be over before anything of that credential is sent. */
type Track = (credential: string, work: Promise<unknown>) => void;

async function readWith(
  credential: ManagedCredential,
  finding: Promise<JournalFinding | null>,
  around: { readonly tools: ReconcileTools; readonly onLate: (event: Event) => void; readonly track: Track },
): Promise<Event> {
  const { tools, onLate, track } = around;
  const { name } = credential;
  const journal = await within(finding, LEFT_RUN_MS_MAX);
  const setAside = await readSetAside(credential, tools);
  const first = await firstReading(credential, tools);
  const isKnown = journal !== 'timed_out';
  if (isKnown && (isReading(first) || (journal === null && setAside === null))) {
    return withJournal(first, { journal, setAside });
  }
  if (!isKnown) tools.log.write('warn', 'left_run_alive', { credential: name });
  const later = async () => withJournal(await readingOf(credential, tools), { journal: await finding, setAside });
  track(name, finding.then(later).then(onLate));
  return withJournal(first, { journal: null, setAside });
}

/** What the journal showed can only be told beside what the store holds, so that is waited for. */
async function readingOf(credential: ManagedCredential, tools: ReconcileTools): Promise<Event> {
  for (;;) {
    const event = await firstReading(credential, tools);
    if (isReading(event)) return event;
    await pause(READ_AGAIN_MS, { keepsAlive: false });
  }
}

/** @returns null when no attempt is open, or a bug hid it; waits while the machine keeps that from being known; never rejects */
export async function reconcile(
  credential: ManagedCredential,
  tools: ReconcileTools,
  track: Track,
): Promise<JournalFinding | null> {
  for (let looks = 0; ; looks += 1) {
    try {
      return await findingIn(credential, tools, track);
    } catch (error) {
      if (looks === 0) logUnreadable(credential.name, error, tools);
      if (!(error instanceof PortError)) return null;
      // Whoever took it for empty would send what is spent already, over the answer that may lie in it.
      if (error.code === 'journal_damaged') return ILLEGIBLE;
    }
    await pause(READ_AGAIN_MS, { keepsAlive: false });
  }
}

/** @throws PortError of journal or store */
async function findingIn(
  credential: ManagedCredential,
  tools: ReconcileTools,
  track: Track,
): Promise<JournalFinding | null> {
  const { name } = credential;
  const entry = await tools.journal.read(name);
  if (entry === null) return null;
  const response = entry.response ?? (await recordedResponse(credential, entry, { tools, track }));
  const { attempt, fingerprint, found } = entry;
  const answer = response === null ? null : await answerOf(credential, entry, response, tools);
  tools.log.write('warn', 'attempt_left_open', { credential: name, attempt, answered: answer !== null });
  const beganAt = epochMs(entry.beganAt);
  return { attempt, fingerprint, ...(found === undefined ? {} : { found }), beganAt, answer };
}

/** What the run printed, in the journal before anything else: what it was found in will be swept. */
async function recordedResponse(
  credential: ManagedCredential,
  entry: JournalEntry,
  { tools, track }: { readonly tools: ReconcileTools; readonly track: Track },
): Promise<TokenResponse | null> {
  const { name } = credential;
  let response: TokenResponse | null = null;
  try {
    response = await responseOfRun(credential, entry, { ...tools, untilOver: (over) => track(name, over) });
    if (response !== null) await tools.journal.write(name, { ...entry, response });
  } catch (error) {
    // The attempt is open all the same, and what was found of it is not lost for want of a disk.
    logUnreadable(name, error, tools);
  }
  return response;
}

/** The answer that the store refused because it had changed, if one was set aside; never rejects. */
async function readSetAside(credential: ManagedCredential, tools: ReconcileTools): Promise<Answer | null> {
  try {
    const entry = await tools.journal.readSetAside(credential.name);
    return entry === null || entry.response === null ? null : await answerOf(credential, entry, entry.response, tools);
  } catch (error) {
    logUnreadable(credential.name, error, tools);
    return null;
  }
}

function logUnreadable(credential: string, error: unknown, { log }: ReconcileTools): void {
  const about = error instanceof PortError ? { code: error.code, remedy: error.remedy } : describeBug(error);
  log.write('error', 'journal_unreadable', { credential, ...about });
}

interface Findings {
  readonly journal: JournalFinding | null;
  readonly setAside: Answer | null;
}

/** The first event of a credential, with what its journal showed. */
export function withJournal(event: Event, { journal, setAside }: Findings): Event {
  if (!isReading(event)) return event;
  return { ...event, ...(journal === null ? {} : { journal }), ...(setAside === null ? {} : { setAside }) };
}

type Reading = Extract<Event, { type: 'token_loaded' | 'token_missing' | 'state_broken' }>;

/** Else the machine kept it from being looked at. */
const isReading = (event: Event): event is Reading =>
  event.type === 'token_loaded' || event.type === 'token_missing' || event.type === 'state_broken';

async function answerOf(
  { policy, reading, parts }: ManagedCredential,
  entry: JournalEntry,
  response: TokenResponse,
  { fingerprint }: ReconcileTools,
): Promise<Answer | null> {
  const receivedAt = epochMs(entry.beganAt);
  const read = readTokenResponse(response, { receivedAt, ...reading });
  if (!read.ok) return null;
  // Without a refresh token of its own it goes with the one that was sent, if the store still holds that.
  const found = read.tokens.refreshToken === null ? findingOf(await parts.store.read(), fingerprint) : null;
  const isSame = found?.kind === 'grant' && found.grant.fingerprint === entry.fingerprint;
  if (found !== null && !isSame && !policy.mintsWithoutGrant) return null;
  const grant = grantOf(mergeResponse(isSame ? found.tokens : null, read.tokens), fingerprint);
  return grant === null ? null : { grant, response };
}

/** What the store holds may have been sent, and the answer lost. */
const ILLEGIBLE: JournalFinding = {
  attempt: 0,
  fingerprint: null,
  beganAt: epochMs(0),
  answer: null,
  isIllegible: true,
};

// Mostly nothing of it lives any more, and then one event tells all.
const LEFT_RUN_MS_MAX = 500;

// A trouble of the machine that kept journal or store from being read passes, or the store checks say what it is.
const READ_AGAIN_MS = 1_000;
