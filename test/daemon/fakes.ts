/** Ports in memory: a clock and an alarm moved by hand, a log that keeps its records, a store, a refresher, a journal. */
import type { Failure } from '../../src/core/failure.ts';
import { initialState } from '../../src/core/memory.ts';
import { LIMITS, type Policy } from '../../src/core/policy.ts';
import type { CredentialState } from '../../src/core/state.ts';
import {
  epochMs,
  type Fingerprint,
  monotonicMs,
  type Now,
  type TokenResponse,
  type TokenSet,
} from '../../src/core/token.ts';
import type { ManagedCredential } from '../../src/daemon/credential.ts';
import type {
  AlarmPort,
  ClockPort,
  CredentialParts,
  JournalEntry,
  JournalPort,
  LeftRun,
  LeftRunsPort,
  LockPurpose,
  LogPort,
  MemoryPort,
  PublisherPort,
  RefreshOutcome,
  RefreshPort,
  RefreshRequest,
  StorePort,
  StoreReading,
} from '../../src/daemon/ports.ts';

export const WALL_START_MS = Date.UTC(2026, 10, 1);

export interface ManualClock extends ClockPort {
  /** Both clocks. */
  pass(ms: number): void;
  /** The wall clock alone. */
  jump(ms: number): void;
}

export function manualClock(): ManualClock {
  let wallMs = WALL_START_MS;
  let elapsedMs = 1_000;
  return {
    now: (): Now => ({ wallMs: epochMs(wallMs), monotonicMs: monotonicMs(elapsedMs) }),
    pass: (ms) => {
      wallMs += ms;
      elapsedMs += ms;
    },
    jump: (ms) => {
      wallMs += ms;
    },
  };
}

export interface ManualAlarm extends AlarmPort {
  /** Delay it was last set to; null: not set. */
  delayMs: number | null;
  sets: number;
  /** Rings, if it is set. */
  ring(): void;
}

export function manualAlarm(): ManualAlarm {
  let callback: (() => void) | null = null;
  const alarm: ManualAlarm = {
    delayMs: null,
    sets: 0,
    set(delayMs, ring) {
      alarm.delayMs = delayMs;
      alarm.sets += 1;
      callback = ring;
    },
    clear() {
      alarm.delayMs = null;
      callback = null;
    },
    ring() {
      const ring = callback;
      alarm.clear();
      ring?.();
    },
  };
  return alarm;
}

export interface LogRecord {
  readonly level: string;
  readonly event: string;
  readonly fields: Readonly<Record<string, string | number | boolean | null>>;
}

export interface KeptLog extends LogPort {
  readonly records: LogRecord[];
  of(event: string): readonly LogRecord[];
}

export function keptLog(): KeptLog {
  const records: LogRecord[] = [];
  return {
    records,
    write: (level, event, fields) => records.push({ level, event, fields }),
    of: (event) => records.filter((record) => record.event === event),
  };
}

export const fingerprint = (secret: string): Fingerprint => `fp(${secret})` as Fingerprint;

export const policy = (changes: Partial<Policy> = {}): Policy => ({
  method: 'script',
  resultInStore: false,
  mintsWithoutGrant: false,
  takesTokens: true,
  rotates: true,
  optional: false,
  scheme: 'bearer',
  refreshMarginMs: 600_000,
  window: null,
  refreshTokenIdleMs: null,
  retryIntervalMs: 300_000,
  maxRetries: 5,
  activeRecoveryIntervalMs: 1_800_000,
  refreshTimeoutMs: 60_000,
  killGraceMs: 5_000,
  minRefreshIntervalMs: 10_000,
  maxAttemptsPerHour: 30,
  settleMs: 2_000,
  storeCheckMs: 60_000,
  rejectionHoldMs: 60_000,
  jitterPercent: 0,
  jitterSeed: 1,
  alerts: ['first_failure', 'escalated', 'recovering', 'reauthorization_required', 'restored'],
  reminderMs: null,
  limits: LIMITS,
  ...changes,
});

