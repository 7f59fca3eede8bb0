/**
 * The log of what happens to credentials: one record per transition, under stable names that can be grepped for; and figures.
 *
 * Rule: everything is derived from two states and the event between them; codes, names and numbers only, never a token.
 */
import { isExpired, leadOf, refreshes, wholeLifeMs } from '../core/schedule.ts';
import { type StandIn, standInText } from '../core/stand-in.ts';
import type { AlertRecord, CredentialState, Delivery, PhaseKind } from '../core/state.ts';
import type { Now } from '../core/token.ts';
import type { Transition } from './engine.ts';
import { observeMetrics } from './observe-metrics.ts';
import { createPutOffFilter, type Worth } from './observe-put-off.ts';
import type { LogLevel, LogPort } from './ports.ts';
import type { MetricsPort } from './ports-metrics.ts';

export interface ObserverOptions {
  readonly log: LogPort;
  /** Where figures go, if anywhere. */
  readonly metrics?: MetricsPort;
  /** What brings that credential back. */
  readonly remedy: (credential: string) => string;
  /** Who serves in its place, in each of its chains. */
  readonly standIns: (credential: string) => readonly StandIn[];
}

export function createObserver(options: ObserverOptions): (transition: Transition) => void {
  const { log, metrics } = options;
  /** Once for each credential and start: such a token comes again and again. */
  const saidShort = new Set<string>();
  const worthOf = createPutOffFilter();
  return (transition) => {
    const { before, after } = transition;
    if (metrics !== undefined) observeMetrics(transition, metrics);
    if (before === after) return;
    if (before.phase !== after.phase) observePhase(transition, worthOf(transition), options);
    const { credential } = transition;
    observeDeliveries({ credential }, before.deliveries, after.deliveries, log);
    observeAlerts({ credential }, before.alerts, after.alerts, log);
    if (before.unpersisted !== after.unpersisted) observeStore(transition, log);
    if (before.rejection !== after.rejection) observeRejection(transition, log);
    if (before.held !== after.held) observeLife(transition, saidShort, log);
  };
}

/** The name under which arriving in a phase is logged. */
const PHASE_RECORDS: Readonly<Record<PhaseKind, readonly [LogLevel, string]>> = {
  absent: ['warn', 'credential_absent'],
  fresh: ['info', 'credential_fresh'],
  refreshing: ['info', 'refresh_started'],
  backing_off: ['warn', 'refresh_failed'],
  recovering: ['warn', 'recovering'],
  reauthorization_required: ['warn', 'reauthorization_required'],
  stopped: ['info', 'credential_stopped'],
};

function observePhase(transition: Transition, worth: Worth, options: ObserverOptions): void {
  const { credential, event, before, after, now } = transition;
  const { log, remedy } = options;
  const hasMoved = before.phase.kind !== after.phase.kind || before.attempt !== after.attempt || worth === 'begun';
  if (!hasMoved || worth === 'held_back') return;
  const [level, name] = recordOf({ before, after, event });
  const isFailure = level === 'warn';
  log.write(level, name, {
    credential,
    from: before.phase.kind,
    to: after.phase.kind,
    cause: event.type,
    attempt: after.attempt,
    generation: after.held?.generation ?? null,
    reason: reasonOf(after),
    code: codeOf(after),
    ...(isFailure ? { class: after.lastFailure?.class ?? null, detail: detailOf(after) } : {}),
    ...(needsPerson(after) ? { instead: insteadOf(after, options, now), remedy: remedy(credential) } : {}),
  });
}

/** Said once per start of a credential that waited for a person before it, and still does. */
export function logStillWaiting(state: CredentialState, now: Now, options: ObserverOptions): void {
  const { log, remedy } = options;
  const { name, phase, attempt, lastFailure } = state;
  log.write('warn', PHASE_RECORDS[phase.kind][1], {
    credential: name,
    from: phase.kind,
    to: phase.kind,
    cause: 'start',
    attempt,
    generation: state.held?.generation ?? null,
    reason: reasonOf(state),
    code: codeOf(state),
    class: lastFailure?.class ?? null,
    detail: detailOf(state),
    instead: insteadOf(state, options, now),
    remedy: remedy(name),
  });
}

/** Back in `backing_off` without a failure of its own (a floor to wait for) is a plan, not a failure. */
function recordOf({
  before,
  after,
  event,
}: Pick<Transition, 'before' | 'after' | 'event'>): readonly [LogLevel, string] {
  if (before.phase.kind === 'refreshing' && after.phase.kind === 'fresh') {
    if (before.generation === after.generation) return ['info', 'refresh_without_progress'];
    return ['info', event.type === 'store_changed' ? 'token_adopted' : 'refresh_succeeded'];
  }
  // Stored without a refresh: an answer that was at hand before.
  if (after.phase.kind === 'refreshing' && after.phase.stage === 'persisting') return ['info', 'answer_resumed'];
  const isPlan = after.phase.kind === 'backing_off' && before.lastFailure === after.lastFailure;
  return isPlan ? ['info', 'refresh_planned'] : PHASE_RECORDS[after.phase.kind];
}

