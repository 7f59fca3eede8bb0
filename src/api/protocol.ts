/**
 * The socket protocol: paths, shapes, codes and limits that the daemon and its clients share.
 *
 * Rule: plain data only, and no import at run time: a command that reads one token loads this file and nothing behind it.
 * Names on the wire are snake_case and RFC 6749 words; moments are ISO 8601 in UTC, durations whole seconds.
 */

import type { ChainBody, MemberLackBody } from './protocol-chain.ts';

export type { ChainBody, ChainDetailBody } from './protocol-chain.ts';
export type { AlertEvent, ChainEvent, PhaseEvent, SynchronizedEvent, TokenEvent } from './protocol-events.ts';

/** Credential names: also the shape that `config.json` accepts. */
export const NAME_PATTERN = '^[a-z0-9][a-z0-9._-]{0,62}$';

/** `sun_path` holds 108 bytes on Linux and 104 on macOS, one of them for the end; Node truncates a longer path without a word. */
export const SOCKET_PATH_BYTES_MAX = { linux: 107, darwin: 103 } as const;

/** A request that waits longer than this holds a connection that proxies and people take for dead. */
export const WAIT_SECONDS_MAX = 60;

/** Ten years: more than any token lives, and far from numbers that lose precision. */
export const MIN_VALID_SECONDS_MAX = 315_360_000;

/** A subscriber hears something at least this often; one that heard nothing for much longer has lost the daemon. */
export const HEARTBEAT_SECONDS = 15;

/** Who asks, in its own words: a program and what tells its instances apart. */
export const CONSUMER_PATTERN = '^[\\x21-\\x7e]{1,64}$';

/** Names that one subscription may list; without a list it hears of all. */
export const SUBSCRIBED_NAMES_MAX = 100;

export const PATHS = {
  token: (credential: string): string => `/v1/tokens/${credential}`,
  rejections: (credential: string): string => `/v1/tokens/${credential}/rejections`,
  credentials: '/v1/credentials',
  credential: (credential: string): string => `/v1/credentials/${credential}`,
  refresh: (credential: string): string => `/v1/credentials/${credential}/refresh`,
  events: '/v1/events',
  reload: '/v1/reload',
  live: '/v1/health/live',
  ready: '/v1/health/ready',
  metrics: '/metrics',
  openapi: '/openapi.json',
} as const;

export type ErrorCode =
  | 'invalid_request'
  | 'request_too_large'
  | 'not_found'
  | 'unknown_credential'
  | 'not_allowed'
  | 'operators_socket'
  | 'too_many_requests'
  | 'reauthorization_required'
  | 'temporarily_unavailable'
  | 'min_valid_unattainable'
  | 'no_newer_token'
  | 'too_many_waiting'
  | 'too_many_subscribers'
  | 'invalid_configuration'
  | 'server_error';

/** Every answer that is not a success. Never holds a secret. */
export interface ErrorBody {
  readonly error: ErrorCode;
  /** One sentence for people: expected, seen, what to do. */
  readonly error_description: string;
  readonly credential?: string;
  /** The closest configured name. */
  readonly nearest?: string;
  /** The exact command or act that helps. */
  readonly remedy?: string;
  /** Why, in one stable code: a phase or a failure code. */
  readonly reason?: string;
  /** Also sent as `Retry-After`. */
  readonly retry_after?: number;
  readonly problems?: readonly string[];
  /** The chain that was asked for; `credential` is its member in use then. */
  readonly chain?: string;
  /** With `operators_socket`: where such calls are answered. */
  readonly socket?: string;
  /** With a chain of which no member is usable: what each lacks. */
  readonly members?: readonly MemberLackBody[];
}

/** `GET /v1/tokens/{name}` */
export interface TokenBody {
  /** Whose token it is. */
  readonly credential: string;
  /**
   * Where it was asked for by the name of a chain: `generation` is the chain's then. Absent where `min_valid_seconds` made a
   * member answer that is not in use: `generation` is that member's own.
   */
  readonly chain?: string;
  readonly access_token: string;
  readonly token_type: string;
  /** How a request carries it: `bearer` (`Authorization: Bearer …`), or the header that holds it bare, such as `x-api-key`. */
  readonly scheme: string;
  /** Whole seconds left, rounded down; null when the token does not expire or nobody said when. */
  readonly expires_in: number | null;
  readonly expires_at: string | null;
  readonly generation: number;
  /** False: valid for now, but nothing here can refresh it. */
  readonly refreshable: boolean;
  /** False: a newer refresh token could not be stored yet. */
  readonly durable: boolean;
}

/** `POST /v1/tokens/{name}/rejections` */
export interface RejectionBody {
  readonly generation: number;
  /** Whose token it was, where it was read by the name of a chain. */
  readonly credential?: string;
  readonly http_status?: number;
  /** What the resource server said; kept out of logs. */
  readonly body?: string;
  /** Who reports; tells one consumer's mistake from a dead token. */
  readonly consumer?: string;
}

