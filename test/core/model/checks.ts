/**
 * What is checked after every step of the walk: the invariants of the design, by the walk's own account of the world.
 */
import type { Effect } from '../../../src/core/effect.ts';
import { assert, assertInvariants } from '../../../src/core/invariants.ts';
import { latchIn } from '../../../src/core/set-aside.ts';
import type { CredentialState, Step } from '../../../src/core/state.ts';
import type { Fingerprint, Now } from '../../../src/core/token.ts';
import type { Happening } from './alphabet.ts';
import { knownLifeLeft, POLICY, UNIT, type World } from './world.ts';

/** The core, or a mutant of it. */
export interface Subject {
  step(state: CredentialState, event: Happening['event'], now: Now): Step;
  nextDeadline(state: CredentialState, now: Now): number | null;
}

/** Judges one step and returns the world after it. @throws on a broken invariant */
export function judged(
  subject: Subject,
  before: CredentialState,
  { event, world, from }: Happening,
  { state, effects }: Step,
): World {
  const isRestart = from !== undefined;
  assertInvariants(state, { deadlineMs: subject.nextDeadline(state, world.now) }, world.now);
  judgeProgress(before, event, state, world);
  assert(state.generation >= before.generation, 'I10: generations only grow');
  const known = refreshedAccount(before, state, loggedIn(before, state) ? { ...world, told: unasked(world) } : world);
  const after = effects.reduce(
    (seen, effect) => judgedEffect(seen, effect, { before, state, event, isRestart }),
    known,
  );
  const file = answeredFile(state, after);
  judgeFiles(state, { ...after, file });
  const isClosed = state.phase.kind !== 'refreshing';
  return {
    ...after,
    file,
    openAttempt: isClosed ? null : after.openAttempt,
    forced: state.wanted?.overridesRetryAfter === true,
    retryAfterUntil: state.held !== before.held && event.type === 'refresh_succeeded' ? null : after.retryAfterUntil,
    told: state.episode === null ? [] : after.told,
  };
}

/** E3 is about one login: who was asked, has logged in and is refused again has to hear of it. */
const loggedIn = (before: CredentialState, after: CredentialState): boolean =>
  before.phase.kind === 'reauthorization_required' && after.grant !== before.grant;
const unasked = ({ told }: World) => told.filter((kind) => kind !== 'reauthorization_required');

/** A store write whose answer is lost was tried all the same; reports concern one generation. */
function refreshedAccount(before: CredentialState, after: CredentialState, world: World): World {
  const wasPersisting = before.phase.kind === 'refreshing' && before.phase.stage === 'persisting';
  const isPersisting = after.phase.kind === 'refreshing' && after.phase.stage === 'persisting';
  const isOtherGeneration = world.reports !== null && world.reports.generation !== after.generation;
  return {
    ...world,
    untried: wasPersisting && !isPersisting ? null : world.untried,
    reports: isOtherGeneration ? null : world.reports,
  };
}

interface Surroundings {
  readonly before: CredentialState;
  readonly state: CredentialState;
  readonly event: Happening['event'];
  readonly isRestart: boolean;
}

function judgedEffect(world: World, effect: Effect, around: Surroundings): World {
  switch (effect.type) {
    case 'begin_attempt':
      return judgedBegin(world, effect, around);
    case 'close_attempt':
      return { ...world, openAttempt: null };
    case 'run_refresh':
      return judgedRun(world, around.state);
    case 'publish_token': {
      const { fingerprint } = effect.publication.token;
      assert(fingerprint !== world.untried, 'I3: the store write is tried before the token is published');
      assert(effect.publication.generation >= world.publishedGeneration, 'I10: published generations only grow');
      return { ...world, publishedGeneration: effect.publication.generation, file: toldFile(world, fingerprint) };
    }
    case 'withdraw_token':
      assert(!isGood(around.state, world), 'I5: a valid token is never withdrawn because a refresh failed');
      return { ...world, file: toldFile(world, null) };
    case 'send_alert':
      return judgedAlert(world, effect, around);
    default:
      return world;
  }
}

