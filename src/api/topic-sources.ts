/**
 * What subscribers are to know of one credential or chain at this moment, as text.
 *
 * Rule: only looks; what has changed since is judged by topics.ts.
 */
import { alertText } from '../core/alert-text.ts';
import { readChain } from '../core/chain-view.ts';
import type { AlertRecord } from '../core/state.ts';
import type { Generation } from '../core/token.ts';
import { describePhase, readToken } from '../core/view.ts';
import type { DaemonPort } from '../daemon/ports.ts';
import { chainBody } from './chain-bodies.ts';
import type { ChainEvent, PhaseEvent } from './protocol.ts';
import { alertEvent, chainEvent, phaseEvent, tokenEvent } from './wire.ts';

export interface Seen {
  /** Which event says how it stands. */
  readonly kind: 'phase' | 'chain';
  /** Whose token it is. */
  readonly source: string | null;
  /** Data of `token`; null while there is none to be used. */
  readonly token: string | null;
  readonly generation: Generation | null;
  /** Data of `phase` or `chain`. */
  readonly standing: string;
  /** Data of `alert`, made when somebody is to be told. */
  readonly alerts: readonly { readonly id: string; readonly data: () => string }[];
  readonly isRemoved: boolean;
}

/** @returns null when neither a credential nor a chain has that name */
export function lookAt(daemon: DaemonPort, name: string): Seen | null {
  return lookAtCredential(daemon, name) ?? lookAtChain(daemon, name);
}

function lookAtCredential(daemon: DaemonPort, name: string): Seen | null {
  const state = daemon.state(name);
  if (state === undefined) return null;
  const now = daemon.now();
  const read = readToken(state, now);
  const remedy = daemon.remedy(name);
  return {
    kind: 'phase',
    ...tokenOf(read.kind === 'token' ? { source: { credential: name, chain: null }, token: read } : null),
    standing: JSON.stringify(phaseEvent(describePhase(state, now), read, remedy)),
    alerts: alertsOf(daemon, { name, alerts: state.alerts, remedy }),
    isRemoved: false,
  };
}

function lookAtChain(daemon: DaemonPort, name: string): Seen | null {
  const state = daemon.chains.state(name);
  if (state === undefined) return null;
  const read = readChain(state, (credential) => daemon.state(credential), daemon.now());
  const remedy = state.members.map(({ credential }) => `${credential}: ${daemon.remedy(credential)}`).join('; ');
  return {
    kind: 'chain',
    ...tokenOf(read.kind === 'token' ? { source: { credential: read.credential, chain: name }, token: read } : null),
    standing: JSON.stringify(chainEvent(chainBody(daemon, state, null), read)),
    alerts: alertsOf(daemon, { name, alerts: state.alerts, remedy }),
    isRemoved: false,
  };
}

function tokenOf(given: Parameters<typeof tokenEvent>[0] | null): Pick<Seen, 'source' | 'token' | 'generation'> {
  if (given === null) return { source: null, token: null, generation: null };
  const { credential: source } = given.source;
  return { source, token: JSON.stringify(tokenEvent(given)), generation: given.token.generation };
}

function alertsOf(
  daemon: DaemonPort,
  { name, alerts, remedy }: { name: string; alerts: readonly AlertRecord[]; remedy: string },
): Seen['alerts'] {
  return alerts.map(({ alert }) => ({
    id: alert.id,
    data: () => {
      const standIns = daemon.chains.standIns(name);
      const words = alertText(alert, { credential: name, remedy, standIns, now: daemon.now().wallMs });
      return JSON.stringify(alertEvent(name, alert, words));
    },
  }));
}

/** What a reload took out. */
export function removed(name: string, kind: Seen['kind']): Seen {
  const phase: PhaseEvent = {
    credential: name,
    phase: 'removed',
    reason: null,
    status: 'none',
    refreshable: false,
    generation: null,
    rejection_pending: false,
    remedy: null,
  };
  const chain: ChainEvent = {
    chain: name,
    credential: null,
    status: 'removed',
    generation: null,
    rejection_pending: false,
    instead_of: null,
    members: [],
  };
  const standing = JSON.stringify(kind === 'phase' ? phase : chain);
  return { kind, source: null, token: null, generation: null, standing, alerts: [], isRemoved: true };
}
