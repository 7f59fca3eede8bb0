/**
 * The first event of a credential whose journal still showed an attempt: what the process before this one left unfinished.
 *
 * Rule: an answer is stored, never asked for again; without one, what was sent may have been spent. Either way the store wins
 * where it holds anything else than what was sent.
 */
import { adopt } from './adoption.ts';
import { persist } from './attempt.ts';
import type { JournalFinding } from './event.ts';
import { closing, doubted, type Refreshing } from './failing.ts';
import { after, expiresAtOf, isInDoubt, refreshes, retryPhase } from './schedule.ts';
import type { CredentialState, Step } from './state.ts';
import type { Answer, Grant, Now } from './token.ts';
import { monotonicMs } from './token.ts';

/** The store holds a grant. */
export function reconciled(before: CredentialState, grant: Grant, journal: JournalFinding, now: Now): Step {
  const { answer } = journal;
  // What the store held when the attempt began is what we knew of it, whatever was remembered.
  const state = { ...known(before, journal, now), grant: journal.fingerprint ?? before.grant };
  if (answer === null) return unanswered(state, grant, now);
  if (isStored(answer, grant)) return closed(adopt(state, grant, now));
  const adopted = adopt(state, grant, now);
  const isWhatWasSent = grant.fingerprint === journal.fingerprint && !isNewer(grant, answer.grant);
  if (!isWhatWasSent || !refreshes(state.policy) || isBroken(adopted)) return { state: adopted, effects: [] };
  return persist(adopted, stored(answer, now), now);
}

/** The store holds nothing that can be used: what was sent stays in doubt until it holds something else. */
export function noted(before: CredentialState, journal: JournalFinding, now: Now): CredentialState {
  const state = known(before, journal, now);
  const isDoubtful = journal.answer === null && leavesDoubt(state);
  return isDoubtful ? doubted({ ...state, grant: journal.fingerprint }, now) : state;
}

function unanswered(state: CredentialState, grant: Grant, now: Now): Step {
  if (!leavesDoubt(state)) {
    const adopted = adopt(state, grant, now);
    // Whoever runs a tool does not run it again at once: it may have been ended in the middle.
    return closed(state.policy.resultInStore ? putOff(adopted, now) : adopted);
  }
  const adopted = adopt(doubted(state, now), grant, now);
  if (!isInDoubt(adopted)) return closed(adopted);
  const isWaiting = adopted.phase.kind === 'fresh' || adopted.phase.kind === 'backing_off';
  const due = adopted.doubt?.settlesAt ?? now.monotonicMs;
  const isRecovering = adopted.phase.kind === 'recovering';
  if (!isWaiting && !isRecovering) return { state: adopted, effects: [] };
  return { state: { ...adopted, phase: { kind: isRecovering ? 'recovering' : 'backing_off', due } }, effects: [] };
}

const leavesDoubt = ({ policy }: CredentialState): boolean =>
  policy.rotates && !policy.resultInStore && refreshes(policy);

function putOff(state: CredentialState, now: Now): CredentialState {
  return state.phase.kind === 'backing_off' ? { ...state, phase: retryPhase(state, now) } : state;
}

/** The memory may be older than the journal: the floor counts from the attempt that the journal shows. */
function known(state: CredentialState, journal: JournalFinding, now: Now): CredentialState {
  const beganAt = journal.beganAt > now.wallMs ? null : journal.beganAt;
  const isLater = beganAt !== null && beganAt > (state.lastBeganAt ?? 0);
  return {
    ...state,
    attempt: Math.max(state.attempt, journal.attempt),
    lastBeganAt: isLater ? beganAt : state.lastBeganAt,
    lastBegan: isLater ? monotonicMs(now.monotonicMs - (now.wallMs - beganAt)) : state.lastBegan,
  };
}

const closed = (state: CredentialState): Step => ({ state, effects: [closing(state, 'empty')] });

const isBroken = ({ phase }: CredentialState): boolean =>
  phase.kind === 'reauthorization_required' && phase.reason === 'state_broken';

const isStored = ({ grant: { fingerprint, token } }: Answer, found: Grant): boolean =>
  found.fingerprint === fingerprint && (token === null || found.token?.fingerprint === token.fingerprint);

/** Where refresh tokens do not rotate, another process may have stored a later access token beside the same one. */
function isNewer({ token }: Grant, { token: ours }: Grant): boolean {
  const [theirs, own] = [token, ours].map((each) => (each === null ? null : expiresAtOf(each)));
  return typeof theirs === 'number' && typeof own === 'number' && theirs > own;
}

/** The ordinary way from here: store, close, publish. */
const stored = (answer: Answer, now: Now): Refreshing => ({
  kind: 'refreshing',
  stage: 'persisting',
  reason: 'retry',
  deadline: after(now, 0),
  answer,
  guard: 'first',
});
