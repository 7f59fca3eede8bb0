/**
 * What a JWT says about its own life, read without a key: for planning only, never to trust anybody.
 *
 * Rule: liberal, bounded and silent: what cannot be read is null, and nothing throws.
 */
import { readMoment } from './moment.ts';
import type { EpochMs } from './token.ts';

export interface JwtClaims {
  readonly expiresAt: EpochMs | null;
  readonly issuedAt: EpochMs | null;
  readonly notBefore: EpochMs | null;
  readonly subject: string | null;
}

/**
 * Reads the registered claims of a token that may be a JWT; the signature is not looked at.
 * @returns null for an opaque, encrypted or damaged one
 * @see RFC 7519 §4.1
 */
export function readJwtClaims(token: string): JwtClaims | null {
  const [, payload, signature, ...more] = token.split('.', 4);
  if (payload === undefined || signature === undefined || more.length > 0) return null;
  const claims = parseObject(decodeBase64Url(payload));
  if (claims === null) return null;
  const { exp, iat, nbf, sub } = claims;
  return {
    expiresAt: readMoment(exp),
    issuedAt: readMoment(iat),
    notBefore: readMoment(nbf),
    subject: typeof sub === 'string' && sub !== '' ? sub : null,
  };
}

function parseObject(text: string | null): Readonly<Record<string, unknown>> | null {
  if (text === null) return null;
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : null;
  } catch {
    return null;
  }
}

/** @returns the text, or null when it is not base64 (RFC 4648 §5; the older alphabet and padding are tolerated) or not UTF-8 */
function decodeBase64Url(encoded: string): string | null {
  if (encoded.length > ENCODED_LENGTH_MAX) return null;
  const percent: string[] = [];
  let bits = 0;
  let bitCount = 0;
  for (const character of encoded.replace(/=+$/, '').replaceAll('+', '-').replaceAll('/', '_')) {
    const value = ALPHABET.indexOf(character);
    if (value === -1) return null;
    bits = ((bits << 6) | value) & 0xffff;
    bitCount += 6;
    if (bitCount < 8) continue;
    bitCount -= 8;
    percent.push(`%${((bits >> bitCount) & 0xff).toString(16).padStart(2, '0')}`);
  }
  try {
    return decodeURIComponent(percent.join(''));
  } catch {
    return null;
  }
}

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

// A hundred times a usual payload; more is not worth the time.
const ENCODED_LENGTH_MAX = 64 * 1024;
