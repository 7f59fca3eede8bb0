/**
 * Which message is owed to a person now, once each.
 *
 * An episode starts with the first failure and ends with the next good token. Rule: a message is owed by what is true of the
 * state, and entered once into the ledger.
 */
import { oweDeliveries, owed, sendDue } from './alert-ledger.ts';
import type { AlertKind } from './policy.ts';
import type { AlertRecord, CredentialState, Step } from './state.ts';
import type { Now } from './token.ts';

/** Kinds that belong to an episode; all others announce an occurrence. */
const EPISODE_KINDS = ['first_failure', 'escalated', 'recovering', 'reauthorization_required'] as const;

/** A third failure in a row is no hiccup. */
const ESCALATION_FAILURES = 3;

export const hasOpenEpisode = ({ episode }: CredentialState): boolean => episode !== null && episode.endedAt === null;

export function beginEpisode(state: CredentialState, code: string, now: Now): CredentialState {
  if (hasOpenEpisode(state)) return state;
  const alerts = state.alerts.filter((record) => !belongsToEpisode(record));
  return { ...state, episode: { startedAt: now.wallMs, code, endedAt: null, isAnswered: false }, alerts };
}

export function endEpisode(state: CredentialState, now: Now): CredentialState {
  if (state.episode === null || state.episode.endedAt !== null) return state;
  return { ...state, episode: { ...state.episode, endedAt: now.wallMs } };
}

/** Another login than the one that a person was asked to replace. It may bring no good token, and so end no episode. */
export function answerEpisode(state: CredentialState): CredentialState {
  return state.episode === null ? state : { ...state, episode: { ...state.episode, isAnswered: true } };
}

function belongsToEpisode(record: AlertRecord): boolean {
  return record.alert.kind === 'restored' || EPISODE_KINDS.some((kind) => kind === record.alert.kind);
}

/** Adds what the state owes, ends an episode that is over, and sends what is due. */
export function settleAlerts(before: CredentialState, now: Now): Step {
  const owing = oweDeliveries(oweEpisode(before, now), before.deliveries, now);
  return sendDue(closeEpisode(oweReminder(owing, now), now), now);
}

function oweEpisode(before: CredentialState, now: Now): CredentialState {
  if (before.episode === null || before.episode.endedAt !== null) return before;
  const state = withoutAnsweredAsk(before);
  const isMissing = (kind: AlertKind) =>
    state.policy.alerts.includes(kind) && !state.alerts.some((record) => record.alert.kind === kind);
  const wasAskedToAct = state.alerts.some((record) => record.alert.kind === 'reauthorization_required');
  const news = EPISODE_KINDS.filter(
    (kind) => isTrue(state, kind) && isMissing(kind) && !(kind === 'first_failure' && wasAskedToAct),
  ).map((kind) => owed(state, { kind, code: codeOf(state), target: null }, now));
  return news.length === 0 ? state : { ...state, alerts: [...state.alerts, ...news] };
}

/** What was asked for was done, and the new login came to the same: the old message says nothing about it. */
function withoutAnsweredAsk(state: CredentialState): CredentialState {
  const { episode } = state;
  if (!episode?.isAnswered || !isTrue(state, 'reauthorization_required')) return state;
  const alerts = state.alerts.filter((record) => record.alert.kind !== 'reauthorization_required');
  return { ...state, episode: { ...episode, isAnswered: false }, alerts };
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
