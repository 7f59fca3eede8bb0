/**
 * The first event of a credential whose journal still showed an attempt: what the process before this one left unfinished.
 *
 * Rule: an answer is stored, never asked for again; without one, what was sent may have been spent. Either way the store wins
 * where it holds anything else than it did then; an answer is then set aside.
 */
import { adopt } from './adoption.ts';
import { persist } from './attempt.ts';
import type { JournalFinding } from './event.ts';
import { closing, doubted, leavesDoubt, type Refreshing } from './failing.ts';
import { after, expiresAtOf, isInDoubt, refreshes, retryPhase } from './schedule.ts';
import { setAside, spent } from './set-aside.ts';
import type { CredentialState, Step } from './state.ts';
import type { Answer, Fingerprint, Grant, Now } from './token.ts';
import { monotonicMs } from './token.ts';

/** The store holds a grant. */
export function reconciled(before: CredentialState, grant: Grant, journal: JournalFinding, now: Now): Step {
  const { answer } = journal;
  const state = known(before, journal, now);
  if (answer === null) return unanswered(state, { grant, journal }, now);
  if (isStored(answer, grant)) return closed(adopt(state, grant, now));
  if (!refreshes(state.policy)) return { state: adopt(state, grant, now), effects: [] };
  const isAsItWas = grant.fingerprint === heldThen(journal) && !isNewer(grant, answer.grant);
  const kept = isAsItWas ? state : setAside(state, answer, grant);
  const adopted = adopt(kept, grant, now);
  if (kept !== state) return { state: adopted, effects: [closing(state, 'set_aside')] };
  if (!isAsItWas) return closed(adopted);
  return isBroken(adopted) ? { state: adopted, effects: [] } : persist(adopted, stored(answer, 'resumed', now), now);
}

/** The store holds nothing that can be used: what was sent stays in doubt until it holds something else. */
export function noted(before: CredentialState, journal: JournalFinding, now: Now): CredentialState {
  const state = known(before, journal, now);
  const isDoubtful = journal.answer === null && leavesDoubt(state) && isOfStore(journal);
  return isDoubtful ? doubted(state, now) : state;
}

/** An answer over a store that holds nothing is stored; null: there is none. */
export function resumed(state: CredentialState, { answer }: JournalFinding, now: Now): Step | null {
  if (answer === null || !refreshes(state.policy)) return null;
  return persist(state, stored(answer, 'resumed', now), now);
}

function unanswered(
  state: CredentialState,
  { grant, journal }: { readonly grant: Grant; readonly journal: JournalFinding },
  now: Now,
): Step {
  // What was set aside was sent, and is not sent again: there is nothing to be in doubt about.
  if (!isOfStore(journal)) return closed(adopt(state, grant, now));
  if (!leavesDoubt(state)) {
    const adopted = adopt(state, grant, now);
    // Whoever runs a tool does not run it again at once: it may have been ended in the middle.
    return closed(state.policy.resultInStore ? putOff(adopted, now) : adopted);
  }
  // Where the memory is gone as well, nothing tells what it was about.
  const isUnknown = journal.isIllegible === true && state.grant === null;
  const sending = isUnknown ? { ...state, grant: grant.fingerprint } : state;
  const adopted = adopt(doubted(sending, now), grant, now);
  if (!isInDoubt(adopted)) return closed(adopted);
  const isWaiting = adopted.phase.kind === 'fresh' || adopted.phase.kind === 'backing_off';
  const due = adopted.doubt?.settlesAt ?? now.monotonicMs;
  const isRecovering = adopted.phase.kind === 'recovering';
  if (!isWaiting && !isRecovering) return { state: adopted, effects: [] };
  return { state: { ...adopted, phase: { kind: isRecovering ? 'recovering' : 'backing_off', due } }, effects: [] };
}

function putOff(state: CredentialState, now: Now): CredentialState {
  return state.phase.kind === 'backing_off' ? { ...state, phase: retryPhase(state, now) } : state;
}

/** What was sent is what the store held; else an answer that was set aside. */
const isOfStore = ({ found }: JournalFinding): boolean => found === undefined;

const heldThen = (journal: JournalFinding): Fingerprint | null =>
  journal.found === undefined ? journal.fingerprint : journal.found;

/**
 * The memory may be older than the journal: the floor counts from the attempt that the journal shows, and what the store held
 * when that began is what we knew of it. (Unless it was replaced since: then the entry is older than the memory.)
 */
function known(before: CredentialState, journal: JournalFinding, now: Now): CredentialState {
  const held = heldThen(journal);
  const isReplaced = held !== null && before.superseded.includes(held);
  const grant = isReplaced || (held === null && isOfStore(journal)) ? before.grant : held;
  const state = { ...(isOfStore(journal) ? before : sent(before, journal)), grant };
  const beganAt = journal.beganAt > now.wallMs ? null : journal.beganAt;
  const isLater = beganAt !== null && beganAt > (state.lastBeganAt ?? 0);
  return {
    ...state,
    attempt: Math.max(state.attempt, journal.attempt),
    lastBeganAt: isLater ? beganAt : state.lastBeganAt,
    lastBegan: isLater ? monotonicMs(now.monotonicMs - (now.wallMs - beganAt)) : state.lastBegan,
  };
}

const sent = (state: CredentialState, { fingerprint }: JournalFinding): CredentialState =>
  fingerprint === null ? state : spent(state, fingerprint);

const closed = (state: CredentialState): Step => ({ state, effects: [closing(state, 'empty')] });

const isBroken = ({ phase }: CredentialState): boolean =>
  phase.kind === 'reauthorization_required' && phase.reason === 'state_broken';

const isStored = ({ grant: { fingerprint, token } }: Answer, found: Grant): boolean =>
  found.fingerprint === fingerprint && (token === null || found.token?.fingerprint === token.fingerprint);

/**
 * Where refresh tokens do not rotate, another process may have stored a later access token beside the same one. An answer
 * that brought another refresh token replaced what the store holds, however short its own access token lives.
 */
function isNewer({ token, fingerprint }: Grant, { token: ours, fingerprint: ownFingerprint }: Grant): boolean {
  if (fingerprint !== ownFingerprint) return false;
  const [theirs, own] = [token, ours].map((each) => (each === null ? null : expiresAtOf(each)));
  return typeof theirs === 'number' && typeof own === 'number' && theirs > own;
}

/** The ordinary way from here: store, close, publish. */
export const stored = (answer: Answer, reason: 'resumed' | 'set_aside', now: Now): Refreshing => ({
  kind: 'refreshing',
  stage: 'persisting',
  reason,
  deadline: after(now, 0),
  answer,
  guard: 'first',
});