export function stateOf(name: string, clock: ClockPort): CredentialState {
  return initialState({ name, policy: policy(), targets: [], memory: null }, clock.now());
}

export const tokens = (changes: Partial<TokenSet> = {}): TokenSet => ({
  accessToken: 'access-1',
  refreshToken: 'refresh-1',
  tokenType: 'Bearer',
  obtainedAt: epochMs(WALL_START_MS),
  notBefore: null,
  expiry: { kind: 'known', expiresAt: epochMs(WALL_START_MS + 3_600_000) },
  refreshTokenExpiresAt: null,
  account: null,
  ...changes,
});

export interface FakeStore extends StorePort {
  /** Tells whoever watches. */
  changed: () => void;
  watchers: number;
  purposes: LockPurpose[];
  reading: StoreReading;
  locked: boolean;
  locks: number;
  writes: TokenResponse[];
  /** Thrown by the next reads and writes. */
  trouble: Error | null;
  /** Reads wait for it. */
  hang: Promise<void> | null;
}

export function fakeStore(reading: StoreReading = { kind: 'tokens', tokens: tokens() }): FakeStore {
  let lastRead: StoreReading | null = null;
  const look = async (): Promise<StoreReading> => {
    if (store.hang !== null) await store.hang;
    if (store.trouble !== null) throw store.trouble;
    lastRead = store.reading;
    return store.reading;
  };
  const store: FakeStore = {
    path: '/nowhere/store.json',
    reading,
    locked: false,
    locks: 0,
    writes: [],
    trouble: null,
    hang: null,
    changed: () => undefined,
    watchers: 0,
    purposes: [],
    watch(onChange) {
      store.watchers += 1;
      store.changed = onChange;
      return () => {
        store.watchers -= 1;
      };
    },
    read: look,
    readIfChanged: async () => (store.reading === lastRead ? { kind: 'unchanged' } : look()),
    async write(response, stillExpected) {
      if (store.trouble !== null) throw store.trouble;
      if (!stillExpected(store.reading)) return { committed: false, found: store.reading };
      store.writes.push(response);
      const lifeMs = Number(response.expires_in) * 1_000;
      const obtainedAt = epochMs(Number(response.obtained_at_ms ?? WALL_START_MS));
      const refreshToken = typeof response.refresh_token === 'string' ? response.refresh_token : 'refresh-1';
      store.reading = {
        kind: 'tokens',
        tokens: tokens({
          accessToken: String(response.access_token),
          refreshToken,
          obtainedAt,
          expiry: { kind: 'known', expiresAt: epochMs(obtainedAt + lifeMs) },
        }),
      };
      lastRead = store.reading;
      return { committed: true, found: store.reading };
    },
    async lock(_timeoutMs, purpose) {
      store.purposes.push(purpose);
      store.locked = true;
      store.locks += 1;
      return async () => {
        store.locked = false;
      };
    },
  };
  return store;
}

export interface FakeRefresh extends RefreshPort {
  readonly requests: RefreshRequest[];
  readonly cancelled: number[];
  blocker: Failure | null;
  answer: (request: RefreshRequest) => Promise<RefreshOutcome> | RefreshOutcome;
}

export function fakeRefresh(answer: FakeRefresh['answer']): FakeRefresh {
  const refresh: FakeRefresh = {
    requests: [],
    cancelled: [],
    blocker: null,
    answer,
    obstacle: async () => refresh.blocker,
    async run(request, onStarted) {
      refresh.requests.push(request);
      onStarted({ pid: 4711, startTime: '1' });
      return refresh.answer(request);
    },
    cancel: (attempt) => refresh.cancelled.push(attempt),
  };
  return refresh;
}

export interface FakeJournal extends JournalPort {
  readonly entries: Map<string, JournalEntry>;
  readonly setAsides: Map<string, JournalEntry>;
  readonly history: string[];
  trouble: Error | null;
}

