/**
 * Queries about chains: what readers, operators and health checks are told at `now`. No step, no effect, no secret but the token asked for.
 */
import { isHeld, NO_USABLE_MEMBER, settlesInMs } from './chain.ts';
import type { Binding, ChainState, Lack, MemberView, Standing } from './chain-state.ts';
import { isUsable, whyDown } from './delivery.ts';
import { durationText } from './duration.ts';
import type { Policy } from './policy.ts';
import { holdEndsAt } from './rejection.ts';
import { after, lifeLeftMs, refreshes, wholeLifeMs } from './schedule.ts';
import type { CredentialState, Delivery, HeldToken } from './state.ts';
import { type EpochMs, type Generation, monotonicMs, type Now } from './token.ts';
import { type Readiness, readToken, type TokenRead } from './view.ts';

/** States by credential. */
type StateOf = (credential: string) => CredentialState | undefined;

/** A member as its chain sees it. @param state undefined: not taken in yet */
export function memberView(credential: string, state: CredentialState | undefined, now: Now): MemberView {
  if (state === undefined) return { ...UNKNOWN, credential };
  const { held, phase, rejection } = state;
  const needsPerson = phase.kind === 'reauthorization_required' || phase.kind === 'absent';
  if (held === null || !isUsable(state, now)) {
    const lack = { ...whyDown(state), needsPerson };
    return { ...UNKNOWN, credential, standing: 'unusable', lack, holdsNothing: held === null };
  }
  const { token, generation } = held;
  const known = { ...UNKNOWN, credential, token, generation };
  // One report is enough to step aside: somebody else can serve, and nobody's token is taken away by it.
  const doubtEndsAt = rejection === null ? null : monotonicMs(holdEndsAt(state, rejection));
  const isDoubtOver = doubtEndsAt !== null && doubtEndsAt <= now.monotonicMs;
  if (rejection !== null && (rejection.refresh === 'started' || !isDoubtOver)) {
    const lack = { reason: 'rejected', code: 'rejection_reported', needsPerson };
    return { ...known, standing: 'doubtful', lack, turnsAt: rejection.refresh === 'started' ? null : doubtEndsAt };
  }
  const leftMs = leftToServeMs(state.policy, held, now);
  if (leftMs === null || leftMs > 0) {
    return { ...known, standing: 'usable', lack: null, turnsAt: leftMs === null ? null : after(now, leftMs) };
  }
  return {
    ...known,
    standing: 'ending',
    lack: { reason: 'ending', code: state.lastFailure?.code ?? 'ending', needsPerson },
  };
}

/**
 * How long it may still be the choice of a chain; null: without end. A chain leaves it a little before its end, so that the
 * other token is with every reader before this one is of no more use; but not so early that a refresh that comes in order would
 * come after it, and the chain would turn to and fro at each.
 */
function leftToServeMs(policy: Policy, held: HeldToken, now: Now): number | null {
  const left = held.token.expiry.kind === 'known' ? lifeLeftMs(held, now) : null;
  if (left === null) return null;
  const orderlyMs = refreshes(policy) ? policy.refreshMarginMs / 2 : LEAVE_MS;
  return left - Math.min(LEAVE_MS, (wholeLifeMs(held) ?? left) / 10, orderlyMs);
}

// A push takes milliseconds; a file that a program reads once a second, and a machine that is busy, are in time too.
const LEAVE_MS = 5_000;

export const memberViews = ({ members }: ChainState, stateOf: StateOf, now: Now): readonly MemberView[] =>
  members.map(({ credential }) => memberView(credential, stateOf(credential), now));

const UNKNOWN: MemberView = {
  credential: '',
  standing: 'absent',
  token: null,
  generation: 0,
  lack: { reason: 'not_loaded', code: 'not_loaded', needsPerson: false },
  turnsAt: null,
  holdsNothing: false,
};

export type ChainRead =
  | (Extract<TokenRead, { kind: 'token' }> & { readonly credential: string })
  | {
      readonly kind: 'unusable';
      readonly code: 'reauthorization_required' | 'temporarily_unavailable';
      readonly members: readonly MemberLack[];
      /** When the first of them is tried again; null when a person must act for each. */
      readonly retryAfterMs: number | null;
    };

/** What one member of a chain lacks. */
export interface MemberLack extends Lack {
  readonly credential: string;
  /** Nothing is tried before a person acts. */
  readonly isLatched: boolean;
  readonly retryAfterMs: number | null;
}

/** The token in use, under the chain's generation; or what each member lacks. */
export function readChain(chain: ChainState, stateOf: StateOf, now: Now): ChainRead {
  const credential = chain.inUse?.credential;
  const state = credential === undefined ? undefined : stateOf(credential);
  if (credential !== undefined && state !== undefined) {
    const read = readToken(state, now);
    if (read.kind === 'token') return { ...read, credential, generation: chain.generation };
  }
  const members = chain.members.map((member) => lackOf(member.credential, stateOf(member.credential), now));
  const waits = members.flatMap(({ retryAfterMs }) => (retryAfterMs === null ? [] : [retryAfterMs]));
  return {
    kind: 'unusable',
    // What is only absent may be on its way; what is latched waits for a person.
    code: members.every(({ isLatched }) => isLatched) ? 'reauthorization_required' : 'temporarily_unavailable',
    members,
    retryAfterMs: waits.length === 0 ? null : Math.min(...waits),
  };
}

