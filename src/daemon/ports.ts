/**
 * Ports: what the daemon needs of the outside world, in its own words. Adapters implement them; tests implement fakes.
 *
 * Rule: a port reports an expected failure as a value or as a PortError with a `code`; anything else it throws is a bug of
 * that adapter, and becomes an event of the one credential concerned.
 */
import type { Alert, AttemptReason, Down, Publication } from '../core/effect.ts';
import type { Event } from '../core/event.ts';
import type { Failure } from '../core/failure.ts';
import type { AlertKind } from '../core/policy.ts';
import type { Pulse } from '../core/progress.ts';
import type { CredentialState } from '../core/state.ts';
import type { EpochMs, Fingerprint, Now, TokenResponse, TokenSet } from '../core/token.ts';
import type { ChainsPort } from './ports-chains.ts';

/** An expected failure of the outside world. `code` is stable; `remedy` says what a person can do. Never holds a secret. */
export class PortError extends Error {
  override readonly name = 'PortError';
  readonly code: string;
  readonly remedy: string;
  constructor(message: string, options: { code: string; remedy: string; cause?: unknown }) {
    super(message, { cause: options.cause });
    this.code = options.code;
    this.remedy = options.remedy;
  }
}

/** What was found in a store. */
export type StoreReading =
  | { readonly kind: 'tokens'; readonly tokens: TokenSet }
  | { readonly kind: 'missing'; readonly detail: string }
  /** Emptied by its own tool after a failed refresh (`expiresAt: 0`, empty strings). */
  | { readonly kind: 'blanked'; readonly detail: string }
  | { readonly kind: 'broken'; readonly detail: string };

/** One credential's place on disk. */
export interface StorePort {
  /** Path or source, for messages and for `FRESHD_STORE`; null for a store that is no file. */
  readonly path: string | null;
  /** Reads now. A half-written file is re-read for up to 3 s before `broken` is concluded. */
  read(): Promise<StoreReading>;
  /** Reads only when `stat` differs from that of the last read; else `unchanged`. */
  readIfChanged(): Promise<StoreReading | { readonly kind: 'unchanged' }>;
  /**
   * Merges a token response into the store: unknown fields, mode and owner stay; an answer without a refresh token keeps the old one.
   * @param stillExpected called with what the store holds right before the commit; false refuses it
   * @returns what the store holds now: after a refusal, that of the other writer
   * @throws PortError `store_read_only`, `disk_full`, …; nothing is half-written
   */
  write(
    response: TokenResponse,
    stillExpected: (found: StoreReading) => boolean,
  ): Promise<{ readonly committed: boolean; readonly found: StoreReading }>;
  /**
   * Makes what the store holds survive a power failure: a killed process, or a tool, may have written it and not waited for the
   * disk. Absent where nothing is kept on a disk of ours.
   * @throws PortError
   */
  sync?(): Promise<void>;
  /**
   * freshd's own lock for this store, for the time of one attempt.
   * @param purpose whether the locks of the tool that owns the store are taken too
   * @throws PortError `store_busy` after `timeoutMs`; what else keeps a lock from excluding others
   */
  lock(timeoutMs: number, purpose: LockPurpose): Promise<Release>;
  /**
   * Was an orphaned lock of the tool taken over since this was last asked, and nothing written after it? Whoever held it may have
   * sent the refresh token. Absent: the tool has no locks.
   */
  wasOrphaned?(): boolean;
  /**
   * Calls back soon after the store may have changed, as far as the system tells; the regular check stays needed.
   * @returns how to stop it
   */
  watch?(onChange: () => void): () => void;
}

/**
 * `script`: the tool that owns the store is made to refresh, and needs its own locks free. `write`: freshd sends the refresh
 * token or writes the store itself, and holds them.
 */
export type LockPurpose = 'script' | 'write';

export type Release = () => Promise<void>;

export interface RefreshRequest {
  readonly credential: string;
  readonly attempt: number;
  readonly reason: AttemptReason;
  /** Random, in the child's environment: how members of a timed-out run are found again. */
  readonly runId: string;
  readonly storePath: string | null;
  /** The stored tokens, for a refresher that is given them. */
  readonly tokens: TokenSet | null;
}