function reasonOf({ phase }: CredentialState): string | null {
  return phase.kind === 'refreshing' || phase.kind === 'reauthorization_required' ? phase.reason : null;
}

function codeOf({ phase, lastFailure }: CredentialState): string | null {
  if (phase.kind === 'reauthorization_required') return phase.code;
  return phase.kind === 'fresh' ? null : (lastFailure?.code ?? null);
}

function detailOf({ phase, lastFailure }: CredentialState): string | null {
  return phase.kind === 'absent' ? phase.detail : (lastFailure?.detail ?? null);
}

const needsPerson = ({ phase }: CredentialState): boolean =>
  phase.kind === 'reauthorization_required' || phase.kind === 'absent';

/** What consumers have meanwhile. */
function insteadOf({ name, held }: CredentialState, { standIns }: ObserverOptions, now: Now): string {
  const others = standInText(standIns(name));
  if (held === null || isExpired(held, now)) return others;
  return held.token.expiry.kind === 'known'
    ? `the present token until its expiry, then ${others}`
    : 'the present token';
}

/** Whose records they are. */
export type Owner = { readonly credential: string } | { readonly chain: string };

export function observeDeliveries(
  owner: Owner,
  before: readonly Delivery[],
  after: readonly Delivery[],
  log: LogPort,
): void {
  if (before === after) return;
  const former = new Map(before.map((delivery) => [delivery.target, delivery]));
  for (const delivery of after) {
    const record = deliveryRecord(former.get(delivery.target), delivery);
    if (record === null) continue;
    const { target, holds, code, remedy } = delivery;
    const generation = typeof holds === 'number' ? holds : null;
    const [level, name] = record;
    log.write(level, name, { ...owner, target, generation, ...(level === 'warn' ? { code, remedy } : {}) });
  }
}

function deliveryRecord(former: Delivery | undefined, delivery: Delivery): readonly [LogLevel, string] | null {
  if (former === undefined || former === delivery) return null;
  const { status, failures, code, holds } = delivery;
  if (status === 'failed') return failures === 1 || former.code !== code ? ['warn', 'publish_failed'] : null;
  if (status !== 'done' || former.status === 'done') return null;
  if (former.failures > 0) return ['info', 'publish_restored'];
  return holds === null ? ['info', 'withdrawn'] : ['debug', 'published'];
}

export function observeAlerts(
  owner: Owner,
  before: readonly AlertRecord[],
  after: readonly AlertRecord[],
  log: LogPort,
): void {
  if (before === after) return;
  const former = new Map(before.map((record) => [record.alert.id, record.status]));
  for (const { alert, status, tries } of after) {
    if (status === 'sending' || former.get(alert.id) === status) continue;
    const fields = { ...owner, kind: alert.kind, id: alert.id, code: alert.code };
    if (status === 'sent') log.write('info', 'alert_delivered', fields);
    else if (tries === 1) log.write('warn', 'alert_failed', fields);
  }
}

/** Where the floor alone fills the lead, a failed refresh leaves no time for another. */
function observeLife({ credential, after }: Transition, said: Set<string>, log: LogPort): void {
  const { held, policy } = after;
  if (held === null || said.has(credential) || !refreshes(policy)) return;
  const lifeMs = wholeLifeMs(held);
  if (lifeMs === null || leadOf(policy, held).marginMs > policy.minRefreshIntervalMs) return;
  said.add(credential);
  log.write('warn', 'token_short_lived', { credential, life_ms: lifeMs, floor_ms: policy.minRefreshIntervalMs });
}

function observeStore({ credential, before, after }: Transition, log: LogPort): void {
  const { unpersisted } = after;
  if (unpersisted === null) log.write('info', 'persist_restored', { credential, attempt: before.attempt });
  else if (before.unpersisted === null) {
    log.write('warn', 'persist_failed', { credential, attempt: unpersisted.attempt, code: unpersisted.code });
  }
}

/** Once when it is first reported, once when it is confirmed: a thousand consumers make no thousand records. */
function observeRejection({ credential, before, after }: Transition, log: LogPort): void {
  const { rejection } = after;
  if (rejection === null) return;
  const isNews = before.rejection?.generation !== rejection.generation;
  if (!isNews && before.rejection?.confirmed === rejection.confirmed) return;
  const { generation, confirmed } = rejection;
  log.write('warn', 'token_rejected', { credential, generation, confirmed });
}