function lackOf(credential: string, state: CredentialState | undefined, now: Now): MemberLack {
  const { lack } = memberView(credential, state, now);
  const read = state === undefined ? null : readToken(state, now);
  const retryAfterMs = read?.kind === 'unusable' ? read.retryAfterMs : 0;
  // A token that came back since the last step is about to be taken.
  const known = lack ?? { reason: 'settling', code: 'settling', needsPerson: false };
  return { credential, ...known, isLatched: state?.phase.kind === 'reauthorization_required', retryAfterMs };
}

/** Whom a report about a generation of the chain concerns; null: a generation too old to be remembered, or never seen. */
export function bindingOf(chain: ChainState, generation: Generation): Binding | null {
  return chain.bindings.find((binding) => binding.generation === generation) ?? null;
}

export interface ChainDescription {
  readonly chain: string;
  /** In use; null: none is usable. */
  readonly credential: string | null;
  readonly generation: Generation | null;
  readonly since: EpochMs | null;
  /** What was in use before, and why it is not any more; null: nothing was, or a preferred one came back. */
  readonly instead: (Lack & { readonly of: string }) | null;
  /** Does not count for readiness: none of its members does. */
  readonly optional: boolean;
  readonly members: readonly {
    readonly credential: string;
    readonly standing: MemberView['standing'];
    readonly lack: Lack | null;
    /** Usable, and to be taken in so long if it stays so; null: not waited for. */
    readonly settlesInMs: number | null;
  }[];
  readonly publications: readonly Pick<Delivery, 'target' | 'status' | 'holds' | 'code' | 'remedy'>[];
}

export function describeChain(chain: ChainState, stateOf: StateOf, now: Now): ChainDescription {
  const { inUse, lastChange, bindings } = chain;
  const position = chain.members.findIndex(({ credential }) => credential === inUse?.credential);
  const left = lastChange?.from ?? null;
  const from = chain.members.some(({ credential }) => credential === left) ? left : null;
  const lack = lastChange?.lack ?? null;
  return {
    chain: chain.name,
    credential: inUse?.credential ?? null,
    generation: bindings.length === 0 ? null : chain.generation,
    since: inUse?.since ?? chain.downSince,
    instead: from === null || lack === null ? null : { of: from, ...lack },
    optional: chain.members.every(({ credential }) => stateOf(credential)?.policy.optional ?? false),
    members: memberViews(chain, stateOf, now).map(({ credential, standing, lack }, nth) => {
      const isAwaited = standing === 'usable' && (position < 0 || nth < position);
      return { credential, standing, lack, settlesInMs: isAwaited ? settlesInMs(chain, credential, now) : null };
    }),
    publications: chain.deliveries.map(({ target, status, holds, code, remedy }) => ({
      target,
      status,
      holds,
      code,
      remedy,
    })),
  };
}

/** A chain is ready with any member that is in use and delivered, whatever the others lack. */
export function chainReadiness(chain: ChainState, stateOf: StateOf, now: Now): Readiness {
  const read = readChain(chain, stateOf, now);
  if (read.kind === 'unusable') return { ready: false, reason: NO_USABLE_MEMBER };
  const undelivered = chain.deliveries.find(
    ({ target, holds }) => holds !== (isHeld(chain, target) ? chain.generation : null),
  );
  return undelivered === undefined ? { ready: true, reason: null } : { ready: false, reason: 'not_delivered' };
}

/** The whole story of a chain at `now`, a line each. */
export function explainChain(chain: ChainState, stateOf: StateOf, now: Now): string[] {
  const { credential, instead, since, members, publications } = describeChain(chain, stateOf, now);
  const forText = since === null ? '' : ` for ${durationText(Math.max(0, now.wallMs - since))}`;
  const head = credential === null ? `no member is usable${forText}` : `${credential} is in use${forText}`;
  const lines = [`${chain.name}: ${head}`];
  if (instead !== null) lines.push(`instead of ${instead.of}: ${lackText(instead)}`);
  for (const { credential: member, standing, lack, settlesInMs: inMs } of members) {
    if (lack !== null) lines.push(`${member}: ${lackText(lack)}; ${lastsText(standing, member === credential)}`);
    else if (inMs !== null) lines.push(`${member}: usable again; taken in ${durationText(inMs)} if it stays so`);
    else lines.push(`${member}: ${member === credential ? 'in use' : 'usable, held in reserve'}`);
  }
  for (const { target, code, remedy } of publications) {
    if (code !== null) lines.push(`${target}: ${code}; ${remedy}`);
  }
  return lines;
}

function lastsText(standing: Standing, isInUse: boolean): string {
  if (!isInUse) return 'skipped';
  return standing === 'ending' ? 'nobody else is there' : 'the last resort';
}

/** `expired (connection_refused)` */
export const lackText = ({ reason, code }: Pick<Lack, 'reason' | 'code'>): string =>
  reason === code ? reason : `${reason} (${code})`;