export type RefreshOutcome =
  /** A complete token response (RFC 6749 §5.1), whatever the exit status. */
  | { readonly kind: 'response'; readonly response: TokenResponse }
  /** The script says that the store now holds the new token; the caller re-reads it. */
  | { readonly kind: 'stored' }
  | { readonly kind: 'failure'; readonly failure: Failure };

/** How one credential is refreshed. */
export interface RefreshPort {
  /** Local preconditions, checked without a request: is the script there, executable, not writable by others? */
  obstacle(): Promise<Failure | null>;
  /**
   * Runs one attempt; bounded by its own timeout plus grace; never throws for what a script or server does.
   * `onStarted` is called once with the process, so that the journal can name it.
   */
  run(request: RefreshRequest, onStarted: (process: RunningProcess) => void): Promise<RefreshOutcome>;
  /** Ends the run of that attempt, with its whole process group, if it is still alive. */
  cancel(attempt: number): void;
  /** That attempt is closed: what was kept of its output, in case the daemon should die before the answer is recorded, can go. */
  closed?(attempt: number): Promise<void>;
}

/** Identity of a process that outlives a reused pid. */
export interface RunningProcess {
  readonly pid: number;
  /** Field 22 of /proc/PID/stat, or what the platform has; null where unknown. */
  readonly startTime: string | null;
}

/** Done as told, but something beside it wants a person's eye. */
export interface PublishRemark {
  readonly code: string;
  readonly remedy: string;
}

/** One place where a token is delivered; each fails and is retried alone. */
export interface PublisherPort {
  /** Stable over restarts, for example `envFile:/srv/bot/.env#TOKEN`. */
  readonly id: string;
  /** The file that it writes; operations on one file wait for each other. Absent: a program does the work. */
  readonly file?: string;
  /** How long one operation may take before it counts as hung; absent: as long as a file may. */
  readonly limitMs?: number;
  /** Credentials and chains of which all other targets are tried before this one; absent: it goes at once. */
  readonly follows?: readonly string[];
  /**
   * @returns what a person should know although it is done, if there is anything
   * @throws PortError; the old content is then still whole
   */
  publish(publication: Publication): Promise<PublishRemark | undefined>;
  /** Removes only what freshd itself wrote. @throws PortError `foreign_value` when somebody else's value stands there */
  withdraw(): Promise<void>;
}

/** The file that says "this credential is down, and why". */
export interface SentinelPort {
  set(credential: string, down: (Down & { readonly remedy: string }) | null): Promise<void>;
}

/** A sent alert in words, for sinks that take text, beside its facts for those that take JSON. */
export interface AlertMessage {
  readonly credential: string;
  /** `test`: nothing has happened, somebody wants to see an alert arrive. */
  readonly alert: Omit<Alert, 'kind'> & { readonly kind: AlertKind | 'test' };
  readonly title: string;
  readonly text: string;
  /** The exact command that helps, if there is one. */
  readonly remedy: string | null;
}

export interface AlertSink {
  /** Type and host or path; never a secret (a sink's URL is one). */
  readonly name: string;
  /** Resolves when the sink accepted it. @throws PortError otherwise, within its own time limit */
  send(message: AlertMessage): Promise<void>;
}

export interface JournalEntry {
  readonly attempt: number;
  /** What was about to be sent. */
  readonly fingerprint: Fingerprint | null;
  /** What the store held, where that was not what was sent; null: nothing. */
  readonly found?: Fingerprint | null;
  readonly account: string | null;
  readonly runId: string;
  readonly process: RunningProcess | null;
  readonly bootId: string | null;
  /** Epoch ms. */
  readonly beganAt: number;
  /** The token response, once there is one: a secret. */
  readonly response: TokenResponse | null;
}

