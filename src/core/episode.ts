/**
 * Which message is owed to a person now, once each.
 *
 * An episode starts with the first failure and ends with the next good token. Rule: a message is owed by what is true of the
 * state, recorded when it is given to the shell, and counts as sent only when a sink accepted it.
 */
import type { Alert, Effect } from './effect.ts';
import type { AlertKind } from './policy.ts';
import { after, expiresAtOf } from './schedule.ts';
import type { AlertRecord, CredentialState, Step } from './state.ts';
import type { Now } from './token.ts';

/** Kinds that belong to an episode; all others announce an occurrence. */
const EPISODE_KINDS = ['first_failure', 'escalated', 'recovering', 'reauthorization_required'] as const;

/** A third failure in a row is no hiccup. */
const ESCALATION_FAILURES = 3;

/** A delivery that fails twice in a row is worth a message; one that heals within seconds is not. */
const DELIVERY_FAILURES = 2;

const DAY_MS = 24 * 3_600_000;
const REFRESH_TOKEN_WARNINGS_MS = [7 * DAY_MS, 3 * DAY_MS, DAY_MS];

export function beginEpisode(state: CredentialState, code: string, now: Now): CredentialState {
  if (state.episode !== null && state.episode.endedAt === null) return state;
  const alerts = state.alerts.filter((record) => !belongsToEpisode(record));
  return { ...state, episode: { startedAt: now.wallMs, code, endedAt: null }, alerts };
}

export function endEpisode(state: CredentialState, now: Now): CredentialState {
  if (state.episode === null || state.episode.endedAt !== null) return state;
  return { ...state, episode: { ...state.episode, endedAt: now.wallMs } };
}

function belongsToEpisode(record: AlertRecord): boolean {
  return record.alert.kind === 'restored' || EPISODE_KINDS.some((kind) => kind === record.alert.kind);
}

/** Announces an occurrence, unless the same was announced lately. */
export function raise(
  state: CredentialState,
  kind: AlertKind,
  now: Now,
  about: { readonly code: string; readonly target?: string },
): CredentialState {
  if (!state.policy.alerts.includes(kind)) return state;
  const target = about.target ?? null;
  const isLately = state.alerts.some(
    ({ alert }) =>
      alert.kind === kind && alert.target === target && now.wallMs - alert.at < state.policy.limits.occurrenceMs,
  );
  if (isLately) return state;
  const others = state.alerts.filter(({ alert }) => alert.kind !== kind || alert.target !== target);
  return { ...state, alerts: [...others, owed(state, { kind, code: about.code, target }, now)] };
}

function owed(
  state: CredentialState,
  about: { readonly kind: AlertKind; readonly code: string | null; readonly target: string | null },
  now: Now,
): AlertRecord {
  const alert: Alert = {
    id: [state.name, about.kind, now.wallMs, about.target].filter(Boolean).join(':'),
    kind: about.kind,
    at: now.wallMs,
    episodeStartedAt: state.episode?.startedAt ?? null,
    failures: state.failures,
    code: about.code,
    expiresAt: state.held === null ? null : expiresAtOf(state.held.token),
    target: about.target,
  };
  return { alert, status: 'failed', tries: 0, retryDue: now.monotonicMs };
}

/** Adds what the state owes, ends an episode that is over, and sends what is due. */
export function settleAlerts(before: CredentialState, now: Now): Step {
  const state = closeEpisode(oweReminder(oweDeliveries(oweEpisode(before, now), now), now), now);
  const effects: Effect[] = [];
  const alerts = state.alerts.map((record) => {
    if (record.retryDue === null || record.retryDue > now.monotonicMs) return record;
    effects.push({ type: 'send_alert', alert: record.alert });
    return { ...record, status: 'sending' as const, retryDue: after(now, 2 * state.policy.limits.effectTimeoutMs) };
  });
  return effects.length === 0 ? { state, effects } : { state: { ...state, alerts }, effects };
}

function oweEpisode(state: CredentialState, now: Now): CredentialState {
  if (state.episode === null || state.episode.endedAt !== null) return state;
  const isMissing = (kind: AlertKind) =>
    state.policy.alerts.includes(kind) && !state.alerts.some((record) => record.alert.kind === kind);
  const news = EPISODE_KINDS.filter((kind) => isTrue(state, kind) && isMissing(kind)).map((kind) =>
    owed(state, { kind, code: codeOf(state), target: null }, now),
  );
  return news.length === 0 ? state : { ...state, alerts: [...state.alerts, ...news] };
}

