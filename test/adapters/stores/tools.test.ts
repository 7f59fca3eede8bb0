/** The files of other tools, each in its own shape: test/fixtures/stores has one of each, none of them ever a real login. */
import { readFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { StorePort } from '../../../src/daemon/ports.ts';
import { always, HOUR_MS, jwt, known, makeDirectory, storeIn, tokensOf } from './parts.ts';

const NOW = 1_795_000_000_000;
const SOON = NOW + HOUR_MS;
const LATER = NOW + 3 * HOUR_MS;
const ANSWER = { access_token: 'access-2', refresh_token: 'refresh-2', expires_in: 10_800, obtained_at: NOW };

type Document = Record<string, unknown>;
type ToolFormat = 'claude-code' | 'codex' | 'gemini' | 'opencode' | 'openclaw' | 'hermes' | 'grok' | 'google-adc';

const fixture = (format: ToolFormat): Document =>
  JSON.parse(readFileSync(`test/fixtures/stores/${format}.json`, 'utf8')) as Document;

/** The document with what `change` does to a copy of it. */
function changed(format: ToolFormat, change: (document: never) => void): Document {
  const document = fixture(format);
  change(document as never);
  return document;
}

interface Row {
  readonly format: ToolFormat;
  readonly entry?: string | null;
  readonly tokens: object;
  /** What a write changes of the fixture, and nothing else. */
  readonly write: (document: never) => void;
  readonly answer?: Document;
}

const ROWS: readonly Row[] = [
  {
    format: 'claude-code',
    tokens: { accessToken: 'access-1', expiry: known(SOON), account: null },
    write: (document: { claudeAiOauth: Document }) =>
      Object.assign(document.claudeAiOauth, { accessToken: 'access-2', refreshToken: 'refresh-2', expiresAt: LATER }),
  },
  {
    format: 'codex',
    tokens: { accessToken: jwt({ exp: SOON / 1000, iat: NOW / 1000 }), expiry: known(SOON), account: 'account-1' },
    answer: { ...ANSWER, access_token: jwt({ exp: LATER / 1000 }), id_token: 'id-2' },
    write: (document: { tokens: Document; last_refresh: string }) => {
      const tokens = { access_token: jwt({ exp: LATER / 1000 }), refresh_token: 'refresh-2', id_token: 'id-2' };
      Object.assign(document.tokens, tokens);
      document.last_refresh = new Date(NOW).toISOString();
    },
  },
  {
    format: 'gemini',
    tokens: { accessToken: 'access-1', expiry: known(SOON), account: 'someone' },
    // Google sends no refresh token with a refresh.
    answer: { access_token: 'access-2', expires_in: 10_800, obtained_at: NOW, token_type: 'bearer' },
    write: (document: Document) => Object.assign(document, { access_token: 'access-2', expiry_date: LATER }),
  },
  {
    format: 'opencode',
    entry: 'anthropic',
    tokens: { accessToken: 'access-1', expiry: known(SOON) },
    write: (document: { anthropic: Document }) =>
      Object.assign(document.anthropic, { access: 'access-2', refresh: 'refresh-2', expires: LATER }),
  },
  {
    format: 'openclaw',
    entry: 'anthropic:default',
    tokens: { accessToken: 'access-1', expiry: known(SOON) },
    write: (document: { profiles: Record<string, Document> }) =>
      Object.assign(document.profiles['anthropic:default'] ?? {}, {
        access: 'access-2',
        refresh: 'refresh-2',
        expires: LATER,
      }),
  },
  {
    format: 'hermes',
    entry: 'xai-oauth',
    tokens: { accessToken: 'access-1', expiry: known(SOON), obtainedAt: NOW },
    write: (document: { providers: Record<string, { tokens: Document; last_refresh: string }> }) => {
      const provider = document.providers['xai-oauth'];
      const tokens = { access_token: 'access-2', refresh_token: 'refresh-2', expires_in: 10_800 };
      Object.assign(provider?.tokens ?? {}, tokens);
      Object.assign(provider ?? {}, { last_refresh: new Date(NOW).toISOString() });
    },
  },
  {
    format: 'grok',
    tokens: { accessToken: 'access-1', expiry: known(SOON) },
    write: (document: Record<string, Document>) =>
      Object.assign(Object.values(document)[0] ?? {}, {
        key: 'access-2',
        refresh_token: 'refresh-2',
        expires_at: new Date(LATER).toISOString(),
      }),
  },
  {
    format: 'google-adc',
    tokens: { accessToken: null, expiry: expect.objectContaining({ kind: 'assumed' }) },
    // There is no place for an access token in it.
    write: (document: Document) => Object.assign(document, { refresh_token: 'refresh-2' }),
  },
];

describe.each(ROWS)('a $format store', ({ format, entry = null, tokens, write, answer = ANSWER }) => {
  it('is read in the shape of its tool', async () => {
    const { store } = await storeWith(format, fixture(format), entry);
    expect(tokensOf(await store.read())).toMatchObject({ refreshToken: 'refresh-1', ...tokens });
  });

  it('A14: is written with everything else as it was, member by member and in its order', async () => {
    const { store, path } = await storeWith(format, fixture(format), entry);
    const { committed, found } = await store.write(answer, always);
    expect(committed).toBe(true);
    expect(tokensOf(found).refreshToken).toBe('refresh_token' in answer ? 'refresh-2' : 'refresh-1');
    expect(await readFile(path, 'utf8')).toBe(`${JSON.stringify(changed(format, write), null, 2)}\n`);
  });

  it('F15: keeps its refresh token when the answer brings none', async () => {
    const { store } = await storeWith(format, fixture(format), entry);
    const { refresh_token: _, ...withoutRefreshToken } = answer;
    expect(tokensOf((await store.write(withoutRefreshToken, always)).found).refreshToken).toBe('refresh-1');
  });

  it('F37: half of it is broken, without a word of its content', async () => {
    const text = JSON.stringify(fixture(format));
    const { store } = await storeWith(format, text.slice(0, text.length / 2), entry);
    const reading = await store.read();
    expect(reading.kind).toBe('broken');
    expect(JSON.stringify(reading)).not.toMatch(/access-1|refresh-1|other-/);
  });

  it('D1: is missing without its login, broken when it is no object, and never begun by freshd', async () => {
    const { store, path } = await storeWith(format, {}, entry);
    expect(await store.read()).toMatchObject({ kind: 'missing', detail: expect.stringContaining(path) });
    await expect(store.write(answer, always)).rejects.toMatchObject({ code: 'login_missing' });
    expect(await (await storeWith(format, '[]', entry)).store.read()).toMatchObject({ kind: 'broken' });
    expect(await (await storeWith(format, null, entry)).store.read()).toMatchObject({ kind: 'missing' });
  });
});

describe('what is particular', () => {
  it.each<[ToolFormat, string | null, Document]>([
    ['codex', null, { tokens: { access_token: '', refresh_token: '' } }],
    ['gemini', null, { access_token: '', refresh_token: '', expiry_date: 0 }],
    ['opencode', 'a', { a: { type: 'oauth', access: '', refresh: '', expires: 0 } }],
    ['openclaw', 'a', { profiles: { a: { type: 'oauth', access: '', refresh: 'still-here', expires: 0 } } }],
    ['hermes', 'a', { providers: { a: { tokens: { access_token: '', refresh_token: null } } } }],
    ['grok', 'a', { a: { key: '', refresh: '' } }],
    ['google-adc', null, { type: 'authorized_user', refresh_token: '' }],
  ])('F70: a %s login that its tool emptied is blanked', async (format, entry, document) => {
    expect(await (await storeWith(format, document, entry)).store.read()).toMatchObject({ kind: 'blanked' });
  });

  it('codex: the account is its account_id, never the subject of the id_token', async () => {
    const withoutAccount = changed('codex', (document: { tokens: Document }) => delete document.tokens.account_id);
    const { store } = await storeWith('codex', withoutAccount);
    expect(tokensOf(await store.read()).account).toBeNull();
    const withKey = await storeWith('codex', { OPENAI_API_KEY: 'sk-x', tokens: null });
    expect(await withKey.store.read()).toMatchObject({ kind: 'missing' });
  });

  it('codex: a file that was truncated and is being written is looked at until it is whole', async () => {
    const { store, path } = await storeWith('codex', '');
    const reading = store.read();
    await writeFile(path, JSON.stringify(fixture('codex')));
    expect(tokensOf(await reading).refreshToken).toBe('refresh-1');
  });

  it('incident D: a hermes grant without access token can be refreshed, without any token it is broken', async () => {
    const dead = changed('hermes', (document: { providers: Record<string, { tokens: Document }> }) => {
      delete document.providers['xai-oauth']?.tokens.access_token;
    });
    const { store } = await storeWith('hermes', dead, 'xai-oauth');
    expect(tokensOf(await store.read())).toMatchObject({ accessToken: null, refreshToken: 'refresh-1' });
    const empty = { providers: { 'xai-oauth': { tokens: {} } } };
    expect(await (await storeWith('hermes', empty, 'xai-oauth')).store.read()).toMatchObject({ kind: 'broken' });
    const gone = { providers: { 'xai-oauth': {} } };
    expect(await (await storeWith('hermes', gone, 'xai-oauth')).store.read()).toMatchObject({ kind: 'broken' });
  });

  it.each([
    [
      'above the providers',
      { last_refresh: NOW / 1000, providers: { p: { tokens: { access_token: 'a', expires_in: 60 } } } },
    ],
    ['beside the tokens', { providers: { p: { tokens: { access_token: 'a', expires_in: '60', last_refresh: NOW } } } }],
  ])('hermes: the date is found %s, and written back there', async (_, document) => {
    const { store, path } = await storeWith('hermes', document, 'p');
    expect(tokensOf(await store.read()).expiry).toEqual(known(NOW + 60_000));
    await store.write({ access_token: 'b', expires_in: 120, obtained_at: NOW + HOUR_MS }, always);
    const text = await readFile(path, 'utf8');
    expect(text.match(/last_refresh/g)).toHaveLength(1);
    expect(tokensOf(await store.read()).expiry).toEqual(known(SOON + 120_000));
  });

  it.each([
    ['key', 'refresh', 'expires', SOON],
    ['access_token', 'refresh_token', 'expires_at', SOON / 1000],
    ['key', 'refresh_token', 'expires', String(SOON)],
    ['access_token', 'refresh', 'expires_at', new Date(SOON).toISOString()],
  ])('grok: reads %s, %s and %s, and writes back what it found', async (access, refresh, expires, value) => {
    const login = { [access]: 'access-1', [refresh]: 'refresh-1', [expires]: value };
    for (const [document, entry] of [
      [{ x: login }, 'x'],
      [{ x: login, y: 1 }, null],
      [login, null],
    ] as const) {
      const { store, path } = await storeWith('grok', document, entry);
      expect(tokensOf(await store.read())).toMatchObject({ refreshToken: 'refresh-1', expiry: known(SOON) });
      expect(tokensOf((await store.write(ANSWER, always)).found).expiry).toEqual(known(LATER));
      const written = JSON.parse(await readFile(path, 'utf8')) as Document;
      const found = (written.x ?? written) as Document;
      expect(Object.keys(found)).toEqual([access, refresh, expires]);
      expect(typeof found[expires]).toBe(typeof value);
    }
  });

  it('grok: its permanent lock file is nothing to wait for', async () => {
    const { store, path } = await storeWith('grok', fixture('grok'));
    await writeFile(`${path}.lock`, '');
    await (await store.lock(0, 'script'))();
    expect((await store.write(ANSWER, always)).committed).toBe(true);
  });

  it('of several logins none is guessed: the names are told, and entry picks one', async () => {
    const login = { type: 'oauth', access: 'access-1', refresh: 'refresh-1', expires: SOON };
    const document = { one: login, two: { ...login, access: 'access-2' }, three: { type: 'api', key: 'k' } };
    const { store } = await storeWith('opencode', document);
    expect(await store.read()).toMatchObject({ kind: 'broken', detail: expect.stringContaining('found 2 (one, two)') });
    const second = await storeWith('opencode', document, 'two');
    expect(tokensOf(await second.store.read()).accessToken).toBe('access-2');
    const key = await storeWith('opencode', document, 'three');
    expect(await key.store.read()).toMatchObject({
      kind: 'missing',
      detail: expect.stringContaining('no OAuth login'),
    });
    const none = await storeWith('opencode', document, '__proto__');
    expect(await none.store.read()).toMatchObject({ kind: 'missing' });
  });

  it('a tool that needs an expiry gets an assumed one where the answer has none', async () => {
    const { store, path } = await storeWith('opencode', fixture('opencode'), 'anthropic');
    await store.write({ access_token: 'access-2', obtained_at: NOW }, always);
    const { anthropic } = JSON.parse(await readFile(path, 'utf8')) as { anthropic: Document };
    expect(anthropic.expires).toBe(SOON);
  });

  it('google-adc: what is no login of a person is broken, and says so', async () => {
    const { store } = await storeWith('google-adc', { type: 'service_account', private_key: 'other-secret' });
    expect(await store.read()).toMatchObject({ kind: 'broken', detail: expect.stringContaining('authorized_user') });
  });

  it('google-adc: an answer with only an access token leaves the file as it is, and counts as kept', async () => {
    const { store, path } = await storeWith('google-adc', fixture('google-adc'));
    const before = await readFile(path, 'utf8');
    const { committed, found } = await store.write({ access_token: 'access-2', expires_in: 60 }, always);
    expect({ committed, refreshToken: tokensOf(found).refreshToken }).toEqual({
      committed: true,
      refreshToken: 'refresh-1',
    });
    expect(await readFile(path, 'utf8')).toBe(before);
  });
});

async function storeWith(
  format: ToolFormat,
  content: unknown,
  entry: string | null = null,
): Promise<{ store: StorePort; path: string }> {
  const directory = await makeDirectory();
  const path = join(directory, 'store.json');
  const text = typeof content === 'string' ? content : `${JSON.stringify(content, null, 2)}\n`;
  if (content !== null) await writeFile(path, text);
  return { path, store: storeIn(format, { path, lockDirectory: join(directory, 'locks'), entry }) };
}