/** Durable record of the attempt in flight: two checksummed, pre-allocated slots per credential, and one for an answer set aside. */
export interface JournalPort {
  /** The newest intact entry, or null when the journal is empty or new. @throws PortError `journal_failed`, `journal_damaged` */
  read(credential: string): Promise<JournalEntry | null>;
  /** Durable when it resolves. @throws PortError `journal_failed` */
  write(credential: string, entry: JournalEntry): Promise<void>;
  empty(credential: string): Promise<void>;
  /** Keeps the answer of the open entry apart, in place of an earlier one, and then empties the entry. */
  setAside(credential: string): Promise<void>;
  /** The entry whose answer was set aside, or null. */
  readSetAside(credential: string): Promise<JournalEntry | null>;
  forgetSetAside(credential: string): Promise<void>;
}

/** A refresh that a process before this one started and did not see end. */
export interface LeftRun {
  readonly runId: string;
  /** Null when it was not noted, or cannot live any more: only what carries the run id is looked for. */
  readonly process: RunningProcess | null;
  /** What is left of its time. */
  readonly waitMs: number;
  readonly graceMs: number;
}

export interface LeftRunsPort {
  /**
   * Waits for its end, or ends it with its whole process group, and reads what it printed.
   * @returns `isOver`: nothing of it lives; `response`: a complete token response
   */
  settle(run: LeftRun): Promise<{ readonly isOver: boolean; readonly response: TokenResponse | null }>;
  /** Removes what the runs of earlier processes printed; once nobody looks for an answer there any more. */
  sweep(): void;
}

/** freshd's own memory of a credential over restarts; no secrets. */
export interface MemoryPort {
  /** Null when there is none; a broken one is set aside and reported by `onBroken`. */
  load(credential: string): Promise<unknown>;
  save(credential: string, memory: unknown): Promise<void>;
}

export interface ClockPort {
  now(): Now;
}

/** One alarm. Setting it replaces the former; it may ring early or late, never not at all. */
export interface AlarmPort {
  set(delayMs: number, ring: () => void): void;
  clear(): void;
}

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/** Structured log; fields are codes, names and numbers, never content from outside. */
export interface LogPort {
  write(level: LogLevel, event: string, fields: Readonly<Record<string, string | number | boolean | null>>): void;
}

/** Everything that belongs to one credential. */
export interface CredentialParts {
  readonly store: StorePort;
  /** Null for `follow` and `static`. */
  readonly refresh: RefreshPort | null;
  readonly publishers: readonly PublisherPort[];
  /** When the paths that tell of a new login were last changed; null: there is none, or nobody can see it. Absent: none is named. */
  readonly loginChangedAt?: (() => Promise<EpochMs | null>) | undefined;
  /** The exact command or act that brings the credential back; no secrets. */
  readonly remedy: string;
  /** The environment variable under which its token is published, also by way of a chain: its first; none where it is not. */
  readonly variable?: string | undefined;
}

/** What the API and its routes may ask of a running daemon. */
export interface DaemonPort {
  readonly version: string;
  readonly startedAt: EpochMs;
  readonly configPath: string;
  names(): readonly string[];
  state(credential: string): CredentialState | undefined;
  /** The exact command or act that brings this credential back; no secrets. */
  remedy(credential: string): string;
  /** The environment variable under which its token is published; null: none. */
  variable(credential: string): string | null;
  now(): Now;
  /** Code of a bug that keeps this credential from being stepped, whatever its state says; null: none. Not ready meanwhile. */
  fault?(credential: string): string | null;
  /** Whether the scheduler makes progress is read from this. */
  pulse(): Pulse;
  /** Synchronous: the state is already the new one when this returns. */
  dispatch(credential: string, event: Event): void;
  /** Called after each step of any credential. @returns how to stop listening */
  onStep(listener: (credential: string, state: CredentialState) => void): () => void;
  readonly chains: ChainsPort;
  /** All or nothing. */
  reload(): Promise<ReloadResult>;
}

export type ReloadResult =
  | {
      readonly ok: true;
      readonly added: readonly string[];
      readonly changed: readonly string[];
      readonly removed: readonly string[];
    }
  /** Messages as `path: expected, got; remedy`. The old configuration stays in force. */
  | { readonly ok: false; readonly problems: readonly string[] };
