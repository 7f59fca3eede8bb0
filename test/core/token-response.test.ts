import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readJwtClaims } from '../../src/core/jwt.ts';
import { epochMs, type Fingerprint, type TokenSet } from '../../src/core/token.ts';
import {
  dateResponse,
  grantOf,
  mergeResponse,
  type ReadTokenOptions,
  readTokenResponse,
} from '../../src/core/token-response.ts';

const RECEIVED_AT = epochMs(1_795_000_000_000);
const HOUR_MS = 3_600_000;
const TEN_YEARS_MS = 10 * 365 * 24 * HOUR_MS;
const OPTIONS: ReadTokenOptions = {
  receivedAt: RECEIVED_AT,
  expiresInDefaultMs: HOUR_MS,
  expires: { kind: 'as_stated' },
};

describe('a token response', () => {
  it('is read with its life counted from its receipt', () => {
    const json = { access_token: 'at', refresh_token: 'rt', token_type: 'bearer', expires_in: 3600, scope: 'a b' };
    expect(readTokenResponse(json, OPTIONS)).toEqual({
      ok: true,
      tokens: tokensWith({ refreshToken: 'rt', expiry: known(RECEIVED_AT + HOUR_MS) }),
      warnings: [],
    });
  });

  it.each([
    ['a number', 3600, RECEIVED_AT + 3_600_000],
    ['a numeric string', '3600', RECEIVED_AT + 3_600_000],
    ['a fraction', 0.5, RECEIVED_AT + 500],
  ])('F17: takes expires_in as %s', (_, expiresIn, expiresAt) => {
    expect(read({ access_token: 'at', expires_in: expiresIn }).expiry).toEqual(known(expiresAt));
  });

  it.each([
    ['missing', undefined],
    ['0', 0],
    ['negative', -5],
    ['a word', 'soon'],
    ['null', null],
    ['an object', {}],
    ['Infinity', Number.POSITIVE_INFINITY],
  ])('F17: assumes a life and warns when expires_in is %s', (_, expiresIn) => {
    const reading = readTokenResponse({ access_token: 'at', expires_in: expiresIn }, OPTIONS);
    expect(reading).toEqual({
      ok: true,
      tokens: tokensWith({ expiry: { kind: 'assumed', expiresAt: epochMs(RECEIVED_AT + HOUR_MS) } }),
      warnings: ['expiry_unknown'],
    });
  });

  it('F17: clamps a life of 1e12 seconds to ten years and says so', () => {
    expect(readTokenResponse({ access_token: 'at', expires_in: 1e12 }, OPTIONS)).toEqual({
      ok: true,
      tokens: tokensWith({ expiry: known(RECEIVED_AT + TEN_YEARS_MS) }),
      warnings: ['life_clamped'],
    });
  });

  it('F18: a token that is expired on arrival is read as that', () => {
    const expiresAt = RECEIVED_AT - HOUR_MS;
    expect(read({ access_token: 'at', expires_at: expiresAt }).expiry).toEqual(known(expiresAt));
  });

  it.each([
    ['ms', 1_795_003_600_000],
    ['s', 1_795_003_600],
    ['a numeric string', '1795003600'],
    ['ISO 8601', '2026-11-18T12:06:40Z'],
    ['ISO 8601 with a zone', '2026-11-18T13:06:40.000+01:00'],
  ])('takes expires_at in %s', (_, expiresAt) => {
    expect(read({ access_token: 'at', expires_at: expiresAt }).expiry).toEqual(known(1_795_003_600_000));
  });

  it('F20: takes exp, iat and nbf of an access token that is a JWT', () => {
    const [iat, nbf, exp] = [1_795_000_100, 1_795_000_200, 1_795_000_400];
    const tokens = read({ access_token: jwt({ iat, nbf, exp }) });
    expect(tokens).toMatchObject({ obtainedAt: iat * 1000, notBefore: nbf * 1000, expiry: known(exp * 1000) });
  });

  it('prefers a relative life to the end that a JWT states by the clock of its server', () => {
    const tokens = read({ access_token: jwt({ iat: 1_700_000_000, exp: 1_700_000_060 }), expires_in: 60 });
    expect(tokens).toMatchObject({ obtainedAt: RECEIVED_AT, expiry: known(RECEIVED_AT + 60_000) });
  });

  it('counts a relative life from obtained_at, which cannot be later than its receipt', () => {
    const earlier = RECEIVED_AT - 60_000;
    expect(read({ access_token: 'at', expires_in: 90, obtained_at: earlier }).expiry).toEqual(known(earlier + 90_000));
    const later = RECEIVED_AT + 60_000;
    expect(read({ access_token: 'at', expires_in: 90, obtained_at: later }).expiry).toEqual(
      known(RECEIVED_AT + 90_000),
    );
  });

  it.each([
    ['bearer', 'Bearer'],
    ['BEARER', 'Bearer'],
    ['DPoP', 'DPoP'],
    [undefined, 'Bearer'],
  ])('reads the token_type %s as %s', (tokenType, expected) => {
    expect(read({ access_token: 'at', token_type: tokenType }).tokenType).toBe(expected);
  });

  it('does not let a token_type into a header that could end it', () => {
    const reading = readTokenResponse({ access_token: 'at', token_type: 'Bearer\r\nX: y', expires_in: 1 }, OPTIONS);
    expect(reading).toMatchObject({ ok: true, tokens: { tokenType: 'Bearer' }, warnings: ['token_type_malformed'] });
  });

  it.each([
    ['a string', { error: 'invalid_grant' }, 'invalid_grant'],
    ['a string beside a token', { error: 'bad_refresh_token', access_token: 'at' }, 'bad_refresh_token'],
    ['an object with a code', { error: { code: 'token_expired', message: 'x' } }, 'token_expired'],
    ['an object with a number and a status', { error: { code: 401, status: 'UNAUTHENTICATED' } }, 'UNAUTHENTICATED'],
    ['unlike a code', { error: 'your token sk-1 is bad' }, 'unrecognised_error'],
    ['true', { error: true }, 'unrecognised_error'],
  ])('F13: is an error by its code when it has an error member: %s', (_, json, code) => {
    expect(readTokenResponse(json, OPTIONS)).toEqual({ ok: false, code, detail: expect.not.stringContaining('sk-1') });
  });

  it.each([[null], [''], [false]])('is no error when its error member is %j', (error) => {
    expect(readTokenResponse({ access_token: 'at', error }, OPTIONS).ok).toBe(true);
  });

  it('F14: keeps a refresh token that comes without an access token, or beside a broken one', () => {
    expect(read({ refresh_token: 'rt' })).toMatchObject({ accessToken: null, refreshToken: 'rt' });
    expect(readTokenResponse({ refresh_token: 'rt', access_token: 'a\nb' }, OPTIONS)).toMatchObject({
      ok: true,
      tokens: { accessToken: null, refreshToken: 'rt' },
      warnings: ['access_token_malformed'],
    });
  });

  it.each([
    ['nothing', {}],
    ['blanks', { access_token: '', refresh_token: null }],
  ])('is refused when it holds %s', (_, json) => {
    expect(readTokenResponse(json, OPTIONS)).toMatchObject({ ok: false, code: 'no_access_token' });
  });

  it.each([[null], ['text'], [[1]], [7]])('F12: is refused when it is %j and no object', (json) => {
    expect(readTokenResponse(json, OPTIONS)).toMatchObject({ ok: false, code: 'malformed_response' });
  });

  it.each([['sec\nret'], ['sec ret'], ['sec\u0000ret'], ['sec\u00e9ret'], ['"sec ret"'], [42]])(
    'A10: a token that cannot stand in a header is refused without being repeated: %j',
    (token) => {
      for (const json of [{ access_token: token }, { access_token: 'at', refresh_token: token }]) {
        const reading = readTokenResponse(json, OPTIONS);
        expect(reading).toMatchObject({ ok: false, code: 'malformed_token' });
        expect(JSON.stringify(reading)).not.toMatch(/sec|ret"|42/);
      }
    },
  );

  it('takes the life of the refresh token where it is stated', () => {
    const inADay = RECEIVED_AT + 24 * HOUR_MS;
    for (const member of ['refresh_token_expires_in', 'refresh_expires_in']) {
      const tokens = read({ access_token: 'at', refresh_token: 'rt', [member]: 86_400 });
      expect(tokens.refreshTokenExpiresAt).toBe(inADay);
    }
    expect(read({ refresh_token: 'rt', refresh_token_expires_at: inADay }).refreshTokenExpiresAt).toBe(inADay);
    expect(read({ refresh_token: 'rt', refresh_expires_in: 0 }).refreshTokenExpiresAt).toBeNull();
  });

  it('takes the account from account_id, else from the subject of the id_token', () => {
    const idToken = jwt({ sub: 'someone@example.org' });
    expect(read({ access_token: 'at', id_token: idToken }).account).toBe('someone@example.org');
    expect(read({ access_token: 'at', id_token: idToken, account_id: 'a-1' }).account).toBe('a-1');
    expect(read({ access_token: 'at', id_token: 'opaque' }).account).toBeNull();
  });
});

describe('the expires rule of the user', () => {
  const json = { access_token: jwt({ exp: 1_795_000_400 }), expires_in: 60 };
  it.each([
    ['never', { kind: 'never' }, { kind: 'never' }],
    ['unknown', { kind: 'unknown' }, { kind: 'assumed', expiresAt: RECEIVED_AT + HOUR_MS }],
    ['a life', { kind: 'life', ms: 5000 }, known(RECEIVED_AT + 5000)],
  ] as const)('wins over what the token says: %s', (_, expires, expiry) => {
    const reading = readTokenResponse(json, { ...OPTIONS, expires });
    expect(reading).toMatchObject({ ok: true, tokens: { expiry }, warnings: [] });
  });
});

describe('a stored token response', () => {
  const stored: ReadTokenOptions = { ...OPTIONS, stored: true };

  it('has no known issue time when only an absolute end is stated', () => {
    const reading = readTokenResponse({ access_token: 'at', expires_at: RECEIVED_AT + HOUR_MS }, stored);
    expect(reading).toMatchObject({ tokens: { obtainedAt: null, expiry: known(RECEIVED_AT + HOUR_MS) } });
  });

  it('counts from the time of its file only when nothing better is known', () => {
    expect(readTokenResponse({ access_token: 'at', expires_in: 60 }, stored)).toMatchObject({
      tokens: { obtainedAt: RECEIVED_AT, expiry: known(RECEIVED_AT + 60_000) },
    });
    const token = jwt({ iat: 1_794_999_000, exp: 1_794_999_060 });
    expect(readTokenResponse({ access_token: token, expires_in: 60 }, stored)).toMatchObject({
      tokens: { obtainedAt: 1_794_999_000_000, expiry: known(1_794_999_060_000) },
    });
  });

  it('keeps its absolute end although its file is dated 1970', () => {
    const reading = readTokenResponse(
      { access_token: 'at', expires_at: RECEIVED_AT },
      { ...stored, receivedAt: epochMs(0) },
    );
    expect(reading).toMatchObject({ tokens: { expiry: known(RECEIVED_AT) }, warnings: [] });
  });

  it('means the same later when it was dated at its receipt', () => {
    const fresh = readTokenResponse({ access_token: 'at', expires_in: 60 }, OPTIONS);
    const dated = dateResponse({ access_token: 'at', expires_in: 60 }, RECEIVED_AT);
    const later = epochMs(RECEIVED_AT + 5 * HOUR_MS);
    expect(readTokenResponse(dated, { ...stored, receivedAt: later })).toEqual(fresh);
    expect(dateResponse(dated, later)).toBe(dated);
  });
});

describe('an answer merged into what was held', () => {
  const previous = tokensWith({
    accessToken: 'old',
    refreshToken: 'rt-1',
    refreshTokenExpiresAt: epochMs(7),
    account: 'me',
    expiry: known(RECEIVED_AT),
  });

  it('F15: keeps the old refresh token, its end and the account when the answer brings none', () => {
    const next = tokensWith({ accessToken: 'new' });
    expect(mergeResponse(previous, next)).toEqual({
      ...next,
      refreshToken: 'rt-1',
      refreshTokenExpiresAt: 7,
      account: 'me',
    });
    expect(mergeResponse(null, next)).toEqual(next);
  });

  it('takes a new refresh token without the end of the old one', () => {
    const next = tokensWith({ accessToken: 'new', refreshToken: 'rt-2' });
    expect(mergeResponse(previous, next)).toEqual({ ...next, account: 'me' });
    // The subject of an id_token in the answer is no other account than the one that the store names in its own way.
    expect(mergeResponse(previous, { ...next, account: 'subject' }).account).toBe('me');
  });
});

describe('the grant', () => {
  const fingerprint = (secret: string): Fingerprint => `print of ${secret}` as Fingerprint;

  it('is named by the refresh token, else by the access token, else there is none', () => {
    expect(grantOf(tokensWith({ refreshToken: 'rt' }), fingerprint)).toMatchObject({
      token: { accessToken: 'at', fingerprint: 'print of at' },
      fingerprint: 'print of rt',
      hasRefreshToken: true,
    });
    expect(grantOf(tokensWith({}), fingerprint)).toMatchObject({ fingerprint: 'print of at', hasRefreshToken: false });
    expect(grantOf(tokensWith({ accessToken: null, refreshToken: 'rt' }), fingerprint)).toMatchObject({ token: null });
    expect(grantOf(tokensWith({ accessToken: null }), fingerprint)).toBeNull();
  });
});

describe('a JWT', () => {
  it.each([['opaque'], ['a.b.c'], ['..'], ['a.b.c.d.e'], ['x.W10.y'], ['x.bm90IGpzb24.y'], ['x._w.y'], ['x.????.y']])(
    'is null when it is none or damaged: %s',
    (token) => {
      expect(readJwtClaims(token)).toBeNull();
    },
  );

  it('is read with padding, the older alphabet and text beyond ASCII', () => {
    const payload = Buffer.from(JSON.stringify({ sub: 'jürgen~?>ÿ€😀', exp: '1795000000' }));
    for (const encoding of ['base64', 'base64url'] as const) {
      expect(readJwtClaims(`h.${payload.toString(encoding)}.s`)).toEqual({
        expiresAt: 1_795_000_000_000,
        issuedAt: null,
        notBefore: null,
        subject: 'jürgen~?>ÿ€😀',
      });
    }
  });
});

describe('properties', () => {
  const member = fc.oneof(
    fc.jsonValue(),
    fc.string(),
    fc.double(),
    fc.integer(),
    fc.string().map((sub) => jwt({ sub })),
  );
  const response = fc.record(
    Object.fromEntries(
      ['access_token', 'refresh_token', 'token_type', 'expires_in', 'expires_at', 'obtained_at', 'error'].map(
        (name) => [name, member],
      ),
    ),
    { requiredKeys: [] },
  );
  const rule = fc.oneof(
    fc.constantFrom({ kind: 'as_stated' } as const, { kind: 'never' } as const, { kind: 'unknown' } as const),
    fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }).map((ms) => ({ kind: 'life', ms }) as const),
  );

  it('F17: whatever JSON comes, nothing throws, every moment is whole, and no life is longer than ten years', () => {
    fc.assert(
      fc.property(fc.oneof(fc.jsonValue(), response), rule, fc.boolean(), (json, expires, stored) => {
        const reading = readTokenResponse(json, { ...OPTIONS, expires, stored });
        if (!reading.ok) return;
        const { expiry, accessToken, refreshToken } = reading.tokens;
        expect(accessToken ?? refreshToken).toMatch(/^[!-~]+$/);
        if (expiry.kind === 'never') return;
        expect(Number.isSafeInteger(expiry.expiresAt)).toBe(true);
        expect(expiry.expiresAt).toBeLessThanOrEqual(RECEIVED_AT + TEN_YEARS_MS);
      }),
      { numRuns: 500 },
    );
  });

  it('A10: a refusal never repeats what was sent as a token', () => {
    const secret = fc.string({ minLength: 1, maxLength: 30 }).map((text) => `\u0001SECRET${text}`);
    fc.assert(
      fc.property(secret, (token) => {
        const reading = readTokenResponse({ access_token: token }, OPTIONS);
        expect(reading.ok).toBe(false);
        expect(JSON.stringify(reading)).not.toContain('SECRET');
      }),
    );
  });

  it('any claims survive the way through a JWT', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1, unit: 'grapheme' }), fc.integer({ min: 1, max: 1e10 }), (sub, exp) => {
        expect(readJwtClaims(jwt({ sub, exp }))).toMatchObject({ subject: sub, expiresAt: exp * 1000 });
      }),
    );
  });
});

function read(json: unknown): TokenSet {
  const reading = readTokenResponse(json, OPTIONS);
  if (!reading.ok) throw new Error(reading.detail);
  return reading.tokens;
}

function tokensWith(some: Partial<TokenSet>): TokenSet {
  return {
    accessToken: 'at',
    refreshToken: null,
    tokenType: 'Bearer',
    obtainedAt: RECEIVED_AT,
    notBefore: null,
    expiry: { kind: 'never' },
    refreshTokenExpiresAt: null,
    account: null,
    ...some,
  };
}

function known(expiresAt: number): TokenSet['expiry'] {
  return { kind: 'known', expiresAt: epochMs(expiresAt) };
}

function jwt(claims: object): string {
  return `${encode({ alg: 'none' })}.${encode(claims)}.c2ln`;
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}
