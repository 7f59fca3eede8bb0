/**
 * SIGKILL and start, in the world of the walk: what is left is what is remembered, the journal, and the store.
 *
 * Rule: what the disk can show follows from how far the attempt had come; where that is not certain, each possibility happens.
 */
import type { Event, JournalFinding } from '../../../src/core/event.ts';
import { initialState, remember } from '../../../src/core/memory.ts';
import { impasseOf, isOverNothing } from '../../../src/core/set-aside.ts';
import type { CredentialState } from '../../../src/core/state.ts';
import type { Answer, Fingerprint, Grant } from '../../../src/core/token.ts';
import type { Happening } from './alphabet.ts';
import { grantWith, newGrant, type World } from './world.ts';

export function restarts(state: CredentialState, world: World): Happening[] {
  if (state.phase.kind === 'stopped' || isCalm(state, world)) return [];
  return leftBehind(state, world).map(({ name, journal, store, world: after }) => {
    const setAside = state.setAside?.answer ?? world.slot;
    const event = { ...readingOf(state, store), journal, setAside } as Event;
    return { name: `killed ${name}`, event, world: { ...after, openAttempt: null }, from: reborn(state, world) };
  });
}

/** SIGKILL, and when it starts again nothing is stored any more: only what is remembered of the files tells what they hold. */
export function restartsOverNothing(state: CredentialState, world: World): Happening[] {
  if (state.phase.kind === 'stopped' || state.phase.kind === 'refreshing' || state.held === null) return [];
  const event = { type: 'token_missing', detail: '', attempt: null } as const;
  return [{ name: 'killed, and the store gone', event, world, from: reborn(state, world) }];
}

/** Nothing is open that a restart could spoil; what it finds then is the start of every walk. */
const isCalm = ({ phase, doubt, unpersisted, setAside }: CredentialState, { slot }: World): boolean =>
  (phase.kind === 'fresh' || phase.kind === 'absent') &&
  [doubt, unpersisted, setAside, slot].every((each) => each === null);

/** Another process, on the same clocks: only their differences matter. */
function reborn(state: CredentialState, { now }: World): CredentialState {
  const memory: unknown = JSON.parse(JSON.stringify(remember(state, now)));
  const targets = state.deliveries.map(({ target }) => target);
  return initialState({ name: state.name, policy: state.policy, targets, memory }, now);
}

interface Left {
  readonly name: string;
  readonly journal: JournalFinding | null;
  /** What the store holds, if not what the core knew. */
  readonly store: Grant | null;
  readonly world: World;
}

function leftBehind(state: CredentialState, world: World): Left[] {
  const { phase, unpersisted } = state;
  const nothing = { name: 'between attempts', journal: null, store: null, world };
  if (phase.kind !== 'refreshing') {
    if (unpersisted !== null) {
      return [answered('with an answer not stored', unpersisted.answer, { state, world })];
    }
    return state.doubt === null || state.doubt.fingerprint !== state.grant
      ? [nothing]
      : [unanswered('in doubt', state, world)];
  }
  const fresh = newGrant(world, { life: 6 });
  switch (phase.stage) {
    case 'recording':
      return [{ ...nothing, name: 'before the record' }, unanswered('after the record', state, world)];
    case 'running':
      return [
        unanswered('without an answer', state, world),
        answered('with an answer in the spool', answerOf(fresh.grant), { state, world: fresh.world }),
      ];
    case 'recording_answer':
    case 'persisting': {
      const { answer } = phase;
      if (answer === null) return [];
      const stored = {
        ...nothing,
        name: 'after the store',
        store: answer.grant,
        world: { ...succeeded(world, sentBy(state, world)), slot: null },
      };
      if (phase.stage === 'recording_answer') {
        return [
          unanswered('before the answer was recorded', state, world),
          answered('with the answer recorded', answer, { state, world }),
        ];
      }
      // Stored from the slot, without an attempt.
      if (phase.reason === 'set_aside' && phase.impasse === undefined) return [nothing, stored];
      const recorded = answered('before the store', answer, { state, world });
      return [recorded, { ...stored, journal: recorded.journal }];
    }
  }
}

const answerOf = (grant: Grant): Answer => ({ grant, response: { access_token: 'secret' } });

function unanswered(name: string, state: CredentialState, world: World): Left {
  const sent = sentBy(state, world);
  const isSent = state.phase.kind !== 'refreshing' || state.phase.stage !== 'recording';
  const known = isSent && sent !== null ? { ...world, unanswered: new Set([...world.unanswered, sent]) } : world;
  return { name, journal: entryOf(state, world, null), store: null, world: known };
}

function answered(
  name: string,
  answer: Answer,
  { state, world }: { readonly state: CredentialState; readonly world: World },
): Left {
  const after = succeeded(world, sentBy(state, world));
  const untried = answer.grant.token?.fingerprint ?? null;
  return { name, journal: entryOf(state, world, answer), store: null, world: { ...after, untried } };
}

const succeeded = (world: World, sent: Fingerprint | null): World =>
  sent === null ? world : { ...world, succeeded: new Set([...world.succeeded, sent]) };

/** What was set aside, where the present attempt sends it, or the last one did. */
function asideOf({ phase, setAside, unpersisted }: CredentialState, world: World): Fingerprint | null {
  const fingerprint = setAside?.answer.grant.fingerprint ?? null;
  const isSending = phase.kind === 'refreshing' && phase.impasse !== undefined;
  const wasSent = unpersisted !== null && fingerprint !== null && world.sentAside.has(fingerprint);
  return isSending || wasSent ? fingerprint : null;
}

const sentBy = (state: CredentialState, world: World): Fingerprint | null =>
  asideOf(state, world) ?? state.unpersisted?.expected ?? state.grant;

function entryOf(state: CredentialState, world: World, answer: Answer | null): JournalFinding {
  const { phase, unpersisted } = state;
  const beganAt = state.lastBeganAt ?? world.now.wallMs;
  const entry = { attempt: state.attempt, fingerprint: sentBy(state, world), beganAt, answer };
  if (asideOf(state, world) === null) return entry;
  const impasse = impasseOf(phase);
  const isEmpty = impasse !== null && isOverNothing(impasse);
  return { ...entry, found: isEmpty ? null : (unpersisted?.expected ?? state.grant) };
}

function readingOf(state: CredentialState, store: Grant | null): Event {
  if (store !== null) return { type: 'token_loaded', grant: store };
  const impasse = impasseOf(state.phase);
  if (impasse?.kind === 'reauthorization_required' && impasse.reason === 'store_blanked') {
    return { type: 'state_broken', reason: 'store_blanked', detail: '', attempt: null };
  }
  const fingerprint = state.unpersisted?.expected ?? state.grant;
  if (fingerprint === null || impasse?.kind === 'absent') return { type: 'token_missing', detail: '', attempt: null };
  // What is served from an answer that the store did not take is not in it.
  const token = state.unpersisted === null ? (state.held?.token ?? null) : null;
  return { type: 'token_loaded', grant: { ...grantWith(token, 0), fingerprint } };
}