function judgedRun(world: World, { phase, grant, setAside }: CredentialState): World {
  const isAside = phase.kind === 'refreshing' && phase.reason === 'set_aside';
  const sent = isAside ? (setAside?.answer.grant.fingerprint ?? null) : grant;
  assert(sent === null || !world.succeeded.has(sent), 'I1: a superseded token is never sent');
  if (!isAside || sent === null) return world;
  assert(!world.sentAside.has(sent), 'F72: what was set aside is sent once');
  return { ...world, sentAside: new Set([...world.sentAside, sent]) };
}

function judgedBegin(
  world: World,
  effect: Extract<Effect, { type: 'begin_attempt' }>,
  { before, state, event, isRestart }: Surroundings,
): World {
  const { monotonicMs } = world.now;
  assert(
    world.openAttempt === null || before.phase.kind !== 'refreshing' || event.type !== 'tick',
    'I2: one attempt at a time',
  );
  assert(world.openAttempt === null || isEndedBy(event, world.openAttempt), 'I2: at most one attempt in flight');
  const sinceLast = world.lastBegan === null ? Number.POSITIVE_INFINITY : monotonicMs - world.lastBegan;
  assert(sinceLast >= POLICY.minRefreshIntervalMs, 'I6: no attempt below the floor');
  if (effect.reason === 'retry' && before.jumpGraceUntil === null && before.lastFailure?.code !== 'store_busy') {
    assert(
      sinceLast >= Math.min(state.policy.retryIntervalMs, POLICY.retryIntervalMs),
      'A3: the flat retry interval is kept',
    );
  }
  const isDoubtful = effect.setAside === null && state.doubt !== null && state.doubt.fingerprint === state.grant;
  const wasLost = effect.setAside === null && state.grant !== null && world.unanswered.has(state.grant);
  assert(isDoubtful || !wasLost, 'F3: what was sent without an answer stays in doubt');
  const isGuarded = state.phase.kind === 'refreshing' && state.phase.guard !== 'none';
  assert(
    isGuarded === isDoubtful && effect.guarded === isGuarded,
    'F3: every send of what may have been spent is guarded, and no other',
  );
  const isHeldBack = world.retryAfterUntil !== null && world.retryAfterUntil > monotonicMs;
  assert(!isHeldBack || world.forced || before.wanted?.overridesRetryAfter === true, 'F5: Retry-After is kept');
  const isOpened =
    before.phase.kind !== 'reauthorization_required' || mayOpen(before, isRestart ? null : event, effect.reason);
  assert(isOpened, 'E1: a latch opens by a changed store, an operator, a configuration or a probe only');
  return { ...world, openAttempt: effect.attempt, lastBegan: monotonicMs };
}

/** Does this event answer the open attempt, so that another may follow in the same step? */
const isEndedBy = (event: Happening['event'], attempt: number): boolean =>
  'attempt' in event && event.attempt === attempt;

/** @param event null: a restart, which tells nothing new */
function mayOpen(before: CredentialState, event: Happening['event'] | null, reason: string): boolean {
  const { phase } = before;
  if (phase.kind !== 'reauthorization_required') return true;
  if (reason === 'operator' || reason === 'probe' || reason === 'set_aside') return true;
  if (event === null) return false;
  if (event.type === 'store_changed' || event.type === 'token_loaded') return true;
  if (event.type === 'watched_path_changed') return event.at > phase.since;
  return phase.reason === 'config' && (event.type === 'store_unchanged' || event.type === 'policy_changed');
}

const EPISODE_KINDS = ['first_failure', 'escalated', 'recovering', 'reauthorization_required'];

