/**
 * Which message is owed to a person now, once each.
 *
 * An episode starts with the first failure and ends with the next good token. Rule: a message is owed by what is true of the
 * state, recorded when it is given to the shell, and counts as sent only when a sink accepted it.
 */
import type { Alert, Effect } from './effect.ts';
import type { AlertKind } from './policy.ts';
import { after } from './schedule.ts';
import type { AlertRecord, CredentialState, Step } from './state.ts';
import type { EpochMs, Now } from './token.ts';

/** Kinds that belong to an episode; all others announce an occurrence. */
const EPISODE_KINDS = ['first_failure', 'escalated', 'recovering', 'reauthorization_required'] as const;

/** A third failure in a row is no hiccup. */
const ESCALATION_FAILURES = 3;

/** A delivery that fails twice in a row is worth a message; one that heals within seconds is not. */
const DELIVERY_FAILURES = 2;

export const hasOpenEpisode = ({ episode }: CredentialState): boolean => episode !== null && episode.endedAt === null;

export function beginEpisode(state: CredentialState, code: string, now: Now): CredentialState {
  if (hasOpenEpisode(state)) return state;
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
  about: { readonly code: string; readonly target?: string; readonly until?: EpochMs },
): CredentialState {
  if (!state.policy.alerts.includes(kind)) return state;
  const target = about.target ?? null;
  const isSame = ({ alert }: AlertRecord): boolean =>
    alert.kind === kind && alert.target === target && (kind !== 'suspicious_refresh_rate' || alert.code === about.code);
  const isLately = state.alerts.some((record) => {
    const ageMs = now.wallMs - record.alert.at;
    // A stamp from the future is of a clock that was set back since.
    return isSame(record) && ageMs >= 0 && ageMs < state.policy.limits.occurrenceMs;
  });
  if (isLately) return state;
  const others = state.alerts.filter((record) => !isSame(record));
  return { ...state, alerts: [...others, owed(state, { ...about, kind, target }, now)] };
}

function owed(state: CredentialState, about: Pick<Alert, 'kind' | 'code' | 'target' | 'until'>, now: Now): AlertRecord {
  const alert: Alert = {
    id: [state.name, about.kind, now.wallMs, about.target].filter(Boolean).join(':'),
    kind: about.kind,
    at: now.wallMs,
    episodeStartedAt: state.episode?.startedAt ?? null,
    failures: state.failures,
    code: about.code,
    expiresAt: state.held?.token.expiry.kind === 'known' ? state.held.token.expiry.expiresAt : null,
    target: about.target,
    ...(about.until === undefined ? {} : { until: about.until }),
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
  const wasAskedToAct = state.alerts.some((record) => record.alert.kind === 'reauthorization_required');
  const news = EPISODE_KINDS.filter(
    (kind) => isTrue(state, kind) && isMissing(kind) && !(kind === 'first_failure' && wasAskedToAct),
  ).map((kind) => owed(state, { kind, code: codeOf(state), target: null }, now));
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
  return state.deliveries.reduce((known, { target, failures, code, status, told }) => {
    const announced = isDeliveryFailureOpen(known, target);
    if (!announced && status === 'failed' && failures >= DELIVERY_FAILURES && code !== null) {
      return raise(known, 'delivery_failed', now, { code, target });
    }
    // After a start nothing was delivered yet, so nothing is known to work again.
    if (announced && status === 'done' && told !== 'unknown') return callOff(known, target, now);
    return known;
  }, state);
}

function isDeliveryFailureOpen({ alerts }: CredentialState, target: string): boolean {
  const latest = (kind: AlertKind) => alerts.find(({ alert }) => alert.kind === kind && alert.target === target)?.alert;
  const [failed, restored] = [latest('delivery_failed'), latest('delivery_restored')];
  return failed !== undefined && (restored === undefined || restored.at < failed.at);
}

/** The failure stays on record, so that a target that comes and goes is announced once in a while and not each time. */
function callOff(state: CredentialState, target: string, now: Now): CredentialState {
  const isOf = (kind: AlertKind) => (record: AlertRecord) =>
    record.alert.kind === kind && record.alert.target === target;
  const status = state.alerts.find(isOf('delivery_failed'))?.status;
  // On its way: what comes of it decides.
  if (status === 'sending') return state;
  const others = state.alerts.filter((record) => !isOf('delivery_restored')(record));
  if (status === 'sent')
    return raise({ ...state, alerts: others }, 'delivery_restored', now, { code: 'delivered', target });
  return { ...state, alerts: others.filter((record) => !isOf('delivery_failed')(record)) };
}

/** Repeats an open re-authorization alert. */
function oweReminder(state: CredentialState, now: Now): CredentialState {
  const { reminderMs } = state.policy;
  const isDue = ({ alert, status }: AlertRecord) =>
    reminderMs !== null &&
    alert.kind === 'reauthorization_required' &&
    status === 'sent' &&
    now.wallMs - alert.at >= reminderMs;
  if (!state.alerts.some(isDue)) return state;
  return oweEpisode({ ...state, alerts: state.alerts.filter((record) => !isDue(record)) }, now);
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
