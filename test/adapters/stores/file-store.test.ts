import { execFileSync } from 'node:child_process';
import { renameSync, writeFileSync } from 'node:fs';
import { chmod, chown, mkdir, readdir, readFile, readlink, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, type TestContext } from 'vitest';
import { storeWarnings } from '../../../src/adapters/stores/file-snapshot.ts';
import type { FileStoreOptions } from '../../../src/adapters/stores/file-store.ts';
import { epochMs } from '../../../src/core/token.ts';
import type { StoreReading } from '../../../src/daemon/ports.ts';
import { always, makeDirectory, storeIn, tokensOf } from './parts.ts';

const SETTLED = { settledMs: 0, everyMs: 5, forMs: 100 };

describe('reading', () => {
  it.each([
    ['zero bytes', ''],
    ['half of it', '{"access_token":"SECRET","refresh_to'],
    ['no JSON', 'SECRET SECRET'],
    ['no UTF-8', Buffer.from('{"access_token":"\xff"}', 'latin1')],
  ])('F37: a file of %s is broken, is not quoted, and is never overwritten', async (_, content) => {
    const { store, path } = await storeWith(content);
    const reading = await store.read();
    expect(reading).toEqual({ kind: 'broken', detail: expect.stringContaining(path) });
    expect(JSON.stringify(reading)).not.toContain('SECRET');
    await expect(store.write({ access_token: 'new' }, always)).rejects.toMatchObject({ code: 'store_broken' });
    expect(await readFile(path)).toEqual(Buffer.from(content));
  });

  it('F37: a half-written file is looked at again until it is whole', async () => {
    const { path, lockDirectory } = await storeWith('{"access_token":');
    const store = open({ path, lockDirectory, patience: { settledMs: 1, everyMs: 1, forMs: 10_000 } });
    const reading = store.read();
    await stat(path);
    await writeFile(path, '{"access_token":"whole"}');
    expect(tokensOf(await reading).accessToken).toBe('whole');
  });

  it('F37: what has been broken for long is called so at once', async () => {
    const { path, lockDirectory } = await storeWith('{');
    // Rests for an hour by this clock; with this patience, a second look would come after the test.
    const now = () => epochMs(Date.now() + 3_600_000);
    const store = open({ path, lockDirectory, now, patience: { settledMs: 1, everyMs: 60_000, forMs: 600_000 } });
    expect(await store.read()).toMatchObject({ kind: 'broken' });
  });

  it('is missing where nothing is, and back by itself', async () => {
    const { store, path } = await storeWith(null);
    expect(await store.read()).toEqual({ kind: 'missing', detail: expect.stringContaining(path) });
    expect(await store.readIfChanged()).toEqual({ kind: 'unchanged' });
    await writeFile(path, '{"access_token":"at"}');
    expect(tokensOf(await store.readIfChanged()).accessToken).toBe('at');
    await rm(path);
    expect(await store.readIfChanged()).toMatchObject({ kind: 'missing' });
  });

  it.each([
    ['a FIFO', (path: string) => execFileSync('mkfifo', [path])],
    ['a directory', (path: string) => mkdir(path)],
    ['a file of 2 MB', (path: string) => writeFile(path, ' '.repeat(2 * 1024 * 1024))],
    ['a link to itself', (path: string) => symlink(path, path)],
  ])('D1: %s is broken, and hangs nobody', async (_, create) => {
    const { store, path } = await storeWith(null);
    await create(path);
    expect(await store.read()).toEqual({ kind: 'broken', detail: expect.stringContaining(path) });
  });

  it('F38: a file of another owner is broken, a readable one only warned of', async (ctx) => {
    const { store, path, directory } = await storeWith('{"access_token":"at"}');
    await chmod(directory, 0o755);
    expect(await storeWarnings(path)).toEqual([expect.stringMatching(/0644: others may read .*chmod 600/)]);
    await chmod(path, 0o600);
    expect(await storeWarnings(path)).toEqual([]);
    expect(await storeWarnings(`${path}-not`)).toEqual([]);

    await chmod(path, 0o644);
    await asNobody(ctx, async () => {
      // Of root: fine.
      expect(await store.read()).toMatchObject({ kind: 'tokens' });
    });
    await chown(path, 1234, 1234);
    await asNobody(ctx, async () => {
      expect(await store.read()).toEqual({ kind: 'broken', detail: expect.stringMatching(/owner.*uid 1234.*chown/) });
    });
    expect(await store.read()).toMatchObject({ kind: 'tokens' });
  });

  it('D1: a file that we may not read is broken with a remedy, and comes back by itself', async (ctx) => {
    const { store, path, directory } = await storeWith('{"access_token":"at"}');
    await chmod(directory, 0o755);
    await chmod(path, 0o600);
    await asNobody(ctx, async () => {
      const broken = { kind: 'broken', detail: expect.stringContaining('give the user that runs freshd the right') };
      expect(await store.read()).toEqual(broken);
    });
    expect(tokensOf(await store.readIfChanged()).accessToken).toBe('at');
  });

  it('opens a bounded number of files, however many stores are read at once', async () => {
    const { path, lockDirectory } = await storeWith('{"access_token":"at"}');
    const stores = Array.from({ length: 2_000 }, () => open({ path, lockDirectory, patience: SETTLED }));
    const readings = await Promise.all(stores.map((store) => store.read()));
    expect(new Set(readings.map((reading) => tokensOf(reading).accessToken))).toEqual(new Set(['at']));
  });
});

