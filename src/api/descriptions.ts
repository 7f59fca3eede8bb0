/**
 * What the daemon says of itself and of its credentials: descriptions, liveness, readiness.
 *
 * Rule: only looks; no secret passes through here.
 */
import { explain } from '../core/explain.ts';
import { isProgressing, WATCHDOG_MS_DEFAULT, watchOf } from '../core/progress.ts';
import type { CredentialState } from '../core/state.ts';
import type { Now } from '../core/token.ts';
import { describe, readiness } from '../core/view.ts';
import type { DaemonPort } from '../daemon/ports.ts';
import { chainBodies, chainsReady } from './chain-bodies.ts';
import type { Consumers } from './consumers.ts';
import type {
  ConsumersBody,
  CredentialBody,
  CredentialDetailBody,
  CredentialsBody,
  LiveBody,
  ReadyBody,
} from './protocol.ts';
import { credentialOnWire, iso } from './wire.ts';

export function credentialsBody(daemon: DaemonPort, consumers: Consumers): CredentialsBody {
  const now = daemon.now();
  const looks = { left: CONSUMER_LOOKS_MAX };
  return {
    daemon: { version: daemon.version, started_at: iso(daemon.startedAt), config_path: daemon.configPath },
    credentials: states(daemon).map((state) =>
      credentialBody(daemon, { state, consumers: consumers.summary(state.name, looks) }, now),
    ),
    chains: chainBodies(daemon, (chain) => consumers.summary(chain, looks)),
  };
}

export function credentialDetailBody(
  daemon: DaemonPort,
  state: CredentialState,
  consumers: Consumers,
): CredentialDetailBody {
  const now = daemon.now();
  const detail = consumers.detail(state.name);
  return {
    ...credentialBody(daemon, { state, consumers: detail }, now),
    explanation: explain(state, now),
    consumers: detail,
  };
}

function credentialBody(
  daemon: DaemonPort,
  { state, consumers }: { readonly state: CredentialState; readonly consumers: ConsumersBody | null },
  now: Now,
): CredentialBody {
  const chains = daemon.chains.of(state.name);
  const facts = {
    consumers,
    chains,
    variable: daemon.variable(state.name),
    remedy: daemon.remedy(state.name),
    fault: daemon.fault?.(state.name) ?? null,
  };
  return credentialOnWire(describe(state, now), facts, now);
}

export function liveBody(daemon: DaemonPort): LiveBody {
  const { wallMs, monotonicMs } = daemon.now();
  const pulse = daemon.pulse();
  const isStalled = pulse !== null && !isProgressing(pulse, STALL_PATIENCE_MS, monotonicMs);
  return {
    status: isStalled ? 'stalled' : 'live',
    version: daemon.version,
    uptime_seconds: Math.max(0, Math.floor((wallMs - daemon.startedAt) / 1000)),
    overdue_seconds: isStalled ? Math.floor((monotonicMs - pulse.dueAt) / 1000) : null,
  };
}

export function readyBody(daemon: DaemonPort): ReadyBody {
  const now = daemon.now();
  const credentials = states(daemon).map((state) => {
    const fault = daemon.fault?.(state.name) ?? null;
    const verdict = fault === null ? readiness(state, now) : { ready: false, reason: fault };
    return {
      credential: state.name,
      ...verdict,
      optional: state.policy.optional,
      chains: daemon.chains.of(state.name),
    };
  });
  const chains = chainsReady(daemon);
  // Where a chain serves, it counts, and its members do not: one of them may be down.
  const alone = credentials.filter(({ chains: joined }) => joined.length === 0);
  const ready = [...alone, ...chains].every((one) => one.ready || one.optional);
  return { ready, credentials, chains };
}

function states(daemon: DaemonPort): CredentialState[] {
  return daemon.names().flatMap((name) => daemon.state(name) ?? []);
}

// As patient as a watchdog of the usual length: whoever asks here and the service manager come to the same verdict.
const STALL_PATIENCE_MS = watchOf(WATCHDOG_MS_DEFAULT).patienceMs;

/** Some twenty milliseconds: readers of tokens wait behind whoever asks for the list. */
const CONSUMER_LOOKS_MAX = 100_000;
