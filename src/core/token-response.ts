/**
 * Reads token responses, fresh from a server or a script, or as a store has kept them.
 *
 * Rule: `expires_in` and its kin become moments here, once. Nothing throws, nothing is changed, and no message holds
 * anything of the tokens.
 */
import { readJwtClaims } from './jwt.ts';
import { isoText, readMoment, readSeconds } from './moment.ts';
import {
  type EpochMs,
  type Expiry,
  epochMs,
  type Fingerprinter,
  type Grant,
  type TokenResponse,
  type TokenSet,
} from './token.ts';

/** What the user says about the life of the tokens; wins over what they say themselves. */
export type ExpiresRule =
  | { readonly kind: 'as_stated' }
  | { readonly kind: 'never' }
  /** Nobody knows: planned by an assumed expiry. */
  | { readonly kind: 'unknown' }
  | { readonly kind: 'life'; readonly ms: number };

export interface ReadTokenOptions {
  /** What relative members count from when the response has no `obtained_at` of its own. */
  readonly receivedAt: EpochMs;
  /** Assumed life where none is stated. */
  readonly expiresInDefaultMs: number;
  readonly expires: ExpiresRule;
  /** Read from a store: `receivedAt` is then only the time of the file, which says nothing of when the token was issued. */
  readonly stored?: boolean;
}

/** Oddities that do no harm but should be known; for the log. */
export type TokenWarning = 'expiry_unknown' | 'life_clamped' | 'access_token_malformed' | 'token_type_malformed';

export type TokenReading =
  | { readonly ok: true; readonly tokens: TokenSet; readonly warnings: readonly TokenWarning[] }
  /** `code`: the server's error code, `malformed_response`, `malformed_token` or `no_access_token`. */
  | { readonly ok: false; readonly code: string; readonly detail: string };

/**
 * Reads a token response. Without an access token but with a refresh token it is one still: a rotated refresh token has to
 * be kept whatever else is wrong.
 * @param json what was parsed; unknown members are ignored here, and stay in the response for the store
 * @see RFC 6749 §5.1; §5.2 for the `error` member, which counts even beside a success status
 */
export function readTokenResponse(json: unknown, options: ReadTokenOptions): TokenReading {
  if (!isRecord(json)) return refused('malformed_response', 'expected a JSON object with an access_token');
  const errorCode = readErrorCode(json.error);
  if (errorCode !== null) return refused(errorCode, `the response is an error: ${errorCode}`);

  const access = readToken(json.access_token);
  const refresh = readToken(json.refresh_token);
  if (refresh.kind === 'malformed') return refused('malformed_token', malformedText('refresh_token'));
  if (access.kind === 'malformed' && refresh.value === null) {
    return refused('malformed_token', malformedText('access_token'));
  }
  if (access.value === null && refresh.value === null) {
    return refused('no_access_token', 'expected an access_token, found neither that nor a refresh_token');
  }

  const life = readLife(json, access.value, options);
  const type = readTokenType(json.token_type);
  const warnings: TokenWarning[] = [];
  if (access.kind === 'malformed') warnings.push('access_token_malformed');
  if (access.value !== null) warnings.push(...life.warnings);
  if (type === null) warnings.push('token_type_malformed');
  return {
    ok: true,
    tokens: {
      accessToken: access.value,
      refreshToken: refresh.value,
      tokenType: type ?? 'Bearer',
      obtainedAt: life.obtainedAt,
      notBefore: life.notBefore,
      expiry: life.expiry,
      refreshTokenExpiresAt: readRefreshTokenExpiry(json, options),
      account: readAccount(json),
    },
    warnings,
  };
}

/**
 * Names what is stored, for comparison.
 * @returns null when there is neither token
 */
export function grantOf(tokens: TokenSet, fingerprint: Fingerprinter): Grant | null {
  const { accessToken, refreshToken, tokenType, obtainedAt, notBefore, expiry } = tokens;
  const secret = refreshToken ?? accessToken;
  if (secret === null) return null;
  return {
    token:
      accessToken === null
        ? null
        : { accessToken, tokenType, fingerprint: fingerprint(accessToken), obtainedAt, notBefore, expiry },
    fingerprint: fingerprint(secret),
    hasRefreshToken: refreshToken !== null,
    refreshTokenExpiresAt: tokens.refreshTokenExpiresAt,
    account: tokens.account,
  };
}

/** What is held once an answer is taken in: an answer without a refresh token keeps the old one (RFC 6749 §6). */
export function mergeResponse(previous: TokenSet | null, next: TokenSet): TokenSet {
  if (previous === null) return next;
  const keepsRefreshToken = next.refreshToken === null || next.refreshToken === previous.refreshToken;
  return {
    ...next,
    refreshToken: next.refreshToken ?? previous.refreshToken,
    refreshTokenExpiresAt: next.refreshTokenExpiresAt ?? (keepsRefreshToken ? previous.refreshTokenExpiresAt : null),
    // A refresh does not change whose grant it is; but an answer may name the account in other words than the store.
    account: previous.account ?? next.account,
  };
}

/** Dates a response, so that what is relative in it still means the same when it is read from a store. */
export function dateResponse(response: TokenResponse, receivedAt: EpochMs): TokenResponse {
  return readMoment(response.obtained_at) === null ? { ...response, obtained_at: isoText(receivedAt) } : response;
}

type ReadToken =
  | { readonly kind: 'token'; readonly value: string }
  | { readonly kind: 'none' | 'malformed'; readonly value: null };

function readToken(value: unknown): ReadToken {
  if (value === undefined || value === null || value === '') return { kind: 'none', value: null };
  if (typeof value !== 'string' || !TOKEN.test(value) || value.length > TOKEN_LENGTH_MAX) {
    return { kind: 'malformed', value: null };
  }
  return { kind: 'token', value };
}

