/** Store files as editors, copies, crashes and other tools leave them: what is kept byte by byte, and what is refused. */
import { execFileSync } from 'node:child_process';
import { lstat, mkdir, readFile, readlink, symlink, truncate, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { StoreOptions } from '../../../src/adapters/stores/registry.ts';
import { always, HOUR_MS, known, makeDirectory, storeIn, tokensOf } from './parts.ts';

const NOW = 1_795_000_000_000;
const LATER = NOW + 3 * HOUR_MS;
const ANSWER = { access_token: 'access-2', refresh_token: 'refresh-2', expires_in: 10_800, obtained_at: NOW };
const LOGIN = { accessToken: 'access-1', refreshToken: 'refresh-1', expiresAt: NOW, scopes: ['a'], extra: { n: 1 } };

type Format = StoreOptions['format'];

describe('the bytes around what changes', () => {
  const indented = (unit: string | number) =>
    JSON.stringify({ first: 1, claudeAiOauth: LOGIN, last: [1, 2] }, null, unit);
  it.each([
    ['on one line', indented(0)],
    ['two spaces and a line end', `${indented(2)}\n`],
    ['tabs', indented('\t')],
    ['CRLF', `${indented(2).replaceAll('\n', '\r\n')}\r\n`],
    ['a byte order mark', `\ufeff${indented(2)}`],
    ['escapes that JSON.parse would lose', indented(2).replace('"a"', '"\\u00e9\\/"')],
    ['numbers that JSON.parse would lose', indented(2).replace('"n": 1', '"n": 12345678901234567890.10')],
    ['members twice', indented(2).replace('"first": 1', '"first": 1,\n  "first": 2')],
    ['the login twice, of which the last counts', indented(2).replace('"first": 1', '"claudeAiOauth": 5')],
    [
      'something deep',
      indented(2)
        .replace('[1, 2]', '')
        .replace(/"last": \[[^\]]*\]/, `"last": ${'['.repeat(20_000)}${']'.repeat(20_000)}`),
    ],
  ])('stay as they are: %s', async (_name, text) => {
    const { store, path } = await storeWith('claude-code', text);
    await store.write(ANSWER, always);
    const expected = text
      .replace('access-1', 'access-2')
      .replace('refresh-1', 'refresh-2')
      .replace(`${NOW}`, `${LATER}`);
    expect(await readFile(path, 'utf8')).toBe(expected);
  });

  it('of a member that stands there twice none is left when it goes', async () => {
    const pointers = { ...NO_POINTERS, expiresAt: '/e' };
    const { store, path } = await storeWith('json', '{"e": 7, "t": "access-1", "e": 9}', { pointers });
    await store.write({ access_token: 'access-2' }, always);
    expect(await readFile(path, 'utf8')).toBe('{"t": "access-2"}');
  });
});

describe('what is no text of a store', () => {
  it.each<[string, Buffer]>([
    ['nothing but NUL bytes, as a crash leaves them', Buffer.alloc(4096)],
    ['JSON with NUL bytes behind it', Buffer.from(`${JSON.stringify({ claudeAiOauth: LOGIN })}\0\0`)],
    ['UTF-16', Buffer.from(`\ufeff${JSON.stringify({ claudeAiOauth: LOGIN })}`, 'utf16le')],
    ['Latin-1', Buffer.from(JSON.stringify({ claudeAiOauth: LOGIN, note: 'é' }), 'latin1')],
    ['two documents', Buffer.from(JSON.stringify({ claudeAiOauth: LOGIN }).repeat(2))],
  ])('F37: is broken, not quoted and not overwritten: %s', async (_name, bytes) => {
    const { store, path } = await storeWith('claude-code', bytes);
    const reading = await store.read();
    expect(reading).toEqual({ kind: 'broken', detail: expect.stringContaining(path) });
    expect(JSON.stringify(reading)).not.toMatch(/access-1|refresh-1/);
    await expect(store.write(ANSWER, always)).rejects.toMatchObject({ code: 'store_broken' });
    expect(await readFile(path)).toEqual(bytes);
  });

  it('D1: a file of 50 MB is refused without being read', async () => {
    const { store, path } = await storeWith('token-response', '{"access_token":"access-1"');
    await truncate(path, 50 * 1024 * 1024);
    const before = process.memoryUsage.rss();
    expect(await store.read()).toMatchObject({ kind: 'broken', detail: expect.stringContaining('found 52428800') });
    expect(process.memoryUsage.rss() - before).toBeLessThan(25 * 1024 * 1024);
  });

  it('D1: a socket or a device in its place is broken, and neither opened for long nor replaced', async () => {
    const { store, path } = await storeWith('token-response', null);
    const server = createServer().listen(path);
    onTestFinished(() => void server.close());
    await new Promise((resolve) => server.once('listening', resolve));
    expect(await store.read()).toMatchObject({ kind: 'broken', detail: expect.stringContaining(path) });
    await expect(store.write(ANSWER, always)).rejects.toMatchObject({ code: 'store_broken' });
    expect((await lstat(path)).isSocket()).toBe(true);
    for (const device of ['/dev/zero', '/dev/null']) {
      const { store: odd } = await storeWith('token-response', null, {}, device);
      expect(await odd.read()).toMatchObject({ kind: 'broken' });
      await expect(odd.write(ANSWER, always)).rejects.toMatchObject({ code: 'store_broken' });
    }
  });

  it('D1: a FIFO that comes in its place later is broken, and waits for nobody', async () => {
    const { store, path } = await storeWith('token-response', '{"access_token":"access-1"}');
    expect(tokensOf(await store.read()).accessToken).toBe('access-1');
    execFileSync('sh', ['-c', `rm "$1" && mkfifo "$1"`, 'sh', path]);
    expect(await store.readIfChanged()).toMatchObject({ kind: 'broken' });
  });
});

