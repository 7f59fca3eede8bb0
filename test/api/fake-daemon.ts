/**
 * A daemon port for tests: the real core on a clock that the test turns, without disk, script or server.
 *
 * Rule: effects are only collected; the test answers them by the facts that the shell would report.
 */
import { ownVersion } from '../../src/cli/version.ts';
import type { Effect, EffectType } from '../../src/core/effect.ts';
import type { Event } from '../../src/core/event.ts';
import type { Failure } from '../../src/core/failure.ts';
import { step } from '../../src/core/lifecycle.ts';
import { initialState } from '../../src/core/memory.ts';
import { LIMITS, type Policy } from '../../src/core/policy.ts';
import type { CredentialState } from '../../src/core/state.ts';
import { type EpochMs, epochMs, type Fingerprint, type Grant, monotonicMs, type Now } from '../../src/core/token.ts';
import { createChains, type ManagedChain } from '../../src/daemon/chains.ts';
import type { DaemonPort, LogPort, MemoryPort, ReloadResult } from '../../src/daemon/ports.ts';

export const START_MS = Date.UTC(2026, 10, 22, 12, 0, 0);
export const MINUTE_MS = 60_000;
export const HOUR_MS = 60 * MINUTE_MS;

/** How long it sleeps at most, as the real one does. */
const PULSE_MS = 30_000;

const POLICY: Policy = {
  method: 'script',
  resultInStore: false,
  mintsWithoutGrant: false,
  takesTokens: true,
  rotates: true,
  optional: false,
  scheme: 'bearer',
  refreshMarginMs: 30 * MINUTE_MS,
  window: null,
  refreshTokenIdleMs: null,
  retryIntervalMs: 5 * MINUTE_MS,
  maxRetries: 5,
  activeRecoveryIntervalMs: 30 * MINUTE_MS,
  refreshTimeoutMs: MINUTE_MS,
  killGraceMs: 5_000,
  minRefreshIntervalMs: 10_000,
  maxAttemptsPerHour: 30,
  settleMs: 2_000,
  storeCheckMs: MINUTE_MS,
  rejectionHoldMs: MINUTE_MS,
  jitterPercent: 0,
  jitterSeed: 0,
  alerts: [],
  reminderMs: null,
  limits: LIMITS,
};

export interface FakeDaemon extends DaemonPort {
  version: string;
  configPath: string;
  /** Adds a credential that holds nothing yet. */
  add(credential: string, policy?: Partial<Policy>): void;
  remove(credential: string): void;
  /** The store was read and held this token; null: there was nothing. */
  load(credential: string, accessToken: string | null, lifeMs?: number): void;
  /** The attempt under way ends well, with everything written. */
  succeed(credential: string, accessToken: string, lifeMs?: number): void;
  fail(credential: string, failure?: { code: string; class: 'transient' | 'terminal' }): void;
  /** A chain of credentials, most preferred first, that goes back to one after ten seconds. */
  addChain(chain: string, ...members: string[]): Promise<void>;
  removeChains(): Promise<void>;
  advance(byMs: number): void;
  /** Time passes, and nothing notices. */
  sleep(byMs: number): void;
  count(credential: string, effect: EffectType): number;
  /** What was dispatched since the start. */
  readonly events: readonly { readonly credential: string; readonly event: Event }[];
  /** Steps listened to at the moment. */
  readonly listeners: number;
  reloadResult: ReloadResult;
  faults: Record<string, string>;
  /** What is published under which name. */
  variables: Record<string, string>;
}