describe('readIfChanged', () => {
  const later = () => epochMs(Date.now() + 60_000);

  it('F8: sees what another program wrote, and only that', async () => {
    const { path, lockDirectory } = await storeWith('{"access_token":"at-1"}');
    const store = open({ path, lockDirectory, now: later });
    expect(tokensOf(await store.readIfChanged()).accessToken).toBe('at-1');
    expect(await store.readIfChanged()).toEqual({ kind: 'unchanged' });
    await writeFile(path, '{"access_token":"at-2"}');
    expect(tokensOf(await store.readIfChanged()).accessToken).toBe('at-2');
    expect(await store.readIfChanged()).toEqual({ kind: 'unchanged' });
    await writeFile(`${path}.new`, '{"access_token":"at-3"}');
    renameSync(`${path}.new`, path);
    expect(tokensOf(await store.readIfChanged()).accessToken).toBe('at-3');
    await chmod(path, 0o600);
    expect(await store.readIfChanged()).toEqual({ kind: 'unchanged' });
  });

  // Kernels before 6.13 stamp files by the tick; newer ones give each seen change a stamp of its own.
  it('F8: sees two rewrites of one length within one tick of the file clock', async () => {
    const { path, lockDirectory } = await storeWith('{"access_token":"0000"}');
    const store = open({ path, lockDirectory, patience: SETTLED });
    for (let nth = 1001; nth < 1101; nth += 1) {
      writeFileSync(path, `{"access_token":"${nth}"}`);
      expect(tokensOf(await store.read()).accessToken).toBe(String(nth));
      writeFileSync(path, `{"access_token":"${nth + 1}"}`);
      expect(tokensOf(await store.readIfChanged()).accessToken).toBe(String(nth + 1));
    }
  });

  it('takes its own write for read', async () => {
    const { path, lockDirectory } = await storeWith('{"access_token":"at-1"}');
    const store = open({ path, lockDirectory, now: later });
    await store.write({ access_token: 'at-2' }, always);
    expect(await store.readIfChanged()).toEqual({ kind: 'unchanged' });
  });
});

