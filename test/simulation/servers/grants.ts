/**
 * What an authorization server knows: families of refresh tokens, which of them are spent, and the access tokens given.
 *
 * Rule: the truth of the world. Nothing here is guessed and nothing is forgotten, so that a checker can ask who did what.
 */
import type { Random } from '../random.ts';

/** Who sent a refresh token: the daemon (itself or by its script), or a program that knows nothing of it. */
export type Sender = 'freshd' | 'foreign';

export interface Family {
  readonly id: number;
  /** In order; each was given for the one before. */
  readonly tokens: RefreshToken[];
  revoked: Revocation | null;
}

export interface RefreshToken {
  readonly text: string;
  readonly family: Family;
  readonly index: number;
  /** The first spending; null: it is the present one. */
  spent: Spending | null;
}

export interface Spending {
  readonly at: number;
  readonly by: Sender;
}

export interface Revocation {
  readonly at: number;
  /** `reuse`: a spent token was sent again, by this sender. */
  readonly cause:
    | { readonly kind: 'reuse'; readonly token: RefreshToken; readonly by: Sender }
    | { readonly kind: 'provider' };
}

export interface AccessToken {
  readonly text: string;
  readonly family: Family;
  /** The refresh token that came with it; null: none did. */
  readonly refresh: RefreshToken | null;
  readonly givenAt: number;
  readonly endsAt: number;
}

export interface Grant {
  readonly access: AccessToken;
  /** Null: not said anew, the one that was sent stays good. */
  readonly refresh: RefreshToken | null;
}

export type Outcome =
  | { readonly kind: 'granted'; readonly grant: Grant; readonly spending: Spending | null }
  | { readonly kind: 'refused'; readonly why: 'unknown' | 'revoked' | 'reused' };

export interface GrantRules {
  readonly rotates: boolean;
  /** How long a spent token still brings its successor. */
  readonly reuseGraceMs: number;
  readonly lifeMs: number;
}

export class Grants {
  readonly rules: GrantRules;
  readonly families: Family[] = [];
  readonly #random: Random;
  readonly #refreshTokens = new Map<string, RefreshToken>();
  readonly #accessTokens = new Map<string, AccessToken>();
  #newest: AccessToken | null = null;

  constructor(rules: GrantRules, random: Random) {
    this.rules = rules;
    this.#random = random;
  }

  /** A new family, as after a login. */
  login(now: number): { readonly access: AccessToken; readonly refresh: RefreshToken } {
    const family: Family = { id: this.families.length + 1, tokens: [], revoked: null };
    this.families.push(family);
    return this.#give(family, this.#giveRefresh(family), { now, lifeMs: this.rules.lifeMs });
  }

  /** @param lifeMs of the access token, where the server gives another than usual */
  refresh(text: string, by: Sender, now: number, lifeMs = this.rules.lifeMs): Outcome {
    const token = this.#refreshTokens.get(text);
    if (token === undefined) return { kind: 'refused', why: 'unknown' };
    const { family } = token;
    if (family.revoked !== null) return { kind: 'refused', why: 'revoked' };
    if (!this.rules.rotates) {
      return { kind: 'granted', grant: this.#give(family, null, { now, lifeMs }), spending: null };
    }
    if (token.spent === null) {
      token.spent = { at: now, by };
      const grant = this.#give(family, this.#giveRefresh(family), { now, lifeMs });
      return { kind: 'granted', grant, spending: token.spent };
    }
    const successor = family.tokens[token.index + 1];
    const isInGrace = now - token.spent.at <= this.rules.reuseGraceMs && successor?.spent === null;
    if (isInGrace && successor !== undefined) {
      return { kind: 'granted', grant: this.#give(family, successor, { now, lifeMs }), spending: token.spent };
    }
    family.revoked = { at: now, cause: { kind: 'reuse', token, by } };
    return { kind: 'refused', why: 'reused' };
  }

  /** The session ended for a reason of the provider's own. */
  revoke(family: Family, now: number): void {
    family.revoked ??= { at: now, cause: { kind: 'provider' } };
  }

  findRefresh(text: string): RefreshToken | null {
    return this.#refreshTokens.get(text) ?? null;
  }

  findAccess(text: string): AccessToken | null {
    return this.#accessTokens.get(text) ?? null;
  }

  newestAccess(): AccessToken | null {
    return this.#newest;
  }

  isGood(text: string, now: number): boolean {
    const token = this.#accessTokens.get(text);
    return token !== undefined && now < token.endsAt;
  }

  #giveRefresh(family: Family): RefreshToken {
    const index = family.tokens.length;
    const text = `rt-${family.id}-${index}-${this.#random.hex(SECRET_BYTES)}`;
    const token: RefreshToken = { text, family, index, spent: null };
    family.tokens.push(token);
    this.#refreshTokens.set(text, token);
    return token;
  }

  #give<R extends RefreshToken | null>(
    family: Family,
    refresh: R,
    { now, lifeMs }: { readonly now: number; readonly lifeMs: number },
  ): { readonly access: AccessToken; readonly refresh: R } {
    const text = `at-${family.id}-${this.#accessTokens.size}-${this.#random.hex(SECRET_BYTES)}`;
    const access: AccessToken = { text, family, refresh, givenAt: now, endsAt: now + lifeMs };
    this.#accessTokens.set(text, access);
    this.#newest = access;
    return { access, refresh };
  }
}

const SECRET_BYTES = 16;
