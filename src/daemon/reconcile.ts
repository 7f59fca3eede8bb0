/**
 * What the attempt journal shows open at start: ends what still runs of it, and looks for its answer.
 *
 * Rule: before anything of a credential is read or sent. It finds facts; what follows from them is the core's to say.
 */
import type { Event, JournalFinding } from '../core/event.ts';
import type { Answer, Fingerprinter, TokenResponse } from '../core/token.ts';
import { epochMs } from '../core/token.ts';
import { dateResponse, grantOf, mergeResponse, readTokenResponse } from '../core/token-response.ts';
import { describeBug } from './bug.ts';
import { findingOf, type ManagedCredential } from './credential.ts';
import { firstReading } from './perform-store.ts';
import {
  type ClockPort,
  type JournalEntry,
  type JournalPort,
  type LeftRunsPort,
  type LogPort,
  PortError,
} from './ports.ts';

export interface ReconcileTools {
  readonly journal: JournalPort;
  readonly leftRuns: LeftRunsPort;
  readonly clock: ClockPort;
  readonly log: LogPort;
  readonly fingerprint: Fingerprinter;
  readonly bootId: string | null;
}

/** First events, with what the journal showed. */
export interface Reconciler {
  /** The journal comes first: what still runs may yet write the store. Never rejects. */
  firstEvent(credential: ManagedCredential): Promise<Event>;
  /** Is an attempt of the process before this one not over yet, as far as is known? */
  isReconciling(credential: string): boolean;
  /** Resolves when all that was begun is over. */
  finished(): Promise<void>;
}

export function createReconciler(tools: ReconcileTools): Reconciler {
  const open = new Map<string, Promise<unknown>>();
  return {
    async firstEvent(credential) {
      const reconciling = reconcile(credential, tools);
      open.set(credential.name, reconciling);
      const [journal, setAside] = [await reconciling, await readSetAside(credential, tools)];
      const event = withJournal(await firstReading(credential, tools), { journal, setAside });
      open.delete(credential.name);
      return event;
    },
    isReconciling: (credential) => open.has(credential),
    async finished() {
      await Promise.all(open.values());
    },
  };
}

/** @returns null when no attempt is open; never rejects */
export async function reconcile(credential: ManagedCredential, tools: ReconcileTools): Promise<JournalFinding | null> {
  const { name } = credential;
  try {
    const entry = await tools.journal.read(name);
    if (entry === null) return null;
    const response = entry.response ?? (await responseOfRun(credential, entry, tools));
    // In the journal before anything else: what it was found in will be swept.
    if (entry.response === null && response !== null) await tools.journal.write(name, { ...entry, response });
    const { attempt, fingerprint, found } = entry;
    const answer = response === null ? null : await answerOf(credential, entry, response, tools);
    tools.log.write('warn', 'attempt_left_open', { credential: name, attempt, answered: answer !== null });
    const beganAt = epochMs(entry.beganAt);
    return { attempt, fingerprint, ...(found === undefined ? {} : { found }), beganAt, answer };
  } catch (error) {
    logUnreadable(name, error, tools);
    return null;
  }
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
  const isReading = event.type === 'token_loaded' || event.type === 'token_missing' || event.type === 'state_broken';
  if (!isReading) return event;
  return { ...event, ...(journal === null ? {} : { journal }), ...(setAside === null ? {} : { setAside }) };
}

/** Waits for the script while it has time left, ends it after that, and takes what it printed. */
async function responseOfRun(
  { name, policy }: ManagedCredential,
  { attempt, runId, process, beganAt, bootId }: JournalEntry,
  { leftRuns, clock, log, bootId: thisBoot }: ReconcileTools,
): Promise<TokenResponse | null> {
  const isOfThisBoot = bootId === thisBoot;
  const leftMs = beganAt + policy.refreshTimeoutMs - clock.now().wallMs;
  const waitMs = isOfThisBoot ? Math.max(0, Math.min(leftMs, policy.refreshTimeoutMs)) : 0;
  const living = isOfThisBoot ? process : null;
  const { response, isOver } = await leftRuns.settle({ runId, process: living, waitMs, graceMs: policy.killGraceMs });
  if (!isOver) log.write('error', 'left_run_survives', { credential: name, attempt });
  // A tool that writes the store itself has its answer there.
  return policy.resultInStore || response === null ? null : dateResponse(response, epochMs(beganAt));
}

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
