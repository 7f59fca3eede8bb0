import { readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'dotenv';
import { describe, expect, it } from 'vitest';
import type { JsonPointers } from '../../../src/adapters/stores/json.ts';
import { createStore } from '../../../src/adapters/stores/registry.ts';
import { epochMs } from '../../../src/core/token.ts';
import type { StorePort } from '../../../src/daemon/ports.ts';
import { always, HOUR_MS, jwt, known, makeDirectory, storeIn, tokensOf } from './parts.ts';

const NOW = 1_795_000_000_000;
const SOON = NOW + HOUR_MS;

describe('a claude-code store', () => {
  const login = {
    accessToken: 'sk-ant-oat01-x',
    refreshToken: 'sk-ant-ort01-y',
    expiresAt: SOON,
    refreshTokenExpiresAt: SOON + HOUR_MS,
    scopes: ['user:inference', 'user:profile'],
    subscriptionType: 'max',
  };

  it('is read in the shape of its tool', async () => {
    const store = await claude({ claudeAiOauth: login, mcpOAuth: {} });
    expect(await store.read()).toEqual({
      kind: 'tokens',
      tokens: {
        accessToken: 'sk-ant-oat01-x',
        refreshToken: 'sk-ant-ort01-y',
        tokenType: 'Bearer',
        obtainedAt: null,
        notBefore: null,
        expiry: known(SOON),
        refreshTokenExpiresAt: SOON + HOUR_MS,
        account: null,
      },
    });
  });

  it('F70: is blanked when its tool emptied it after a failed refresh', async () => {
    const blank = { ...login, accessToken: '', refreshToken: '', expiresAt: 0 };
    expect(await (await claude({ claudeAiOauth: blank })).read()).toMatchObject({ kind: 'blanked' });
    const half = { ...login, refreshToken: '', expiresAt: 0 };
    expect(await (await claude({ claudeAiOauth: half })).read()).toMatchObject({ kind: 'blanked' });
  });

  it('F73: has an assumed expiry, not a past one, when only that is blank', async () => {
    const { refreshToken: _, ...rest } = login;
    const reading = await (await claude({ claudeAiOauth: { ...rest, expiresAt: 0 } })).read();
    expect(tokensOf(reading).expiry.kind).toBe('assumed');
  });

  it('D1: is missing without a login, and broken when the login is no object', async () => {
    expect(await (await claude({ mcpOAuth: {} })).read()).toMatchObject({ kind: 'missing' });
    expect(await (await claude({ claudeAiOauth: 'x' })).read()).toMatchObject({ kind: 'broken' });
    expect(await (await claude({ claudeAiOauth: {} })).read()).toMatchObject({ kind: 'broken' });
  });

  it('A14: is written with its scopes and everything else as it was', async () => {
    const { path, lockDirectory } = await fileWith(JSON.stringify({ claudeAiOauth: login, mcpOAuth: { x: 1 } }));
    const store = storeIn('claude-code', { path, lockDirectory });
    const answer = {
      access_token: 'at-2',
      refresh_token: 'rt-2',
      expires_in: 28_800,
      scope: 'other',
      obtained_at: NOW,
    };
    expect((await store.write(answer, always)).committed).toBe(true);
    const { refreshTokenExpiresAt: _, ...rest } = login;
    expect(JSON.parse(await readFile(path, 'utf8'))).toEqual({
      // The end of the former refresh token is not that of the new one.
      claudeAiOauth: { ...rest, accessToken: 'at-2', refreshToken: 'rt-2', expiresAt: NOW + 8 * HOUR_MS },
      mcpOAuth: { x: 1 },
    });
  });

  it('is not begun by freshd: a login of the tool holds more than tokens', async () => {
    const store = await claude({ mcpOAuth: {} });
    await expect(store.write({ access_token: 'new' }, always)).rejects.toMatchObject({ code: 'login_missing' });
  });

  async function claude(content: object): Promise<StorePort> {
    const { path, lockDirectory } = await fileWith(JSON.stringify(content));
    return storeIn('claude-code', { path, lockDirectory });
  }
});

describe('a json store', () => {
  const none: JsonPointers = {
    accessToken: '/t/access',
    refreshToken: null,
    tokenType: null,
    expiresAt: null,
    expiresIn: null,
    obtainedAt: null,
    refreshTokenExpiresAt: null,
    account: null,
  };
  const all: JsonPointers = {
    ...none,
    refreshToken: '/t/refresh',
    tokenType: '/t/type',
    expiresAt: '/t/expires',
    account: '/who~1is~0it/0',
  };

  it.each([
    ['ms', SOON],
    ['seconds', SOON / 1000],
    ['a numeric string', String(SOON / 1000)],
    ['ISO 8601', new Date(SOON).toISOString()],
  ])('A14: reads what its pointers name, and writes the expiry back as it found it: %s', async (_, expires) => {
    const document = {
      'who/is~it': ['me'],
      t: { x: 1, access: 'at-1', refresh: 'rt-1', expires, type: 'bearer' },
      y: [2],
    };
    const { store, path } = await json(document, all);
    expect(tokensOf(await store.read())).toMatchObject({ refreshToken: 'rt-1', expiry: known(SOON), account: 'me' });

    const answer = { access_token: 'at-2', refresh_token: 'rt-2', expires_in: 7200, obtained_at: NOW };
    expect(tokensOf((await store.write(answer, always)).found)).toMatchObject({
      accessToken: 'at-2',
      refreshToken: 'rt-2',
      expiry: known(NOW + 2 * HOUR_MS),
    });
    const written = JSON.parse(await readFile(path, 'utf8'));
    expect(typeof written.t.expires).toBe(typeof expires);
    expect(written).toEqual({
      ...document,
      t: { ...document.t, access: 'at-2', refresh: 'rt-2', expires: written.t.expires },
    });
  });

  it('counts expiresIn from obtainedAt, and keeps both true', async () => {
    const pointers = { ...none, expiresIn: '/t/in', obtainedAt: '/last_refresh' };
    const document = { last_refresh: '2026-11-18T11:06:40.000Z', t: { access: 'at-1', in: '3600' } };
    const { store, path } = await json(document, pointers);
    expect(tokensOf(await store.read())).toMatchObject({ obtainedAt: NOW, expiry: known(SOON) });
    await store.write({ access_token: 'at-2', expires_in: 60, obtained_at: NOW + 5000 }, always);
    expect(JSON.parse(await readFile(path, 'utf8'))).toEqual({
      last_refresh: '2026-11-18T11:06:45.000Z',
      t: { access: 'at-2', in: '60' },
    });
  });

  it('F73: removes an expiry that the new token does not have, instead of letting the old one end it', async () => {
    const { store, path } = await json({ t: { access: 'at-1', expires: SOON } }, all);
    expect(tokensOf((await store.write({ access_token: 'at-2' }, always)).found).expiry.kind).toBe('assumed');
    expect(JSON.parse(await readFile(path, 'utf8'))).toEqual({ t: { access: 'at-2', type: 'Bearer' } });
  });

  it('F75: two credentials with pointers of their own share one file', async () => {
    const { path, lockDirectory } = await fileWith('{"a":{"token":"a-1"},"b":{"token":"b-1"}}');
    const [a, b] = ['/a/token', '/b/token'].map((accessToken) =>
      storeIn('json', { path, lockDirectory, pointers: { ...none, accessToken } }),
    );
    await Promise.all([a?.write({ access_token: 'a-2' }, always), b?.write({ access_token: 'b-2' }, always)]);
    expect(JSON.parse(await readFile(path, 'utf8'))).toEqual({ a: { token: 'a-2' }, b: { token: 'b-2' } });
  });

  it('D1: is missing where there is no such place, and broken where only the token is gone', async () => {
    expect(await (await json({ other: {} }, all)).store.read()).toMatchObject({ kind: 'missing' });
    expect(await (await json({ t: {} }, all)).store.read()).toMatchObject({ kind: 'broken' });
    expect(await (await json(7, all)).store.read()).toMatchObject({ kind: 'broken' });
  });

  it('is created with mode 0600 when it is missing', async () => {
    const { path, lockDirectory } = await fileWith(null);
    const store = storeIn('json', { path, lockDirectory, pointers: all });
    expect(await store.read()).toMatchObject({ kind: 'missing' });
    await store.write({ access_token: 'at', refresh_token: 'rt', expires_in: 60, obtained_at: NOW }, always);
    expect(JSON.parse(await readFile(path, 'utf8'))).toEqual({
      t: { access: 'at', refresh: 'rt', type: 'Bearer', expires: NOW + 60_000 },
    });
    expect((await stat(path)).mode & 0o7777).toBe(0o600);
  });

  it('refuses what is no JSON pointer', async () => {
    const { path, lockDirectory } = await fileWith('{}');
    for (const accessToken of ['access_token', '', '/a~2b']) {
      expect(() => storeIn('json', { path, lockDirectory, pointers: { ...none, accessToken } })).toThrow(
        'JSON pointer',
      );
    }
  });

  async function json(document: unknown, pointers: JsonPointers) {
    const { path, lockDirectory } = await fileWith(JSON.stringify(document));
    return { path, store: storeIn('json', { path, lockDirectory, pointers }) };
  }
});

describe('an env store', () => {
  const text = '# mine\nexport  TOKEN="old" # why\nOTHER=\'$x # y\'\r\n\nTOKEN_EXPIRES=2026-11-18T12:06:40Z\n';
  const variables = { variable: 'TOKEN', expiresAtVariable: 'TOKEN_EXPIRES' };

  it('reads a variable and the expiry beside it', async () => {
    const { path, lockDirectory } = await fileWith(text);
    const reading = await storeIn('env', { path, lockDirectory, ...variables }).read();
    expect(tokensOf(reading)).toMatchObject({ accessToken: 'old', refreshToken: null, expiry: known(SOON) });
  });

  it('A14: keeps its other lines, comments, order and line endings', async () => {
    const { path, lockDirectory } = await fileWith(text);
    const store = storeIn('env', { path, lockDirectory, ...variables });
    const answer = { access_token: 'new', refresh_token: 'elsewhere', expires_in: 7200, obtained_at: NOW };
    expect(tokensOf((await store.write(answer, always)).found)).toMatchObject({
      accessToken: 'new',
      expiry: known(NOW + 2 * HOUR_MS),
    });
    const written = await readFile(path, 'utf8');
    expect(parse(written)).toEqual({ TOKEN: 'new', OTHER: '$x # y', TOKEN_EXPIRES: '2026-11-18T13:06:40.000Z' });
    expect(written).toContain('# mine\n');
    expect(written).toContain("OTHER='$x # y'\r\n\n");
    expect(written).not.toContain('elsewhere');
  });

  it('F70: is blanked when the variable is empty, and missing when it is not there', async () => {
    const { path, lockDirectory } = await fileWith('TOKEN=\nOTHER=1\n');
    const store = (variable: string) => storeIn('env', { path, lockDirectory, variable, expiresAtVariable: null });
    expect(await store('TOKEN').read()).toMatchObject({ kind: 'blanked' });
    expect(await store('NONE').read()).toMatchObject({ kind: 'missing' });
  });

  it('D1: a value that cannot be a token is broken', async () => {
    const { path, lockDirectory } = await fileWith('TOKEN="two\nlines"\n');
    const reading = await storeIn('env', { path, lockDirectory, ...variables }).read();
    expect(reading).toEqual({ kind: 'broken', detail: expect.not.stringContaining('two') });
  });
});

describe('a text store', () => {
  it('is the whole content without the space around it, with the life of a JWT', async () => {
    const token = jwt({ exp: SOON / 1000, iat: NOW / 1000 });
    const { path, lockDirectory } = await fileWith(`\n ${token}\r\n`);
    const store = storeIn('text', { path, lockDirectory });
    expect(tokensOf(await store.read())).toMatchObject({ accessToken: token, obtainedAt: NOW, expiry: known(SOON) });
    await store.write({ access_token: '$&new' }, always);
    expect(await readFile(path, 'utf8')).toBe('\n $&new\r\n');
  });

  it('F73: has an assumed expiry when it is opaque', async () => {
    const { path, lockDirectory } = await fileWith('gho_opaque\n');
    await utimes(path, NOW / 1000, NOW / 1000);
    const { expiry, obtainedAt } = tokensOf(await storeIn('text', { path, lockDirectory }).read());
    expect({ expiry, obtainedAt }).toEqual({ expiry: { kind: 'assumed', expiresAt: SOON }, obtainedAt: null });
  });

  it('F70: is blanked when it stays empty', async () => {
    const { path, lockDirectory } = await fileWith('\n');
    expect(await storeIn('text', { path, lockDirectory }).read()).toMatchObject({ kind: 'blanked' });
  });
});

describe('a static value', () => {
  it('is a token that never expires, is read once, and is never written', async () => {
    const store = createStore({ format: 'static', value: 'sk-key\n' });
    expect(tokensOf(await store.readIfChanged())).toMatchObject({ accessToken: 'sk-key', expiry: { kind: 'never' } });
    expect(await store.readIfChanged()).toEqual({ kind: 'unchanged' });
    expect(tokensOf(await store.read()).accessToken).toBe('sk-key');
    await expect(store.write({ access_token: 'x' }, always)).rejects.toMatchObject({ code: 'store_read_only' });
    await (await store.lock(0, 'write'))();
  });
});

describe('the output of a command', () => {
  it('is read anew at each store check, and unchanged while it prints the same', async () => {
    const { path } = await fileWith('token-1\n');
    let now = NOW;
    const store = commandStore(['cat', path], { now: () => epochMs(now) });
    const first = tokensOf(await store.read());
    expect(first).toMatchObject({ accessToken: 'token-1', expiry: { kind: 'assumed', expiresAt: SOON } });
    now += 5 * HOUR_MS;
    expect(await store.readIfChanged()).toEqual({ kind: 'unchanged' });
    expect(tokensOf(await store.read())).toEqual(first);
    await writeFile(path, 'token-2\n');
    expect(tokensOf(await store.readIfChanged()).accessToken).toBe('token-2');
    await expect(store.write({ access_token: 'x' }, always)).rejects.toMatchObject({ code: 'store_read_only' });
  });

  it.each([
    ['exits with an error', 'echo SECRET; echo SECRET >&2; exit 3', 'exit status 3'],
    ['is killed', 'kill -9 $$', 'SIGKILL'],
    ['prints without end', 'yes SECRET', 'more than'],
  ])('A10: is broken without repeating its output when it %s', async (_, script, seen) => {
    const reading = await commandStore(['sh', '-c', script]).read();
    expect(reading).toEqual({ kind: 'broken', detail: expect.stringContaining(seen) });
    expect(JSON.stringify(reading)).not.toContain('SECRET');
  });

  it('D2: is back with the very token it had, once the command works again', async () => {
    const { path } = await fileWith('token-1\n');
    const store = commandStore(['cat', path]);
    const first = await store.read();
    await rm(path);
    expect((await store.readIfChanged()).kind).toBe('broken');
    await writeFile(path, 'token-1\n');
    expect(await store.readIfChanged()).toEqual(first);
    expect(await store.readIfChanged()).toEqual({ kind: 'unchanged' });
  });

  it('is broken when there is no such program', async () => {
    const reading = await commandStore(['freshd-no-such-program']).read();
    expect(reading).toEqual({ kind: 'broken', detail: expect.stringContaining('ENOENT') });
  });

  it('F24: is ended with its process group when it hangs', async () => {
    const { path } = await fileWith(null);
    const script = `sleep 60 & echo $! > ${path}; echo token; wait`;
    const reading = await commandStore(['sh', '-c', script], { timeoutMs: 500 }).read();
    expect(reading).toEqual({ kind: 'broken', detail: expect.stringContaining('500 ms') });
    const pid = Number(await readFile(path, 'utf8'));
    await expect.poll(() => isAlive(pid)).toBe(false);
  });

  it('F25: does not wait for a background child that holds its output', async () => {
    const { path } = await fileWith(null);
    const reading = await commandStore(['sh', '-c', `sleep 60 & echo $! > ${path}; echo token`]).read();
    expect(tokensOf(reading).accessToken).toBe('token');
    process.kill(Number(await readFile(path, 'utf8')), 'SIGKILL');
  });

  function commandStore(
    argv: [string, ...string[]],
    some: { timeoutMs?: number; now?: () => ReturnType<typeof epochMs> } = {},
  ) {
    return createStore({
      format: 'command',
      argv,
      cwd: '/',
      environment: { PATH: '/usr/bin:/bin' },
      expires: { kind: 'as_stated' },
      expiresInDefaultMs: HOUR_MS,
      now: () => epochMs(NOW),
      ...some,
    });
  }
});

/** Whether it runs; a zombie that nobody has reaped does not. */
async function isAlive(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null);
  return stat !== null && !stat.includes(') Z ');
}

async function fileWith(text: string | null): Promise<{ path: string; lockDirectory: string }> {
  const directory = await makeDirectory();
  const path = join(directory, 'store');
  if (text !== null) await writeFile(path, text);
  return { path, lockDirectory: join(directory, 'locks') };
}
