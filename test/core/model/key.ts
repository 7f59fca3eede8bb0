/**
 * The key under which two states of the walk count as the same: moments by their clamped distance from now, fingerprints by rank,
 * generations by their distance to the present one, attempts not at all.
 */
import { refilled } from '../../../src/core/schedule.ts';
import type { CredentialState, HeldToken, Phase } from '../../../src/core/state.ts';
import type { Fingerprint } from '../../../src/core/token.ts';
import { HORIZON, knownLifeLeft, PAST, UNIT, type World } from './world.ts';

/** Their age means nothing: they last as long as their episode. */
const EPISODE_KINDS: readonly string[] = [
  'first_failure',
  'escalated',
  'recovering',
  'reauthorization_required',
  'restored',
];

export function keyOf(state: CredentialState, world: World): string {
  const { wallMs, monotonicMs } = world.now;
  const clamp = (ms: number): number => Math.max(-PAST, Math.min(HORIZON, Math.round((ms / UNIT) * 8) / 8));
  const mono = (moment: number | null): number | null => (moment === null ? null : clamp(moment - monotonicMs));
  const wall = (moment: number | null): number | null => (moment === null ? null : clamp(moment - wallMs));
  const rank = ranker();
  const held = (token: HeldToken | null) =>
    token === null
      ? null
      : [
          rank(token.token.fingerprint),
          token.token.expiry.kind,
          token.token.expiry.kind === 'never' ? null : wall(token.token.expiry.expiresAt),
          token.lifeAtReceiptMs === null
            ? null
            : clamp(token.lifeAtReceiptMs - (monotonicMs - token.receivedAt.monotonicMs)),
          token.lifeAtReceiptMs === null ? null : clamp(token.lifeAtReceiptMs),
          // Only "within the quick limit" matters of its age.
          monotonicMs - token.receivedAt.monotonicMs < state.policy.limits.quickRejectionMs,
          wall(token.token.notBefore),
          token.token.obtainedAt === null || token.token.expiry.kind === 'never'
            ? null
            : clamp(token.token.expiry.expiresAt - token.token.obtainedAt),
        ];
  const rejection = state.rejection;
  return JSON.stringify([
    phaseKey(state.phase, { mono, rank, clamp }),
    state.stopping,
    held(state.held),
    held(state.incoming),
    rank(state.grant),
    state.superseded.map(rank),
    rank(state.generationOf),
    mono(state.lastBegan),
    state.failures,
    // A moment that has passed holds nothing back.
    state.notBefore !== null && state.notBefore > monotonicMs ? mono(state.notBefore) : null,
    state.rateLimitDoublings,
    bucketKey(state, world, mono),
    state.jumpGraceUntil !== null && state.jumpGraceUntil > monotonicMs ? mono(state.jumpGraceUntil) : null,
    state.doubt === null ? null : [rank(state.doubt.fingerprint), state.doubt.sends, mono(state.doubt.settlesAt)],
    rank(state.refusal?.fingerprint ?? null),
    state.refusal?.reason,
    rank(state.clockBlamedFor),
    state.unpersisted === null
      ? null
      : [
          rank(state.unpersisted.answer.grant.fingerprint),
          state.unpersisted.failures,
          mono(state.unpersisted.retryDue),
        ],
    setAsideKey(state, { wall, rank }),
    rejection === null
      ? null
      : [rejection.peer, mono(rejection.firstAt), mono(rejection.lastAt), rejection.confirmed, rejection.refresh],
    state.quickRejections,
    state.peers.map((peer) => [
      peer.peer,
      peer.brought === null ? null : Math.min(2, state.generation - peer.brought),
      peer.distrustedUntil !== null && peer.distrustedUntil > monotonicMs ? mono(peer.distrustedUntil) : null,
      peer.doublings,
    ]),
    state.wanted,
    state.demandedFor === state.generation,
    // Its age matters for the wait of a recovery, and until somebody was told.
    state.held === null || state.episode?.endedAt !== null ? wall(state.downSince) : state.downSince === null,
    state.refreshedFor === state.generation,
    state.deliveries.map((delivery) => [
      typeof delivery.told === 'number' ? Math.min(2, state.generation - delivery.told) : delivery.told,
      delivery.status,
      typeof delivery.holds === 'number' ? Math.min(2, state.generation - delivery.holds) : delivery.holds,
      delivery.failures,
      mono(delivery.retryDue),
      wall(delivery.goodUntil),
    ]),
    [state.sentinel.status, mono(state.sentinel.retryDue)],
    state.episode === null ? null : [state.episode.endedAt === null, state.episode.isAnswered],
    state.alerts.map((record) => [
      record.alert.kind,
      record.status,
      record.tries,
      mono(record.retryDue),
      EPISODE_KINDS.includes(record.alert.kind) ? null : wall(record.alert.at),
    ]),
    [mono(state.storeCheckDue), state.storeCheckInFlight],
    worldKey(world, { mono, clamp, rank, state }),
  ]);
}