function isTrue(state: CredentialState, kind: (typeof EPISODE_KINDS)[number]): boolean {
  const isLatched = state.phase.kind === 'reauthorization_required';
  switch (kind) {
    case 'first_failure':
      // An episode that starts with a latch has one message: the one that names the command.
      return !isLatched;
    case 'escalated':
      return state.failures >= ESCALATION_FAILURES;
    case 'recovering':
      return state.failures > state.policy.maxRetries;
    case 'reauthorization_required':
      return isLatched;
  }
}

const codeOf = (state: CredentialState): string | null => state.lastFailure?.code ?? state.episode?.code ?? null;

/** What was announced is also called off; an episode nobody heard of ends in silence. */
function closeEpisode(state: CredentialState, now: Now): CredentialState {
  if (state.episode === null || state.episode.endedAt === null) return state;
  const wasHeard = state.alerts.some((record) => belongsToEpisode(record) && record.status !== 'failed');
  const others = state.alerts.filter((record) => !belongsToEpisode(record));
  const isOwed = wasHeard && state.policy.alerts.includes('restored');
  const restored = isOwed ? [owed(state, { kind: 'restored', code: state.episode.code, target: null }, now)] : [];
  return { ...state, episode: null, alerts: [...others, ...restored] };
}

function oweDeliveries(state: CredentialState, now: Now): CredentialState {
  return state.deliveries.reduce((known, { target, failures, code, status }) => {
    const announced = known.alerts.some(({ alert }) => alert.kind === 'delivery_failed' && alert.target === target);
    if (!announced && status === 'failed' && failures >= DELIVERY_FAILURES && code !== null) {
      return raise(known, 'delivery_failed', now, { code, target });
    }
    if (announced && status === 'done') return callOff(known, target, now);
    return known;
  }, state);
}

function callOff(state: CredentialState, target: string, now: Now): CredentialState {
  const alerts = state.alerts.filter(
    ({ alert }) => alert.target !== target || (alert.kind !== 'delivery_failed' && alert.kind !== 'delivery_restored'),
  );
  return raise({ ...state, alerts }, 'delivery_restored', now, { code: 'delivered', target });
}

/** Repeats an open re-authorization alert, and warns before the refresh token itself ends. */
function oweReminder(state: CredentialState, now: Now): CredentialState {
  const { reminderMs } = state.policy;
  const isDue = ({ alert, status }: AlertRecord) =>
    reminderMs !== null &&
    alert.kind === 'reauthorization_required' &&
    status === 'sent' &&
    now.wallMs - alert.at >= reminderMs;
  const reminded = state.alerts.some(isDue)
    ? { ...state, alerts: state.alerts.filter((record) => !isDue(record)) }
    : state;
  return warnOfRefreshTokenEnd(oweEpisode(reminded, now), now);
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

/** Delay until the next message may become due; null when none is waited for. */
export function alertDelayMs(state: CredentialState, now: Now): number | null {
  const delays = state.alerts.flatMap((record) =>
    record.retryDue === null ? [] : [record.retryDue - now.monotonicMs],
  );
  const { reminderMs } = state.policy;
  for (const { alert, status } of state.alerts) {
    if (reminderMs !== null && alert.kind === 'reauthorization_required' && status === 'sent') {
      delays.push(alert.at + reminderMs - now.wallMs);
    }
  }
  const nextWarningMs = REFRESH_TOKEN_WARNINGS_MS[state.refreshTokenWarnings];
  if (state.refreshTokenExpiresAt !== null && nextWarningMs !== undefined) {
    delays.push(state.refreshTokenExpiresAt - nextWarningMs - now.wallMs);
  }
  return delays.length === 0 ? null : Math.min(...delays);
}

export function alertDelivered(state: CredentialState, id: string): CredentialState {
  return withRecord(state, id, (record) => ({ ...record, status: 'sent', retryDue: null }));
}

export function alertFailed(state: CredentialState, id: string, now: Now): CredentialState {
  const { alertRetryMs, alertRetryMaxMs } = state.policy.limits;
  return withRecord(state, id, (record) => {
    const waitMs = Math.min(alertRetryMaxMs, alertRetryMs * 2 ** record.tries);
    const tries = waitMs >= alertRetryMaxMs ? record.tries : record.tries + 1;
    return { ...record, status: 'failed', tries, retryDue: after(now, waitMs) };
  });
}

function withRecord(state: CredentialState, id: string, change: (record: AlertRecord) => AlertRecord): CredentialState {
  const alerts = state.alerts.map((record) =>
    record.alert.id === id && record.status === 'sending' ? change(record) : record,
  );
  return { ...state, alerts };
}