export interface OutcomeBody {
  readonly credential: string;
  /** Where the report named it. */
  readonly chain?: string;
  readonly outcome:
    | 'refresh_started'
    | 'joined'
    | 'scheduled'
    | 'superseded'
    | 'ignored'
    | 'not_needed'
    | 'not_refreshable';
  /** With `scheduled`. */
  readonly in_seconds?: number;
  readonly at?: string;
  /** With `not_refreshable`. */
  readonly remedy?: string;
}

export interface CredentialBody {
  readonly credential: string;
  readonly phase: string;
  readonly reason: string | null;
  readonly status: 'usable' | 'expiring' | 'expired' | 'rejected' | 'none';
  readonly refreshable: boolean;
  readonly durable: boolean;
  readonly optional: boolean;
  readonly generation: number | null;
  readonly expires_at: string | null;
  readonly expiry_assumed: boolean;
  readonly next: {
    readonly what: string;
    readonly at: string | null;
    readonly in_seconds: number | null;
    readonly why: string;
  };
  readonly last_attempt: { readonly attempt: number; readonly began_at: string; readonly reason: string | null } | null;
  readonly last_succeeded_at: string | null;
  readonly failures: number;
  readonly last_failure: {
    readonly class: string;
    readonly code: string;
    readonly at: string;
    readonly detail: string | null;
  } | null;
  readonly in_doubt: boolean;
  readonly episode: {
    readonly started_at: string;
    readonly code: string;
    readonly alerts: readonly string[];
  } | null;
  readonly publications: readonly {
    readonly target: string;
    readonly status: 'pending' | 'done' | 'failed';
    readonly holds: number | null | 'unknown';
    readonly code: string | null;
    readonly remedy: string | null;
  }[];
  /** The environment variable under which its token is published, also by way of a chain; null: none. */
  readonly variable: string | null;
  /** Who reads it, in numbers; null where counting would have held up other readers: ask for the credential itself. */
  readonly consumers: ConsumersBody | null;
  /** Those that it is a member of. */
  readonly chains: readonly string[];
  /** What brings the credential back; null while nothing is asked of a person. */
  readonly remedy: string | null;
  /** Code of a bug that keeps the daemon from tending this credential; null: none. */
  readonly fault: string | null;
}

/** A consumer is subscribed, or gave its name in a read within the last hour. */
export interface ConsumersBody {
  readonly total: number;
  /** Of these: not known to have the present generation. */
  readonly behind: number;
  /** What those behind still have, the oldest first; null: nothing that is known. At most eight. */
  readonly behind_on: readonly { readonly generation: number | null; readonly consumers: number }[];
}

export interface ConsumerBody {
  /** Null for a subscriber that gave no name. */
  readonly consumer: string | null;
  readonly subscribed: boolean;
  /** Newest generation that was handed to it. */
  readonly sent: number | null;
  /** Newest generation that it said it has; null: it never says. */
  readonly acknowledged: number | null;
}

/** `GET /v1/credentials` */
export interface CredentialsBody {
  readonly daemon: { readonly version: string; readonly started_at: string; readonly config_path: string };
  readonly credentials: readonly CredentialBody[];
  readonly chains: readonly ChainBody[];
}

/** `GET /v1/credentials/{name}` */
export interface CredentialDetailBody extends CredentialBody {
  /** What is, what happens next and why, one sentence a line. */
  readonly explanation: readonly string[];
  /** `each`: at most a hundred, those behind first. */
  readonly consumers: ConsumersBody & { readonly each: readonly ConsumerBody[] };
}

/** `POST /v1/reload` */
export interface ReloadBody {
  readonly added: readonly string[];
  readonly changed: readonly string[];
  readonly removed: readonly string[];
}

/** `GET /v1/health/live` */
export interface LiveBody {
  /** `stalled`: it answers, but its scheduler stands still, and no refresh will start. */
  readonly status: 'live' | 'stalled';
  readonly version: string;
  readonly uptime_seconds: number;
  /** By how much a wake-up is late; null while live. */
  readonly overdue_seconds: number | null;
}

/** `GET /v1/health/ready` */
export interface ReadyBody {
  readonly ready: boolean;
  readonly credentials: readonly {
    readonly credential: string;
    readonly ready: boolean;
    readonly reason: string | null;
    /** Does not count for the readiness of the whole. */
    readonly optional: boolean;
    /** Those that it is a member of: they count, it does not. */
    readonly chains: readonly string[];
  }[];
  readonly chains: readonly {
    readonly chain: string;
    readonly credential: string | null;
    readonly ready: boolean;
    readonly reason: string | null;
    readonly optional: boolean;
  }[];
}