export function createFakeDaemon(): FakeDaemon {
  const states = new Map<string, CredentialState>();
  const effects = new Map<string, Effect[]>();
  const listeners = new Set<(credential: string, state: CredentialState) => void>();
  const events: { credential: string; event: Event }[] = [];
  let elapsedMs = 0;

  const now = (): Now => ({ wallMs: epochMs(START_MS + elapsedMs), monotonicMs: monotonicMs(1_000_000 + elapsedMs) });
  let wokenAt = now().monotonicMs;

  const log: LogPort = { write: () => undefined };
  const memory: MemoryPort = { load: async () => null, save: async () => undefined };
  const remedy = (credential: string) => `freshd login ${credential}`;
  const state = (credential: string) => states.get(credential);
  const chains = createChains({ state, dispatch, remedy, memory, clock: { now }, log });
  const managed: ManagedChain[] = [];

  function stepChain(chain: string, event: Event): void {
    chains.step(chain, event, now());
    chains.tell(chain);
  }

  function dispatch(credential: string, event: Event): void {
    if (chains.has(credential)) stepChain(credential, event);
    const before = states.get(credential);
    if (before === undefined) return;
    events.push({ credential, event });
    const next = step(before, event, now());
    states.set(credential, next.state);
    effects.get(credential)?.push(...next.effects);
    for (const listener of listeners) listener(credential, next.state);
    for (const chain of chains.of(credential)) stepChain(chain, { type: 'tick' });
  }

  const attemptOf = (credential: string): number => states.get(credential)?.attempt ?? 0;

  return {
    version: ownVersion(),
    startedAt: START_MS as EpochMs,
    configPath: '/etc/freshd/config.json',
    events,
    faults: {},
    variables: {},
    reloadResult: { ok: true, added: [], changed: [], removed: [] },
    get listeners() {
      return listeners.size;
    },
    names: () => [...states.keys()],
    state,
    chains,
    remedy,
    fault(credential) {
      return this.faults[credential] ?? null;
    },
    variable(credential) {
      return this.variables[credential] ?? null;
    },
    now,
    pulse: () => ({ lookedAt: wokenAt, dueAt: wokenAt + PULSE_MS }),
    dispatch,
    onStep(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    reload() {
      return Promise.resolve(this.reloadResult);
    },
    add(credential, policy = {}) {
      const merged = { ...POLICY, ...policy };
      states.set(credential, initialState({ name: credential, policy: merged, targets: [], memory: null }, now()));
      effects.set(credential, []);
    },
    remove: (credential) => void states.delete(credential),
    load(credential, accessToken, lifeMs = 8 * HOUR_MS) {
      if (!states.has(credential)) this.add(credential);
      if (accessToken === null) dispatch(credential, { type: 'token_missing', detail: 'no file', attempt: null });
      else dispatch(credential, { type: 'token_loaded', grant: grantOf(accessToken, lifeMs, now()) });
    },
    succeed(credential, accessToken, lifeMs = 8 * HOUR_MS) {
      const attempt = attemptOf(credential);
      const grant = grantOf(accessToken, lifeMs, now());
      dispatch(credential, { type: 'attempt_recorded', attempt });
      dispatch(credential, { type: 'refresh_succeeded', attempt, answer: { grant, response: {} } });
      dispatch(credential, { type: 'answer_recorded', attempt });
      dispatch(credential, { type: 'persist_succeeded', attempt, fingerprint: grant.fingerprint });
    },
    fail(credential, { code, class: failureClass } = { code: 'timeout', class: 'transient' }) {
      const attempt = attemptOf(credential);
      dispatch(credential, { type: 'attempt_recorded', attempt });
      dispatch(credential, { type: 'refresh_failed', attempt, failure: failureOf(code, failureClass) });
    },
    async addChain(name, ...members) {
      const settled = members.map((credential) => ({ credential, settleMs: 10_000 }));
      const policy = { alerts: [], limits: LIMITS };
      managed.push({ spec: { name, members: settled, targets: [], policy }, publishers: [] });
      await chains.configure(managed);
    },
    async removeChains() {
      managed.splice(0);
      await chains.configure(managed);
    },
    sleep(byMs) {
      elapsedMs += byMs;
    },
    advance(byMs) {
      this.sleep(byMs);
      wokenAt = now().monotonicMs;
      for (const credential of states.keys()) dispatch(credential, { type: 'tick' });
    },
    count: (credential, type) => (effects.get(credential) ?? []).filter((effect) => effect.type === type).length,
  };
}

function failureOf(code: string, failureClass: 'transient' | 'terminal'): Failure {
  const rest = { doubt: false, unsent: false, origin: 'server', retryAfterMs: null, detail: null } as const;
  return { class: failureClass, code, ...rest };
}

function grantOf(accessToken: string, lifeMs: number, { wallMs }: Now): Grant {
  return {
    token: {
      accessToken,
      tokenType: 'Bearer',
      fingerprint: `access-${accessToken}` as Fingerprint,
      obtainedAt: wallMs,
      notBefore: null,
      expiry: { kind: 'known', expiresAt: epochMs(wallMs + lifeMs) },
    },
    fingerprint: `refresh-${accessToken}` as Fingerprint,
    hasRefreshToken: true,
    refreshTokenExpiresAt: null,
    account: null,
  };
}

export interface RecordedLog extends LogPort {
  readonly records: { level: string; event: string; fields: Readonly<Record<string, unknown>> }[];
}

export function createRecordedLog(): RecordedLog {
  const records: RecordedLog['records'] = [];
  return { records, write: (level, event, fields) => void records.push({ level, event, fields }) };
}
