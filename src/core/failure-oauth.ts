/**
 * Error codes of OAuth 2.0 as token endpoints send them, with the class and the meaning of each.
 *
 * Rule: only what an RFC defines; what single providers added stands in failure-codes.ts.
 */
import type { FailureClass } from './failure.ts';

export interface OAuthError {
  readonly class: FailureClass;
  /** Continues "the server answered CODE: …". */
  readonly meaning: string;
}

/** RFC 6749 §5.2; the two server errors of §4.1.2.1, which token endpoints send too; `slow_down` of RFC 8628 §3.5. */
export const OAUTH_ERRORS: ReadonlyMap<string, OAuthError> = new Map<string, OAuthError>([
  ['invalid_grant', { class: 'terminal', meaning: 'it no longer accepts the stored refresh token' }],
  ['invalid_client', { class: 'config', meaning: 'it does not accept the client id or secret' }],
  ['unauthorized_client', { class: 'config', meaning: 'this client may not refresh' }],
  ['invalid_request', { class: 'config', meaning: 'it does not understand the request' }],
  ['invalid_scope', { class: 'config', meaning: 'it does not grant the scope that was asked for' }],
  ['unsupported_grant_type', { class: 'config', meaning: 'it does not refresh tokens at this endpoint' }],
  ['temporarily_unavailable', { class: 'transient', meaning: 'it is overloaded or down' }],
  ['server_error', { class: 'transient', meaning: 'it failed' }],
  ['slow_down', { class: 'rate_limited', meaning: 'it is asked too often' }],
]);