describe('a place that is not ready', () => {
  it('in a directory that is not there is missing, and the directory is not made: it may be a disk that is not there', async () => {
    const path = join(await makeDirectory(), 'not-yet', 'mail.json');
    const { store } = await storeWith('token-response', null, {}, path);
    expect(await store.read()).toMatchObject({ kind: 'missing' });
    await expect(store.write(ANSWER, always)).rejects.toMatchObject({ code: 'directory_missing' });
    await mkdir(dirname(path));
    expect((await store.write(ANSWER, always)).committed).toBe(true);
  });

  it('behind a link to nowhere is created where the link points, and the link stays', async () => {
    const directory = await makeDirectory();
    await mkdir(join(directory, 'elsewhere'));
    const [path, target] = [join(directory, 'link.json'), join(directory, 'elsewhere', 'mail.json')];
    await symlink('elsewhere/mail.json', path);
    const { store } = await storeWith('token-response', null, {}, path);
    expect(await store.read()).toMatchObject({ kind: 'missing' });
    await store.write(ANSWER, always);
    expect(await readlink(path)).toBe('elsewhere/mail.json');
    expect(JSON.parse(await readFile(target, 'utf8'))).toMatchObject({ refresh_token: 'refresh-2' });
  });
});

describe('a date that is not there yet', () => {
  it.each<[Format, string | null, object, RegExp]>([
    ['codex', null, { tokens: { access_token: 'access-1', refresh_token: 'refresh-1' } }, /"last_refresh": "20/],
    [
      'codex',
      null,
      { tokens: { access_token: 'access-1', refresh_token: 'refresh-1' }, last_refresh: null },
      /"last_refresh": "20/,
    ],
    [
      'hermes',
      'p',
      { providers: { p: { tokens: { access_token: 'access-1', refresh_token: 'refresh-1' } } } },
      /"last_refresh": "20/,
    ],
    ['gemini', null, { access_token: 'access-1', refresh_token: 'refresh-1' }, /"expiry_date": 179/],
    ['claude-code', null, { claudeAiOauth: { accessToken: 'a', refreshToken: 'r', scopes: [] } }, /"expiresAt": 179/],
  ])('is written as the tool of %s writes it, which would not read another', async (format, entry, document, line) => {
    const { store, path } = await storeWith(format, JSON.stringify(document, null, 2), { entry });
    await store.write(ANSWER, always);
    expect(await readFile(path, 'utf8')).toMatch(line);
    expect(tokensOf(await store.read()).refreshToken).toBe('refresh-2');
  });
});

it('grok: a login that bears several spellings is never left with an old token in one of them, nor with another key overwritten', async () => {
  const login = { key: 'access-1', access_token: 'access-1', refresh_token: 'refresh-1', refresh: 'refresh-1' };
  const moments = { expires_at: new Date(NOW).toISOString(), expires: NOW - 1 };
  const { store, path } = await storeWith('grok', JSON.stringify({ x: { ...login, ...moments, who: 'me' } }));
  expect(tokensOf(await store.read()).expiry).toEqual(known(NOW));
  await store.write(ANSWER, always);
  expect(JSON.parse(await readFile(path, 'utf8'))).toEqual({
    x: {
      key: 'access-2',
      access_token: 'access-2',
      refresh_token: 'refresh-2',
      refresh: 'refresh-2',
      expires_at: new Date(LATER).toISOString(),
      expires: LATER,
      who: 'me',
    },
  });
  const other = await storeWith(
    'grok',
    JSON.stringify({ x: { access_token: 'access-1', refresh: 'r', key: 'api-key' } }),
  );
  await other.store.write(ANSWER, always);
  expect(JSON.parse(await readFile(other.path, 'utf8'))).toMatchObject({
    x: { access_token: 'access-2', key: 'api-key' },
  });
});

describe('a json store', () => {
  it('finds members whose names need escapes, and one inside an array', async () => {
    const pointers = { ...NO_POINTERS, accessToken: '/a~1b/m~0n/1/~01', refreshToken: '/a~1b/m~0n/1/', expiresAt: '/' };
    const document = { 'a/b': { 'm~n': [{ keep: 1 }, { '~1': 'access-1', '': 'refresh-1' }] }, '': String(NOW) };
    const { store, path } = await storeWith('json', JSON.stringify(document), { pointers });
    expect(tokensOf(await store.read())).toMatchObject({ accessToken: 'access-1', refreshToken: 'refresh-1' });
    await store.write(ANSWER, always);
    expect(JSON.parse(await readFile(path, 'utf8'))).toEqual({
      'a/b': { 'm~n': [{ keep: 1 }, { '~1': 'access-2', '': 'refresh-2' }] },
      '': String(LATER),
    });
  });

  it('does not take what every object has for a member', async () => {
    const pointers = { ...NO_POINTERS, accessToken: '/__proto__/toString', refreshToken: '/constructor/name' };
    const { store } = await storeWith('json', '{"a":1}', { pointers });
    expect(await store.read()).toMatchObject({ kind: 'missing' });
    await store.write(ANSWER, always);
    expect(tokensOf(await store.read())).toMatchObject({ accessToken: 'access-2', refreshToken: 'refresh-2' });
    expect(({} as { toString: unknown }).toString).toBe(Object.prototype.toString);
  });
});

describe('an env store', () => {
  it.each([
    ['a byte order mark and CRLF', '\ufeffA=1\r\nTOKEN=access-1\r\nB=2\r\n', '\ufeffA=1\r\nTOKEN=access-2\r\nB=2\r\n'],
    ['no line end', 'A=1\nTOKEN=access-1', 'A=1\nTOKEN=access-2'],
    ['what stands behind the value', `A=1\nTOKEN='access-1' # mine\n`, 'A=1\n# mine\nTOKEN=access-2\n'],
  ])('keeps %s', async (_name, before, after) => {
    const { store, path } = await storeWith('env', before, { variable: 'TOKEN', expiresAtVariable: null });
    expect(tokensOf(await store.read()).accessToken).toBe('access-1');
    await store.write({ access_token: 'access-2' }, always);
    expect(await readFile(path, 'utf8')).toBe(after);
  });

  it('of a variable that stands there twice the one that counts is read, and no old one is left', async () => {
    const { store, path } = await storeWith('env', 'TOKEN=access-0\nA=1\nTOKEN=access-1\n', {
      variable: 'TOKEN',
      expiresAtVariable: null,
    });
    expect(tokensOf(await store.read()).accessToken).toBe('access-1');
    await store.write({ access_token: 'access-2' }, always);
    expect(await readFile(path, 'utf8')).not.toMatch(/access-[01]/);
    expect(tokensOf(await store.read()).accessToken).toBe('access-2');
  });
});

it('a text store keeps the byte order mark and the line ends around its token', async () => {
  const { store, path } = await storeWith('text', '\ufeff\r\n  access-1 \r\n');
  expect(tokensOf(await store.read()).accessToken).toBe('access-1');
  await store.write({ access_token: 'a$&$1' }, always);
  expect(await readFile(path, 'utf8')).toBe('\ufeff\r\n  a$&$1 \r\n');
});

const NO_POINTERS = {
  accessToken: '/t',
  refreshToken: null,
  tokenType: null,
  expiresAt: null,
  expiresIn: null,
  obtainedAt: null,
  refreshTokenExpiresAt: null,
  account: null,
};

async function storeWith(
  format: Format,
  content: string | Buffer | null,
  particulars: Partial<Parameters<typeof storeIn>[1]> = {},
  place: string | null = null,
) {
  const directory = await makeDirectory();
  const folder = join(directory, 'folder');
  await mkdir(folder);
  const path = place ?? join(folder, 'store.json');
  if (content !== null) await writeFile(path, content);
  return {
    path,
    store: storeIn(format, { path, lockDirectory: join(directory, 'locks'), entry: null, ...particulars }),
  };
}
