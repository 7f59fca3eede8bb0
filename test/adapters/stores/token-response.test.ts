import { readFile, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { epochMs } from '../../../src/core/token.ts';
import { always, clockAt, HOUR_MS, known, makeDirectory, storeIn, tokensOf } from './parts.ts';

const OBTAINED_AT = 1_795_000_000_000;
const OLD = {
  access_token: 'at-1',
  refresh_token: 'rt-1',
  token_type: 'bearer',
  expires_in: 3600,
  obtained_at: OBTAINED_AT,
  scope: 'mail.read',
  'x-unknown': { keep: [1.0, 'é'] },
};

describe('a token-response store', () => {
  it('is read with its life counted from obtained_at', async () => {
    const { store } = await storeWith(JSON.stringify(OLD));
    expect(await store.read()).toEqual({
      kind: 'tokens',
      tokens: {
        accessToken: 'at-1',
        refreshToken: 'rt-1',
        tokenType: 'Bearer',
        obtainedAt: OBTAINED_AT,
        notBefore: null,
        expiry: known(OBTAINED_AT + HOUR_MS),
        refreshTokenExpiresAt: null,
        account: null,
      },
    });
  });

  it('counts a relative life from the time of the file when it has no date of its own', async () => {
    const { store, path } = await storeWith('{"access_token":"at-1","expires_in":"60"}');
    await utimes(path, 1_795_000_000, 1_795_000_000);
    expect(tokensOf(await store.read()).expiry).toEqual(known(OBTAINED_AT + 60_000));
  });

  it('D1: is broken with a reason, not missing, when it lacks its tokens or is no token response', async () => {
    for (const text of [
      '{}',
      '{"error":"invalid_grant"}',
      '[]',
      '"at"',
      '{"access_token":7}',
      '{"access_token":"a b"}',
    ]) {
      const { store, path } = await storeWith(text);
      expect(await store.read()).toEqual({ kind: 'broken', detail: expect.stringContaining(path) });
    }
  });

  it('F70: is blanked, not broken, when its tokens were emptied', async () => {
    for (const text of [
      '{"access_token":"","refresh_token":""}',
      '{"access_token":null}',
      '{"access_token":"","refresh_token":"","expires_at":0}',
    ]) {
      const { store } = await storeWith(text);
      expect(await store.read()).toMatchObject({ kind: 'blanked' });
    }
  });

  it('A14: takes an answer in without touching a byte of what it does not know', async () => {
    const text = `\ufeff{\r\n\t"x": 12345678901234567890,\r\n\t"access_token": "at-1",  "refresh_token":"rt-1",\r\n\t"scope": "a"\r\n}\r\n`;
    const { store, path } = await storeWith(text);
    const answer = { access_token: 'at-2', refresh_token: 'rt-2', expires_in: 60, obtained_at: OBTAINED_AT };
    const { committed, found } = await store.write(answer, always);
    expect(committed).toBe(true);
    expect(tokensOf(found)).toMatchObject({ accessToken: 'at-2', refreshToken: 'rt-2' });
    expect(await readFile(path, 'utf8')).toBe(
      text
        .replace('at-1', 'at-2')
        .replace('rt-1', 'rt-2')
        .replace('"scope": "a"', `"scope": "a",\r\n\t"expires_in": 60,\r\n\t"obtained_at": ${OBTAINED_AT}`),
    );
  });

  it('dates an answer that has no date, so that its life does not begin anew at each start', async () => {
    const clock = clockAt(OBTAINED_AT);
    const { store, path, directory } = await storeWith(JSON.stringify(OLD), clock.now);
    await store.write({ access_token: 'at-2', expires_in: 60 }, always);
    await utimes(path, 1_796_000_000, 1_796_000_000);
    clock.set(OBTAINED_AT + 5 * HOUR_MS);
    const restarted = storeIn('token-response', { path, lockDirectory: directory, entry: null, now: clock.now });
    expect(tokensOf(await restarted.read())).toMatchObject({
      obtainedAt: OBTAINED_AT,
      expiry: known(OBTAINED_AT + 60_000),
    });
  });

  it('F15: keeps the old refresh token, and its end, when the answer brings none', async () => {
    const { store } = await storeWith(JSON.stringify({ ...OLD, refresh_token_expires_in: 86_400 }));
    const answer = { access_token: 'at-2', expires_in: 60, obtained_at: OBTAINED_AT + HOUR_MS };
    const { found } = await store.write(answer, always);
    expect(tokensOf(found)).toMatchObject({
      refreshToken: 'rt-1',
      refreshTokenExpiresAt: OBTAINED_AT + 24 * HOUR_MS,
      expiry: known(OBTAINED_AT + HOUR_MS + 60_000),
    });
  });

  it('F14: keeps a new refresh token that comes alone, beside the old access token', async () => {
    const { store } = await storeWith(JSON.stringify(OLD));
    const answer = { refresh_token: 'rt-2', refresh_token_expires_in: 60, obtained_at: OBTAINED_AT + HOUR_MS };
    const { found } = await store.write(answer, always);
    expect(tokensOf(found)).toMatchObject({
      accessToken: 'at-1',
      refreshToken: 'rt-2',
      expiry: known(OBTAINED_AT + HOUR_MS),
      refreshTokenExpiresAt: OBTAINED_AT + HOUR_MS + 60_000,
    });
  });

  it('lets nothing that timed the old tokens time the new ones', async () => {
    const { store } = await storeWith(JSON.stringify({ ...OLD, expires_at: 1_795_003_600, refresh_expires_in: 60 }));
    const answer = { access_token: 'at-2', refresh_token: 'rt-2', obtained_at: OBTAINED_AT };
    expect(tokensOf((await store.write(answer, always)).found)).toMatchObject({
      expiry: { kind: 'assumed', expiresAt: OBTAINED_AT + HOUR_MS },
      refreshTokenExpiresAt: null,
    });
  });

  it('does not write an answer that holds no token', async () => {
    const { store, path } = await storeWith(JSON.stringify(OLD));
    await expect(store.write({ error: 'invalid_grant' }, always)).rejects.toMatchObject({ code: 'malformed_response' });
    expect(await readFile(path, 'utf8')).toBe(JSON.stringify(OLD));
  });

  it('F75: keeps two entries in one file apart, also when both are written at once', async () => {
    const { path, directory } = await storeWith('{\n  "mail": {"access_token":"m-1"},\n  "note": "mine"\n}\n');
    const options = { path, lockDirectory: join(directory, 'locks') };
    const mail = storeIn('token-response', { ...options, entry: 'mail' });
    const chat = storeIn('token-response', { ...options, entry: 'chat' });
    expect(await chat.read()).toMatchObject({ kind: 'missing' });
    const stamp = { expires_in: 60, obtained_at: OBTAINED_AT };
    await Promise.all([
      mail.write({ access_token: 'm-2', ...stamp }, always),
      chat.write({ access_token: 'c-2', ...stamp }, always),
    ]);
    expect(JSON.parse(await readFile(path, 'utf8'))).toEqual({
      mail: { access_token: 'm-2', ...stamp },
      note: 'mine',
      chat: { access_token: 'c-2', ...stamp },
    });
    expect(tokensOf(await mail.read()).accessToken).toBe('m-2');
    expect(tokensOf(await chat.read()).accessToken).toBe('c-2');
  });

  it('judges the expiry by the rule of the user', async () => {
    const { path, directory } = await storeWith(JSON.stringify(OLD));
    const options = { path, lockDirectory: directory, entry: null };
    const never = storeIn('token-response', { ...options, expires: { kind: 'never' } });
    expect(tokensOf(await never.read()).expiry).toEqual({ kind: 'never' });
    const unknown = storeIn('token-response', { ...options, expires: { kind: 'unknown' } });
    expect(tokensOf(await unknown.read()).expiry).toEqual({ kind: 'assumed', expiresAt: OBTAINED_AT + HOUR_MS });
  });
});

async function storeWith(text: string, now = () => epochMs(Date.now())) {
  const directory = await makeDirectory();
  const path = join(directory, 'mail.json');
  await writeFile(path, text);
  const lockDirectory = join(directory, 'locks');
  return { directory, path, store: storeIn('token-response', { path, lockDirectory, entry: null, now }) };
}
