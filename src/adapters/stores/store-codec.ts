/**
 * What a format has to know: how its text is understood, and how a token response is merged into it.
 *
 * Rule: a codec is pure. Files, locks and waiting are the file store's; no message of a codec repeats content.
 */
import type { EpochMs, TokenResponse } from '../../core/token.ts';
import { type ExpiresRule, readTokenResponse } from '../../core/token-response.ts';
import { PortError, type StoreReading } from '../../daemon/ports.ts';

export interface StoreCodec {
  /** `modifiedAt`, the time of the file, dates what is relative and has no date of its own. */
  read(text: string, modifiedAt: EpochMs): StoreReading;
  /**
   * Changes only what belongs to the credential.
   * @param text null: there is no file yet
   * @throws PortError when the response cannot be kept in this format
   */
  merge(text: string | null, response: TokenResponse, receivedAt: EpochMs): string;
}

/** How the life of what is stored is judged. */
export interface LifeOptions {
  /** Assumed life of a token that does not say when it ends. */
  readonly expiresInDefaultMs: number;
  readonly expires: ExpiresRule;
}

/**
 * Reads values found in any format, named as RFC 6749 §5.1 and `obtained_at`, `expires_at`, `account_id` name them.
 * Emptied ones are a blank, not a token: tools blank their file after a refresh that failed.
 */
export function readStored(members: TokenResponse, modifiedAt: EpochMs, life: LifeOptions): StoreReading {
  if (isBlank(members)) {
    return { kind: 'blanked', detail: 'its tokens were emptied, which tools do after a failed refresh; log in again' };
  }
  const reading = readTokenResponse(members, { ...life, receivedAt: modifiedAt, stored: true });
  return reading.ok ? { kind: 'tokens', tokens: reading.tokens } : { kind: 'broken', detail: reading.detail };
}

/**
 * Reads a response that is about to be merged.
 * @throws PortError `malformed_response` when it holds nothing to keep
 */
export function readAnswer(response: TokenResponse, receivedAt: EpochMs, life: LifeOptions) {
  const reading = readTokenResponse(response, { ...life, receivedAt });
  if (reading.ok) return reading.tokens;
  const remedy = 'see what the refresh printed';
  throw new PortError(`expected a token response to store, got none (${reading.code}); ${remedy}`, {
    code: 'malformed_response',
    remedy,
  });
}

function isBlank({ access_token, refresh_token, expires_at }: TokenResponse): boolean {
  const isEmpty = (value: unknown): boolean => value === '' || value === null;
  const tokens = [access_token, refresh_token];
  const hasNone = tokens.every((token) => token === undefined || isEmpty(token));
  return expires_at === 0 ? hasNone || tokens.includes('') : hasNone && tokens.some(isEmpty);
}