export function fakeJournal(): FakeJournal {
  const journal: FakeJournal = {
    entries: new Map(),
    setAsides: new Map(),
    history: [],
    trouble: null,
    read: async (credential) => journal.entries.get(credential) ?? null,
    async write(credential, entry) {
      if (journal.trouble !== null) throw journal.trouble;
      journal.entries.set(credential, entry);
      journal.history.push(entry.response === null ? `began ${entry.attempt}` : `answered ${entry.attempt}`);
    },
    async empty(credential) {
      journal.entries.delete(credential);
      journal.history.push('emptied');
    },
    async setAside(credential) {
      const entry = journal.entries.get(credential);
      if (entry !== undefined && entry.response !== null) journal.setAsides.set(credential, entry);
      journal.entries.delete(credential);
      journal.history.push('set aside');
    },
    readSetAside: async (credential) => journal.setAsides.get(credential) ?? null,
    async forgetSetAside(credential) {
      journal.setAsides.delete(credential);
      journal.history.push('forgot');
    },
  };
  return journal;
}

export interface FakeLeftRuns extends LeftRunsPort {
  readonly asked: LeftRun[];
  sweeps: number;
  answer: (run: LeftRun) => Promise<{ readonly isOver: boolean; readonly response: TokenResponse | null }>;
}

export function fakeLeftRuns(): FakeLeftRuns {
  const left: FakeLeftRuns = {
    asked: [],
    sweeps: 0,
    answer: async () => ({ isOver: true, response: null }),
    settle(run) {
      left.asked.push(run);
      return left.answer(run);
    },
    sweep() {
      left.sweeps += 1;
    },
  };
  return left;
}

export function fakeMemory(): MemoryPort & { readonly kept: Map<string, unknown>; saves: number } {
  const kept = new Map<string, unknown>();
  const port = {
    kept,
    saves: 0,
    load: async (credential: string) => kept.get(credential) ?? null,
    async save(credential: string, memory: unknown) {
      port.saves += 1;
      kept.set(credential, memory);
    },
  };
  return port;
}

export interface FakePublisher extends PublisherPort {
  readonly told: (string | null)[];
  act: () => Promise<void>;
}

export function fakePublisher(id: string, file?: string): FakePublisher {
  const publisher: FakePublisher = {
    id,
    ...(file === undefined ? {} : { file }),
    told: [],
    act: async () => undefined,
    async publish({ token }) {
      publisher.told.push(token.accessToken);
      await publisher.act();
    },
    async withdraw() {
      publisher.told.push(null);
      await publisher.act();
    },
  };
  return publisher;
}

export function managed(
  name: string,
  parts: Partial<CredentialParts>,
  changes: Partial<Policy> = {},
): ManagedCredential {
  return {
    name,
    policy: policy(changes),
    parts: { store: fakeStore(), refresh: null, publishers: [], remedy: `freshd refresh ${name}`, ...parts },
    reading: { expiresInDefaultMs: 3_600_000, expires: { kind: 'as_stated' } },
  };
}

/** A promise that is settled from outside. */
export function deferred<T = void>(): { readonly promise: Promise<T>; resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => undefined;
  const promise = new Promise<T>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}

/** Waits until `isTrue`; each look lets everything that is ready run first. Gives up after some thousand looks. */
export async function until(isTrue: () => boolean): Promise<void> {
  for (let looks = 0; looks < LOOKS_MAX; looks += 1) {
    if (isTrue()) return;
    // Most things are true within a few turns; what goes through a real file or timer gets real time.
    await new Promise((resolve) => (looks < QUICK_LOOKS ? setImmediate(resolve) : setTimeout(resolve, 2)));
  }
  throw new Error(`never became true: ${isTrue.toString()}`);
}

const QUICK_LOOKS = 1_000;
const LOOKS_MAX = 5_000;
