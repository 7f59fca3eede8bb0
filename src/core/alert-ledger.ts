/**
 * The ledger of messages to people: what was announced, what is to be sent, and what became of it. For credentials and for chains.
 *
 * Rule: the same occurrence is announced once in a while, not each time; a message counts as sent only when a sink accepted it.
 */
import type { Alert, Effect } from './effect.ts';
import type { AlertKind, Limits } from './policy.ts';
import { after } from './schedule.ts';
import type { AlertRecord, Delivery, Episode, HeldToken } from './state.ts';
import type { EpochMs, Now } from './token.ts';

/** What announces. A chain has neither episodes nor a token of its own. */
export interface Announcer {
  readonly name: string;
  readonly policy: {
    /** Kinds that are switched on. */
    readonly alerts: readonly AlertKind[];
    readonly limits: Pick<Limits, 'effectTimeoutMs' | 'occurrenceMs' | 'alertRetryMs' | 'alertRetryMaxMs'>;
  };
  readonly alerts: readonly AlertRecord[];
  readonly episode?: Episode | null;
  readonly failures?: number;
  readonly held?: HeldToken | null;
}

/** Announces an occurrence, unless the same was announced lately. */
export function raise<S extends Announcer>(
  state: S,
  kind: AlertKind,
  now: Now,
  about: { readonly code: string; readonly target?: string; readonly until?: EpochMs },
): S {
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

/** A message to be sent at once. */
export function owed(
  state: Announcer,
  about: Pick<Alert, 'kind' | 'code' | 'target' | 'until'>,
  now: Now,
): AlertRecord {
  const expiry = state.held?.token.expiry;
  const alert: Alert = {
    id: [state.name, about.kind, now.wallMs, about.target].filter(Boolean).join(':'),
    kind: about.kind,
    at: now.wallMs,
    episodeStartedAt: state.episode?.startedAt ?? null,
    failures: state.failures ?? 0,
    code: about.code,
    expiresAt: expiry?.kind === 'known' ? expiry.expiresAt : null,
    target: about.target,
    ...(about.until === undefined ? {} : { until: about.until }),
  };
  return { alert, status: 'failed', tries: 0, retryDue: now.monotonicMs };
}

/** Announces a target that does not take the token, and that it takes it again. */
export function oweDeliveries<S extends Announcer>(state: S, deliveries: readonly Delivery[], now: Now): S {
  return deliveries.reduce((known, { target, failures, code, status, told }) => {
    const announced = isDeliveryFailureOpen(known, target);
    if (!announced && status === 'failed' && failures >= DELIVERY_FAILURES && code !== null) {
      return raise(known, 'delivery_failed', now, { code, target });
    }
    // After a start nothing was delivered yet, so nothing is known to work again.
    if (announced && status === 'done' && told !== 'unknown') return callOff(known, target, now);
    return known;
  }, state);
}

/** By the order of the records, in which each new one comes last: a clock that was set back puts their stamps in another one. */
function isDeliveryFailureOpen({ alerts }: Announcer, target: string): boolean {
  const place = (kind: AlertKind) => alerts.findIndex(({ alert }) => alert.kind === kind && alert.target === target);
  return place('delivery_failed') > place('delivery_restored');
}

/** The failure stays on record, so that a target that comes and goes is announced once in a while and not each time. */
function callOff<S extends Announcer>(state: S, target: string, now: Now): S {
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

/** Sends what is due. */
export function sendDue<S extends Announcer>(
  state: S,
  now: Now,
): { readonly state: S; readonly effects: readonly Effect[] } {
  const effects: Effect[] = [];
  const alerts = state.alerts.map((record) => {
    if (record.retryDue === null || record.retryDue > now.monotonicMs) return record;
    effects.push({ type: 'send_alert', alert: record.alert });
    return { ...record, status: 'sending' as const, retryDue: after(now, 2 * state.policy.limits.effectTimeoutMs) };
  });
  return effects.length === 0 ? { state, effects } : { state: { ...state, alerts }, effects };
}

export function alertDelivered<S extends Announcer>(state: S, id: string): S {
  return withRecord(state, id, (record) => ({ ...record, status: 'sent', retryDue: null }));
}

export function alertFailed<S extends Announcer>(state: S, id: string, now: Now): S {
  const { alertRetryMs, alertRetryMaxMs } = state.policy.limits;
  return withRecord(state, id, (record) => {
    const waitMs = Math.min(alertRetryMaxMs, alertRetryMs * 2 ** record.tries);
    const tries = waitMs >= alertRetryMaxMs ? record.tries : record.tries + 1;
    return { ...record, status: 'failed', tries, retryDue: after(now, waitMs) };
  });
}

function withRecord<S extends Announcer>(state: S, id: string, change: (record: AlertRecord) => AlertRecord): S {
  const alerts = state.alerts.map((record) =>
    record.alert.id === id && record.status === 'sending' ? change(record) : record,
  );
  return { ...state, alerts };
}

/** A delivery that fails twice in a row is worth a message; one that heals within seconds is not. */
const DELIVERY_FAILURES = 2;
