/**
 * Whether an API's answer refuses the very token it was shown.
 *
 * Rule: a 401 does. Any other status does only where a provider is known to say it that way, by a code in a structured
 * body; never by a sentence, and never for what another token of the same grant would be refused for as well.
 */
import { classifyFailure } from './classify-failure.ts';

/** @param answer `text`: the body, or what is known of it */
export function refusesToken(answer: { readonly httpStatus: number; readonly text: string }): boolean {
  if (answer.httpStatus === 401) return true;
  if (answer.text === '') return false;
  return REFUSALS.has(classifyFailure({ context: 'api', ...answer }).rule);
}

/** By the rules of the classifier, each the row of a provider. */
const REFUSALS: ReadonlySet<string> = new Set([
  // A 403 where others send a 401.
  'xai:unauthenticated_bad_credentials',
  'openai:token_expired',
  'openai:token_invalidated',
  'openai:token_revoked',
  // Slack sends every error with a 200.
  'slack:token_expired',
  'slack:token_revoked',
  'slack:invalid_auth',
  'google:access_token_expired',
  // RFC 6750 §3.1, by servers that send it with another status than the 401 that belongs to it.
  'code:invalid_token',
  'code:expired_token',
]);
