/**
 * What a person should know although no attempt has failed: a refresh token that will end, a spent budget, a token that is long gone.
 *
 * Rule: each is announced once per occurrence, by what is true of the state; nothing here changes the schedule.
 */
import { raise } from './alert-ledger.ts';
import { isUsable, whyDown } from './delivery.ts';
import { beginEpisode, endEpisode, hasOpenEpisode } from './episode.ts';
import { refilled } from './schedule.ts';
import type { CredentialState, Step } from './state.ts';
import { type EpochMs, epochMs, type Grant, type Now } from './token.ts';

export function settleWarnings(state: CredentialState, now: Now): Step {
  const warned = warnOfBudget(warnOfRefreshTokenEnd(state, now), now);
  return { state: endRejectionEpisode(beginDownEpisode(warned, now), now), effects: [] };
}

/** Notes when the refresh token ends; what was announced of an earlier end counts for it too, unless it lies really later. */
export function withRefreshTokenEnd(state: CredentialState, endsAt: EpochMs | null): CredentialState {
  const before = state.refreshTokenExpiresAt;
  const isLater = endsAt !== null && before !== null && endsAt > before + SAME_END_MS;
  return {
    ...state,
    refreshTokenExpiresAt: endsAt,
    refreshTokenWarnings: isLater || endsAt === null ? 0 : state.refreshTokenWarnings,
  };
}

/** When the refresh token of an answer ends: as it says, else by the idle time from now on, else as before. */
export const refreshTokenEndOfAnswer = (state: CredentialState, grant: Grant, now: Now): EpochMs | null =>
  grant.refreshTokenExpiresAt ?? idleEnd(state, now.wallMs) ?? state.refreshTokenExpiresAt;

/** When that of a stored grant ends. One that was seen before has not been used by being seen again. */
export function refreshTokenEndOfStored(state: CredentialState, grant: Grant, now: Now): EpochMs | null {
  const isKnown = grant.fingerprint === state.grant;
  const usedAt = grant.token?.obtainedAt ?? (isKnown ? null : now.wallMs);
  const kept = isKnown && state.policy.refreshTokenIdleMs !== null ? state.refreshTokenExpiresAt : null;
  return grant.refreshTokenExpiresAt ?? idleEnd(state, usedAt) ?? kept;
}

function idleEnd({ policy }: CredentialState, usedAt: EpochMs | null): EpochMs | null {
  const { refreshTokenIdleMs } = policy;
  return refreshTokenIdleMs === null || usedAt === null ? null : epochMs(usedAt + refreshTokenIdleMs);
}

function warnOfRefreshTokenEnd(state: CredentialState, now: Now): CredentialState {
  const { refreshTokenExpiresAt } = state;
  if (refreshTokenExpiresAt === null) return state;
  const leftMs = refreshTokenExpiresAt - now.wallMs;
  const passed = REFRESH_TOKEN_WARNINGS_MS.filter((threshold) => leftMs <= threshold).length;
  if (passed <= state.refreshTokenWarnings) return state;
  const days = Math.max(0, Math.ceil(leftMs / DAY_MS));
  const open = { ...state, alerts: state.alerts.filter(({ alert }) => alert.kind !== 'refresh_token_expiring') };
  return raise({ ...open, refreshTokenWarnings: passed }, 'refresh_token_expiring', now, { code: `${days}_days` });
}

/** Judged between attempts: one that succeeds gives back what it took. */
function warnOfBudget(state: CredentialState, now: Now): CredentialState {
  const isSpent = state.phase.kind !== 'refreshing' && refilled(state, now).attempts === 0;
  return isSpent ? raise(state, 'suspicious_refresh_rate', now, { code: 'budget_spent' }) : state;
}

/**
 * Without a usable token for as long as a retry takes, and nobody was told, since nothing counts as a failure: a lock that
 * is never free, a store that takes no write, a static key that its consumers see refused.
 */
function beginDownEpisode(state: CredentialState, now: Now): CredentialState {
  const { downSince, policy } = state;
  const isLong = downSince !== null && now.wallMs - downSince >= policy.retryIntervalMs;
  if (!isLong || policy.optional || hasOpenEpisode(state) || isTrying(state)) return state;
  const { reason, code } = whyDown(state);
  return beginEpisode(state, reason === REJECTED ? REJECTED : (state.unpersisted?.code ?? code), now);
}

/** What a running attempt brings is known soon, by its own time limit; waiting in line has none. */
const isTrying = ({ phase }: CredentialState): boolean => phase.kind === 'refreshing' && phase.stage !== 'recording';

/** Nothing new comes for a key that only consumers complained of: when they are quiet for long, that is the end of it. */
function endRejectionEpisode(state: CredentialState, now: Now): CredentialState {
  const { episode, policy } = state;
  if (episode?.code !== REJECTED || episode.endedAt !== null || state.rejection !== null) return state;
  const isOver = isUsable(state, now) && now.wallMs - episode.startedAt >= policy.limits.occurrenceMs;
  return isOver ? endEpisode(state, now) : state;
}

/** Delay until the next warning may become due; null when none is waited for. */
export function warningDelayMs(state: CredentialState, now: Now): number | null {
  const delays: number[] = [];
  const { refreshTokenExpiresAt, downSince, policy } = state;
  const nextMs = REFRESH_TOKEN_WARNINGS_MS[state.refreshTokenWarnings];
  if (refreshTokenExpiresAt !== null && nextMs !== undefined) delays.push(refreshTokenExpiresAt - nextMs - now.wallMs);
  if (downSince !== null && !policy.optional && !hasOpenEpisode(state) && !isTrying(state)) {
    delays.push(downSince + policy.retryIntervalMs - now.wallMs);
  }
  return delays.length === 0 ? null : Math.min(...delays);
}

/** Code of an episode that consumers' reports began. */
export const REJECTED = 'rejected';

// An end that is stated as a duration wanders by seconds with each answer, and is still the same end.
const SAME_END_MS = 3_600_000;

const DAY_MS = 24 * 3_600_000;
const REFRESH_TOKEN_WARNINGS_MS = [7 * DAY_MS, 3 * DAY_MS, DAY_MS];