function judgedAlert(
  world: World,
  { alert }: Extract<Effect, { type: 'send_alert' }>,
  { before }: Surroundings,
): World {
  if (!EPISODE_KINDS.includes(alert.kind)) return world;
  const wasSent = before.alerts.some((record) => record.alert.kind === alert.kind && record.status === 'sent');
  const isSameEpisode = before.episode?.endedAt === null && before.episode.startedAt === alert.episodeStartedAt;
  const isTold = world.told.includes(alert.kind);
  assert(!(wasSent && isSameEpisode && isTold), 'E3: a message that was accepted is not sent again in its episode');
  const isRepeat = before.alerts.some((record) => record.alert.id === alert.id);
  assert(isRepeat || !isTold || !isSameEpisode, 'E3: each kind is owed once in an episode');
  return { ...world, told: isTold ? world.told : [...world.told, alert.kind] };
}

/** Until it is known what became of the command, the target may hold the one or the other. */
const toldFile = ({ file }: World, told: Fingerprint | null): World['file'] => ({
  told,
  possible: [...new Set([...file.possible, told])],
});

function answeredFile({ deliveries }: CredentialState, { file }: World): World['file'] {
  const isDone = deliveries.every(({ status, told }) => status === 'done' && told !== 'unknown');
  return isDone ? { ...file, possible: [file.told] } : file;
}

const isOverInFile = (print: Fingerprint, { tokens, now }: World): boolean => {
  const expiry = tokens.get(print)?.expiry;
  return expiry?.kind === 'known' && expiry.expiresAt <= now.wallMs;
};

/** Is the token in hand good, as far as the world knows? Without one, is all that an earlier process may have left? */
function isGood(state: CredentialState, world: World): boolean {
  const { held } = state;
  if (held === null) return world.file.possible.every((print) => print !== null && !isOverInFile(print, world));
  const left = knownLifeLeft(world, held.token.fingerprint);
  if (left !== null && left <= 0) return false;
  const { reports } = world;
  const isConfirmed =
    reports?.generation === held.generation && reports.last - reports.first >= state.policy.limits.confirmAfterMs;
  return !isConfirmed;
}

/** Refused a second time after long enough, with no refresh to replace it, and no quiet since. */
function isRejectedForGood({ rejection, policy }: CredentialState, { now }: World): boolean {
  if (rejection?.refresh !== 'ended') return false;
  const isConfirmed = rejection.lastAt - rejection.firstAt >= POLICY.limits.confirmAfterMs;
  return isConfirmed && now.monotonicMs < rejection.lastAt + policy.rejectionHoldMs;
}

/** I8: what targets are told is true at the end of every step. */
function judgeFiles(state: CredentialState, world: World): void {
  if (state.phase.kind === 'stopped') return;
  if (state.held === null) {
    const isLeft = world.file.possible.some((print) => print !== null && isOverInFile(print, world));
    const isTold = state.deliveries.every(({ told }) => told === null);
    assert(isTold || !isLeft, 'I8: what an earlier process may have left in a file is withdrawn when it ends');
    return;
  }
  const left = knownLifeLeft(world, state.held.token.fingerprint);
  const isOver = left !== null && left <= 0;
  const isRejected = isRejectedForGood(state, world);
  for (const { told, status, retryDue } of state.deliveries) {
    assert(status === 'done' || retryDue !== null, 'A3: a delivery that is not done has a next try');
    if (isOver)
      assert(told === null || told === 'unknown', 'I8: an expired token is withdrawn in the step that sees it expire');
    else if (isRejected) assert(told === null || told === 'unknown', 'I8: a confirmed rejection is withdrawn');
    else if (isGood(state, world)) assert(told === state.held.generation, 'I8: a good token is published');
  }
}