/** As it will be found when it is next looked at. */
function bucketKey(state: CredentialState, world: World, mono: Lens['mono']): unknown {
  const bucket = refilled(state, world.now);
  return [bucket.attempts, bucket.attempts === state.policy.limits.attemptBurst ? 0 : mono(bucket.refilledAt)];
}

function ranker(): (fingerprint: Fingerprint | null) => number | null {
  const ranks = new Map<Fingerprint, number>();
  return (fingerprint) => {
    if (fingerprint === null) return null;
    const known = ranks.get(fingerprint) ?? ranks.size;
    ranks.set(fingerprint, known);
    return known;
  };
}

function setAsideKey(
  { setAside }: CredentialState,
  { wall, rank }: { readonly wall: (moment: number | null) => number | null; readonly rank: Lens['rank'] },
): unknown {
  if (setAside === null) return null;
  const { fingerprint, token } = setAside.answer.grant;
  const end = token === null || token.expiry.kind === 'never' ? null : wall(token.expiry.expiresAt);
  return [rank(fingerprint), token?.expiry.kind ?? null, end];
}

/** When what the file may hold ends. */
function endIn({ tokens, now }: World, print: Fingerprint | null, { clamp }: Lens): string {
  const expiry = print === null ? undefined : tokens.get(print)?.expiry;
  if (expiry === undefined) return 'empty';
  return expiry.kind === 'known' ? String(clamp(expiry.expiresAt - now.wallMs)) : 'never';
}

interface Lens {
  readonly mono: (moment: number | null) => number | null;
  readonly clamp: (ms: number) => number;
  readonly rank: (fingerprint: Fingerprint | null) => number | null;
}

function phaseKey(phase: Phase, lens: Lens): unknown {
  switch (phase.kind) {
    case 'fresh':
      return [phase.kind, phase.refreshAtLifeLeftMs === null ? null : lens.clamp(phase.refreshAtLifeLeftMs)];
    case 'refreshing':
      return [
        phase.kind,
        phase.stage,
        phase.reason === 'rejection',
        phase.guard,
        lens.mono(phase.deadline),
        answerKey(phase, lens),
        phase.impasse === undefined ? null : phaseKey(phase.impasse, lens),
      ];
    case 'backing_off':
    case 'recovering':
      return [phase.kind, lens.mono(phase.due), phase.impasse === undefined ? null : phaseKey(phase.impasse, lens)];
    case 'reauthorization_required':
      return [phase.kind, phase.reason, lens.mono(phase.probeDue), phase.local];
    default:
      return [phase.kind];
  }
}

function answerKey({ answer }: Extract<Phase, { kind: 'refreshing' }>, lens: Lens): unknown {
  return answer === null
    ? null
    : [lens.rank(answer.grant.fingerprint), lens.rank(answer.grant.token?.fingerprint ?? null)];
}

function worldKey(world: World, lens: Lens & { readonly state: CredentialState }): unknown {
  const { state } = lens;
  const left = state.held === null ? null : knownLifeLeft(world, state.held.token.fingerprint);
  return [
    world.openAttempt !== null,
    lens.mono(world.lastBegan),
    world.retryAfterUntil !== null && world.retryAfterUntil > world.now.monotonicMs
      ? lens.mono(world.retryAfterUntil)
      : null,
    world.forced,
    lens.rank(world.untried),
    state.grant !== null && world.unanswered.has(state.grant),
    world.slot === null
      ? null
      : [lens.rank(world.slot.grant.fingerprint), world.sentAside.has(world.slot.grant.fingerprint)],
    left === null ? null : lens.clamp(left),
    world.reports?.generation === state.generation
      ? [lens.mono(world.reports.first), lens.mono(world.reports.last)]
      : null,
    world.told,
    [...new Set(world.file.possible.map((print) => endIn(world, print, lens)))].sort(),
  ];
}