/** @returns null when it could not stand in a header */
function readTokenType(value: unknown): string | null {
  if (value === undefined || value === null || value === '') return 'Bearer';
  if (typeof value !== 'string' || !TOKEN_TYPE.test(value)) return null;
  return value.toLowerCase() === 'bearer' ? 'Bearer' : value;
}

/** @returns null when there is no error; a code that is unlike a code is not repeated, it could be anything */
function readErrorCode(error: unknown): string | null {
  if (error === undefined || error === null || error === false || error === '') return null;
  const found = isRecord(error) ? [error.code, error.status, error.type] : [error];
  const code = found.find((candidate) => typeof candidate === 'string' && ERROR_CODE.test(candidate));
  return typeof code === 'string' ? code : 'unrecognised_error';
}

interface Life {
  readonly obtainedAt: EpochMs | null;
  readonly notBefore: EpochMs | null;
  readonly expiry: Expiry;
  readonly warnings: readonly TokenWarning[];
}

/**
 * A relative life goes before an absolute end, for it does not depend on how far the two clocks are apart; unless nothing but
 * the time of a file says where it began. The issue time comes from the same source as the end: their distance is the life.
 */
function readLife(json: Members, accessToken: string | null, options: ReadTokenOptions): Life {
  const { receivedAt, expires, expiresInDefaultMs, stored = false } = options;
  const claims = accessToken === null ? null : readJwtClaims(accessToken);
  const notBefore = claims?.notBefore ?? null;
  const stated = readObtainedAt(json, options);
  const from = stated ?? (stored ? claims?.issuedAt : null) ?? receivedAt;
  const issued = stated ?? claims?.issuedAt ?? (stored ? null : receivedAt);
  const known = (obtainedAt: EpochMs | null, end: number): Life => {
    const expiresAt = clampEnd(end, receivedAt);
    const warnings: TokenWarning[] = expiresAt < Math.floor(end) ? ['life_clamped'] : [];
    return { obtainedAt, notBefore, expiry: { kind: 'known', expiresAt }, warnings };
  };
  const assumed = (warnings: readonly TokenWarning[]): Life => {
    const expiresAt = clampEnd(from + expiresInDefaultMs, receivedAt);
    return { obtainedAt: issued, notBefore, expiry: { kind: 'assumed', expiresAt }, warnings };
  };

  switch (expires.kind) {
    case 'never':
      return { obtainedAt: issued, notBefore, expiry: { kind: 'never' }, warnings: [] };
    case 'unknown':
      return assumed([]);
    case 'life':
      return known(from, from + expires.ms);
    case 'as_stated': {
      const lifeMs = readSeconds(json.expires_in);
      const end = readMoment(json.expires_at);
      if (lifeMs !== null && (stated !== null || !stored)) return known(from, from + lifeMs);
      if (end !== null) return known(issued, end);
      if (claims !== null && claims.expiresAt !== null) return known(claims.issuedAt ?? issued, claims.expiresAt);
      return lifeMs === null ? assumed(['expiry_unknown']) : known(receivedAt, receivedAt + lifeMs);
    }
  }
}

/** When the response says it was obtained; a fresh one cannot come from the future. */
function readObtainedAt(json: Members, { receivedAt, stored = false }: ReadTokenOptions): EpochMs | null {
  const stated = readMoment(json.obtained_at);
  return stated === null || stored ? stated : epochMs(Math.min(stated, receivedAt));
}

function clampEnd(end: number, receivedAt: EpochMs): EpochMs {
  return epochMs(Math.floor(Math.min(end, Math.max(receivedAt, CLOCK_EPOCH_MS) + LIFE_MS_MAX)));
}

function readRefreshTokenExpiry(json: Members, options: ReadTokenOptions): EpochMs | null {
  const lifeMs = readSeconds(json.refresh_token_expires_in) ?? readSeconds(json.refresh_expires_in);
  const from = readObtainedAt(json, options) ?? options.receivedAt;
  const end = lifeMs === null ? readMoment(json.refresh_token_expires_at) : from + lifeMs;
  return end === null ? null : clampEnd(end, options.receivedAt);
}

function readAccount(json: Members): string | null {
  if (typeof json.account_id === 'string' && json.account_id !== '') return json.account_id;
  return typeof json.id_token === 'string' ? (readJwtClaims(json.id_token)?.subject ?? null) : null;
}

type Members = Readonly<Record<string, unknown>>;

function isRecord(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function refused(code: string, detail: string): TokenReading {
  return { ok: false, code, detail };
}

function malformedText(member: string): string {
  return `${member}: expected printable characters without spaces, found others, or far too many; see what writes it`;
}

// Visible ASCII: what a header, a line of a file and an environment can carry unchanged.
const TOKEN = /^[\x21-\x7e]+$/;
// The largest known (with embedded claims) have 10 KB; servers refuse headers well below this.
const TOKEN_LENGTH_MAX = 64 * 1024;

// A token in the sense of RFC 9110 §5.6.2, shortened to what is registered.
const TOKEN_TYPE = /^[A-Za-z0-9][A-Za-z0-9._~+:/-]{0,63}$/;

const ERROR_CODE = /^[A-Za-z][A-Za-z0-9_.:-]{0,63}$/;

// Ten years: longer is a mistake of units, or means "never", which the user can say.
const LIFE_MS_MAX = 10 * 365 * 24 * 3_600_000;

// 2025-01-01. A file out of an image may be dated 1970; the absolute expiry in it is right all the same.
const CLOCK_EPOCH_MS = 1_735_689_600_000;