describe('writing', () => {
  it('A14: keeps mode and owner', async (ctx) => {
    const { store, path } = await storeWith('{"access_token":"at-1"}');
    await chmod(path, 0o640);
    if (process.geteuid?.() === 0) await chown(path, 1234, 1235);
    const before = await stat(path);
    expect((await store.write({ access_token: 'at-2' }, always)).committed).toBe(true);
    const { mode, uid, gid, ino } = await stat(path);
    expect({ mode, uid, gid }).toEqual({ mode: before.mode, uid: before.uid, gid: before.gid });
    expect(ino).not.toBe(before.ino);
    if (process.geteuid?.() !== 0) ctx.skip('the owner could not be changed: needs root');
  });

  it('F44: another write between read and commit is found, and wins when it is not what was expected', async () => {
    const { store, path } = await storeWith('{"access_token":"at-1"}');
    const asked: string[] = [];
    const stillExpected = (found: StoreReading): boolean => {
      const token = String(tokensOf(found).accessToken);
      asked.push(token);
      if (asked.length === 1) writeFileSync(path, '{"access_token":"theirs","theirs":true}');
      return token === 'at-1';
    };
    const { committed, found } = await store.write({ access_token: 'ours' }, stillExpected);
    expect({ committed, token: tokensOf(found).accessToken, asked }).toEqual({
      committed: false,
      token: 'theirs',
      asked: ['at-1', 'theirs'],
    });
    expect(await readFile(path, 'utf8')).toBe('{"access_token":"theirs","theirs":true}');
  });

  it('F44: another write to members that are not ours is kept', async () => {
    const { store, path } = await storeWith('{"access_token":"at-1"}');
    let asked = 0;
    const stillExpected = (): boolean => {
      asked += 1;
      if (asked === 1) writeFileSync(path, '{"access_token":"at-1","note":"new"}');
      return true;
    };
    await store.write({ access_token: 'at-2' }, stillExpected);
    expect(JSON.parse(await readFile(path, 'utf8'))).toMatchObject({ access_token: 'at-2', note: 'new' });
  });

  it('F44: gives up, with nothing written, on a file that changes before every commit', async () => {
    const { store, path } = await storeWith('{"access_token":"at-1"}');
    let count = 0;
    const rewrite = (): boolean => {
      count += 1;
      writeFileSync(path, `{"access_token":"at-1","count":${count}}`);
      return true;
    };
    await expect(store.write({ access_token: 'ours' }, rewrite)).rejects.toMatchObject({ code: 'store_busy' });
    expect(JSON.parse(await readFile(path, 'utf8'))).toEqual({ access_token: 'at-1', count });
  });

  it('replaces what a symlink names, never the link', async () => {
    const { path, lockDirectory, directory } = await storeWith('{"access_token":"at-1"}');
    const link = join(directory, 'link');
    await symlink('store', link);
    await open({ path: link, lockDirectory }).write({ access_token: 'at-2' }, always);
    expect(await readlink(link)).toBe('store');
    expect(JSON.parse(await readFile(path, 'utf8'))).toMatchObject({ access_token: 'at-2' });
  });

  it('creates a missing file with mode 0600', async () => {
    const { store, path } = await storeWith(null);
    const { committed, found } = await store.write({ access_token: 'at', expires_in: 60 }, always);
    expect({ committed, token: tokensOf(found).accessToken }).toEqual({ committed: true, token: 'at' });
    expect((await stat(path)).mode & 0o7777).toBe(0o600);
    expect(await readFile(path, 'utf8')).toMatch(
      /^\{\n {2}"access_token": "at",\n {2}"expires_in": 60,\n {2}"obtained_at": "/,
    );
  });
});

describe('the lock', () => {
  it('F53: excludes others by the real path, and is free again after its release', async () => {
    const { store, path, lockDirectory, directory } = await storeWith('{"access_token":"at-1"}');
    const link = join(directory, 'link');
    await symlink(path, link);
    const other = open({ path: link, lockDirectory });
    const release = await store.lock(0, 'write');
    await expect(other.lock(0, 'write')).rejects.toMatchObject({
      code: 'store_busy',
      message: expect.stringContaining(link),
    });
    // Whoever holds it may write.
    expect((await store.write({ access_token: 'at-2' }, always)).committed).toBe(true);
    const write = other.write({ access_token: 'at-3' }, always);
    const next = open({ path, lockDirectory }).lock(10_000, 'write');
    await release();
    await release();
    const [{ committed }] = await Promise.all([write, next.then((free) => free())]);
    expect(committed).toBe(true);
    expect(tokensOf(await store.read()).accessToken).toBe('at-3');
    expect((await stat(lockDirectory)).mode & 0o7777).toBe(0o700);
  });

  describe('of daemons with directories of their own', () => {
    it('F53: lies in the first place of the user that can be used, and excludes them all', async () => {
      const { directory, path } = await storeWith('{"access_token":"at"}');
      await mkdir(join(directory, 'user'));
      await writeFile(join(directory, 'file'), '');
      const [gone, taken, user] = ['gone', 'file', 'user'].map((name) => ({
        base: join(directory, name),
        below: 'a/b',
      }));
      const places = [gone, taken, user].filter((place) => place !== undefined);
      const one = open({ path, lockDirectory: join(directory, 'one'), lockPlaces: places });
      const other = open({ path, lockDirectory: join(directory, 'other'), lockPlaces: places });
      const release = await one.lock(0, 'write');
      await expect(other.lock(0, 'write')).rejects.toMatchObject({ code: 'store_busy' });
      await release();
      await (await other.lock(0, 'write'))();
      expect((await readdir(directory)).sort()).toEqual(['file', 'store', 'user']);
      expect((await stat(join(directory, 'user/a/b'))).mode & 0o7777).toBe(0o700);
    });

    it('F53: is looked for in that place each time: it comes and goes with the sessions of the user', async () => {
      const { directory, path } = await storeWith('{"access_token":"at"}');
      const lockPlaces = [{ base: join(directory, 'session'), below: 'locks' }];
      const one = open({ path, lockDirectory: join(directory, 'one'), lockPlaces });
      await (await one.lock(0, 'write'))();
      await mkdir(join(directory, 'session'));
      const release = await one.lock(0, 'write');
      const other = open({ path, lockDirectory: join(directory, 'other'), lockPlaces });
      await expect(other.lock(0, 'write')).rejects.toMatchObject({ code: 'store_busy' });
      await release();
    });

    it('lies in the directory of the daemon for a store of another user', async (ctx) => {
      if (process.geteuid?.() !== 0) ctx.skip('giving a file away needs root');
      const { directory, path, lockDirectory } = await storeWith('{"access_token":"at"}');
      await chown(path, 1234, 1234);
      const lockPlaces = [{ base: directory, below: 'user' }];
      await (await open({ path, lockDirectory, lockPlaces }).lock(0, 'write'))();
      expect((await readdir(directory)).sort()).toEqual(['locks', 'store']);
    });
  });

  it('can be taken before the file is there', async () => {
    const { store, path, lockDirectory } = await storeWith(null);
    const release = await store.lock(0, 'write');
    await expect(open({ path, lockDirectory }).lock(0, 'write')).rejects.toMatchObject({ code: 'store_busy' });
    await store.write({ access_token: 'at' }, always);
    await release();
    await (await open({ path, lockDirectory }).lock(0, 'write'))();
  });
});

type Some = Omit<Parameters<typeof storeIn>[1], 'entry'> & { lockPlaces?: FileStoreOptions['lockPlaces'] };
const open = (some: Some) => storeIn('token-response', { entry: null, ...some });

async function storeWith(content: string | Buffer | null) {
  const directory = await makeDirectory();
  const path = join(directory, 'store');
  const lockDirectory = join(directory, 'locks');
  if (content !== null) await writeFile(path, content);
  return { directory, path, lockDirectory, store: open({ path, lockDirectory }) };
}

/** Root may read everything: what others may not has to be tried as one of them. */
async function asNobody(ctx: TestContext, act: () => Promise<void>): Promise<void> {
  if (process.geteuid?.() !== 0) ctx.skip('becoming another user needs root');
  process.seteuid?.(65_534);
  try {
    await act();
  } finally {
    process.seteuid?.(0);
  }
}