/** No progress while the token is usable is no failure; a report alone changes no phase but to start a refresh. */
function judgeProgress(before: CredentialState, event: Happening['event'], after: CredentialState, world: World): void {
  const isServing = before.held !== null && (knownLifeLeft(world, before.held.token.fingerprint) ?? 1) > 0;
  if (
    (event.type === 'refresh_succeeded' || event.type === 'persist_succeeded') &&
    event.attempt === before.attempt &&
    before.rejection === null &&
    isServing
  ) {
    assert(
      after.failures <= before.failures,
      'F19: an answer without progress is no failure while the token is usable',
    );
  }
  const isLoss = after.phase.kind === 'reauthorization_required' && after.phase.reason === 'lost_response';
  const isRefusal = event.type === 'refresh_failed' && event.failure.class === 'terminal' && before.doubt !== null;
  // Known already while what was set aside is tried.
  const wasLoss = latchIn(before.phase) !== null;
  assert(!isLoss || wasLoss || isRefusal, 'F67: only an answer that refuses a guarded send is a lost response');
  if (event.type === 'rejection_reported') {
    const isCalm = after.phase.kind === before.phase.kind || after.phase.kind === 'refreshing' || hasMovedByTime(after);
    assert(isCalm, 'a report never latches');
  }
  if (event.type === 'refresh_failed' && before.held !== null && after.held !== null) {
    assert(after.held.token.fingerprint === before.held.token.fingerprint, 'I5: a failure does not drop the token');
  }
  if (event.type === 'persist_failed' && before.phase.kind === 'refreshing' && before.phase.stage === 'persisting') {
    const isCurrent = event.attempt === before.attempt;
    const isKept = event.winner !== null || after.unpersisted !== null;
    assert(!isCurrent || isKept, 'F16: an answer that the store did not take is kept');
  }
  if (after.held !== null && before.held !== null && after.held.token.fingerprint !== before.held.token.fingerprint) {
    assert(after.held.generation > before.held.generation, 'I10: a new token has a new generation');
  }
}

const hasMovedByTime = (after: CredentialState): boolean =>
  after.phase.kind === 'absent' || after.phase.kind === 'stopped';

/**
 * Left alone, with only its own deadlines to wake it, a credential makes its next attempt within a bound, and never sleeps past an expiry.
 */
export function judgeSilence(subject: Subject, from: CredentialState, start: World): void {
  let [state, world] = [from, start];
  const isPatient = () => state.phase.kind === 'reauthorization_required' || state.phase.kind === 'absent';
  for (let passed = 0; passed < SILENCE_MAX_MS; ) {
    if (state.phase.kind === 'refreshing' || state.phase.kind === 'stopped' || state.unpersisted !== null) return;
    if (isPatient() && !isServedFor(state, world)) return;
    if (state.held?.token.expiry.kind === 'never' && state.failures === 0) return;
    const delay = subject.nextDeadline(state, world.now);
    assert(delay !== null && delay > 0, 'I9: a wake-up is planned');
    passed += delay;
    world = sleeping(world, delay);
    const left = state.held === null ? null : knownLifeLeft(world, state.held.token.fingerprint);
    const isServed = state.deliveries.some(({ told }) => typeof told === 'number');
    assert(left === null || left >= 0 || !isServed, 'I8: nobody sleeps past the expiry of a published token');
    const { state: next, effects } = subject.step(state, { type: 'tick' }, world.now);
    if (effects.some(({ type }) => type === 'begin_attempt')) return;
    state = answeredAtOnce(next);
  }
  assert(false, `A5: an attempt follows within ${SILENCE_MAX_MS / UNIT} units of silence`);
}

/** Something is published that will end. */
function isServedFor(state: CredentialState, world: World): boolean {
  const left = state.held === null ? null : knownLifeLeft(world, state.held.token.fingerprint);
  return left !== null && left > 0;
}

/** Longer than the life of a token and every wait together, shorter than the store check. */
const SILENCE_MAX_MS = 20 * UNIT;

const answeredAtOnce = (state: CredentialState): CredentialState => ({
  ...state,
  storeCheckInFlight: false,
  deliveries: state.deliveries.map((delivery) => ({ ...delivery, status: 'done', retryDue: null })),
  sentinel: { ...state.sentinel, status: 'done', retryDue: null },
  alerts: state.alerts.map((record) => ({ ...record, status: 'sent', retryDue: null })),
});

const sleeping = (world: World, delayMs: number): World => ({
  ...world,
  now: {
    wallMs: (world.now.wallMs + delayMs) as Now['wallMs'],
    monotonicMs: (world.now.monotonicMs + delayMs) as Now['monotonicMs'],
  },
});
