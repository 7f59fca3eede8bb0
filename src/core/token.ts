/**
 * Tokens, moments and fingerprints: the words that everything else is said in.
 *
 * Rule: moments only. What the wire states as a duration has become an `EpochMs` before it gets here.
 */

declare const epochBrand: unique symbol;
declare const monotonicBrand: unique symbol;
declare const fingerprintBrand: unique symbol;

/** Wall-clock time in milliseconds since 1970. Can jump either way. */
export type EpochMs = number & { readonly [epochBrand]: true };

/** Milliseconds on a clock that never steps back; its zero means nothing outside this process. */
export type MonotonicMs = number & { readonly [monotonicBrand]: true };

/** Shortened HMAC of a secret under the installation's key: comparable, not reversible, safe to store and log. */
export type Fingerprint = string & { readonly [fingerprintBrand]: true };

/** Turns a secret into its fingerprint; supplied by the shell, which holds the key. */
export type Fingerprinter = (secret: string) => Fingerprint;

/** Version of the token that consumers see. Grows, never repeats, starts at the epoch second. */
export type Generation = number;

export interface Now {
  readonly wallMs: EpochMs;
  readonly monotonicMs: MonotonicMs;
}

/**
 * When a token ends. An `assumed` expiry plans refreshes but never makes a token unusable:
 * nobody told us, so nobody may be cut off on the strength of it.
 */
export type Expiry =
  | { readonly kind: 'known'; readonly expiresAt: EpochMs }
  | { readonly kind: 'assumed'; readonly expiresAt: EpochMs }
  | { readonly kind: 'never' };

/** What a store or a token response says, before it is fingerprinted. Holds secrets: never log one. */
export interface TokenSet {
  readonly accessToken: string | null;
  readonly refreshToken: string | null;
  readonly tokenType: string;
  /** Issue time where it is known (JWT `iat`, `obtained_at`, `last_refresh`). */
  readonly obtainedAt: EpochMs | null;
  readonly notBefore: EpochMs | null;
  readonly expiry: Expiry;
  readonly refreshTokenExpiresAt: EpochMs | null;
  /** Who the grant belongs to, where the format says so. */
  readonly account: string | null;
}

/** An access token as the core holds it. */
export interface Token {
  readonly accessToken: string;
  readonly tokenType: string;
  readonly fingerprint: Fingerprint;
  readonly obtainedAt: EpochMs | null;
  readonly notBefore: EpochMs | null;
  readonly expiry: Expiry;
}

/** What is known of a stored grant: its access token if it has one, and the identity of what would be sent to refresh it. */
export interface Grant {
  readonly token: Token | null;
  /** Of the refresh token, else of the access token. */
  readonly fingerprint: Fingerprint;
  readonly hasRefreshToken: boolean;
  readonly refreshTokenExpiresAt: EpochMs | null;
  readonly account: string | null;
}

/** A token response as it came, members verbatim (RFC 6749 §5.1). Holds secrets: never log one. */
export type TokenResponse = Readonly<Record<string, unknown>>;

/** The result of a successful attempt. */
export interface Answer {
  /** As it will stand once persisted: an answer without a refresh token keeps the old one. */
  readonly grant: Grant;
  /** What has to be written to the store; null when the store holds it already (`result: store`). */
  readonly response: TokenResponse | null;
}

export const epochMs = (value: number): EpochMs => value as EpochMs;
export const monotonicMs = (value: number): MonotonicMs => value as MonotonicMs;
