/**
 * Failure classes: decided once, at the boundary, from structure; everything later only reads them.
 *
 * The class decides the schedule. Whether the server may have rotated meanwhile is another fact, `doubt`.
 */

export const FAILURE_CLASSES = ['transient', 'rate_limited', 'terminal', 'config', 'not_auth'] as const;
export type FailureClass = (typeof FAILURE_CLASSES)[number];

/** A failed attempt, in words from our own tables: safe to log, show and send. */
export interface Failure {
  readonly class: FailureClass;
  /** Stable and greppable: an RFC 6749 §5.2 code (`invalid_grant`) or one of ours (`timeout`, `script_missing`). */
  readonly code: string;
  /** The server may have rotated the refresh token although no answer was read. */
  readonly doubt: boolean;
  /** Nothing was sent, surely: refused, DNS, a missing program, a busy lock. */
  readonly unsent: boolean;
  /** Where a `config` failure is cured: here (files, programs) it is re-checked without a request; at the server it is probed. */
  readonly origin: 'local' | 'server';
  /** From `Retry-After`, as a duration in ms. */
  readonly retryAfterMs: number | null;
  /** How far the server's clock was ahead of ours when it answered; absent within a minute, or where it did not say. */
  readonly clockSkewMs?: number;
  /** One redacted line for people: what was expected, what was seen, what to do. Never a server's body. */
  readonly detail: string | null;
}
