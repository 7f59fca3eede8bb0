/** Claude Code's two locks, with the library that the tool itself uses on the other side. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, rmdirSync, utimesSync } from 'node:fs';
import { chmod, mkdir, readFile, rmdir, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import lockfile from 'proper-lockfile';
import { afterEach, describe, expect, it } from 'vitest';
import { claudeLockPlaces } from '../../../src/adapters/stores/claude-locks.ts';
import { createToolLocks } from '../../../src/adapters/stores/tool-locks.ts';
import type { StorePort } from '../../../src/daemon/ports.ts';
import { bundleProgram, runInOwnMounts, whyNoOwnMounts } from '../child-program.ts';
import { always, makeDirectory, storeIn, tokensOf } from './parts.ts';

const ANSWER = { access_token: 'access-2', refresh_token: 'refresh-2', expires_in: 60 };

describe('a write', () => {
  it('holds both locks of the tool, and gives them back', async () => {
    const { store, folder, both } = await claude();
    const seen: boolean[][] = [];
    await store.write(ANSWER, () => {
      seen.push(both.map((path) => existsSync(path)));
      return true;
    });
    expect(seen).toEqual([[true, true]]);
    expect(both.map((path) => existsSync(path))).toEqual([false, false]);
    expect(await lockfile.check(folder)).toBe(false);
  });

  it('names them as the tool does: in its folder, and beside the real path of it', async () => {
    const { directory, folder } = await claude();
    const link = join(directory, 'link');
    await symlink(folder, link);
    const places = await claudeLockPlaces(join(link, '.credentials.json'))('take');
    expect(places).toEqual([join(link, '.oauth_refresh.lock'), `${folder}.lock`]);
  });

  it('excludes the tool while an attempt holds them, and the tool excludes it', async () => {
    const { store, folder } = await claude();
    const release = await store.lock(0, 'write');
    await expect(lockfile.lock(folder)).rejects.toMatchObject({ code: 'ELOCKED' });
    expect((await store.write(ANSWER, always)).committed).toBe(true);
    expect(await lockfile.check(folder)).toBe(true);
    await release();
    const theirs = await lockfile.lock(folder);
    await expect(store.lock(0, 'write')).rejects.toMatchObject({ code: 'store_busy' });
    await expect(store.lock(0, 'script')).rejects.toMatchObject({ code: 'store_busy' });
    await theirs();
    await (await store.lock(0, 'write'))();
  });

  it('holds neither while it waits for the other', async () => {
    const { locks, both } = await claude();
    const [inside = '', beside = ''] = both;
    await mkdir(beside);
    await expect(locks.take(20)).rejects.toMatchObject({ code: 'store_busy' });
    expect(existsSync(inside)).toBe(false);
    const waiting = locks.take(60_000);
    await rmdir(beside);
    await (await waiting).release();
  });

  it('re-reads after locking: what the tool wrote meanwhile wins', async () => {
    const { store, path, folder } = await claude();
    const theirs = await lockfile.lock(folder);
    const write = store.write(ANSWER, (found) => tokensOf(found).accessToken === 'access-1');
    await writeFile(path, content('theirs'));
    await theirs();
    expect((await write).committed).toBe(false);
    expect(await readFile(path, 'utf8')).toBe(content('theirs'));
  });
});

describe('a script that drives the tool', () => {
  it('F65: finds both locks free, and takes them while the attempt is under way', async () => {
    const { store, folder, both } = await claude();
    const release = await store.lock(0, 'script');
    expect(both.map((path) => existsSync(path))).toEqual([false, false]);
    await (await lockfile.lock(folder))();
    await release();
  });

  it('waits until the tool has put them away', async () => {
    const { store, folder } = await claude();
    const theirs = await lockfile.lock(folder);
    const lock = store.lock(60_000, 'script');
    await theirs();
    await (await lock)();
  });
});

describe('an orphan', () => {
  it('whose holder may have sent what a write of ours has replaced since is no reason for doubt', async () => {
    const { store, both, clock } = await claude();
    for (const path of both) await mkdir(path);
    clock.stepMs = 5_000;
    const release = await store.lock(60_000, 'write');
    await store.write({ access_token: 'access-2', refresh_token: 'refresh-2', expires_in: 60 }, () => true);
    await release();
    expect(store.wasOrphaned?.()).toBe(false);
  });

  it.each(['script', 'write'] as const)('is taken over after 60 s of watching, and said (%s)', async (purpose) => {
    const { store, both, takenOver, clock } = await claude();
    for (const path of both) await mkdir(path);
    clock.stepMs = 5_000;
    const release = await store.lock(60_000, purpose);
    expect([...takenOver].sort()).toEqual([...both].sort());
    expect(both.map((path) => existsSync(path))).toEqual(both.map(() => purpose === 'write'));
    expect([store.wasOrphaned?.(), store.wasOrphaned?.()]).toEqual([true, false]);
    await release();
  });

  it('is watched over several waits, each too short alone', async () => {
    const { store, both, takenOver, clock } = await claude();
    await mkdir(both[1] ?? '');
    clock.stepMs = 2_000;
    let waits = 0;
    for (; takenOver.length === 0; waits += 1) {
      await store.lock(3, 'write').then(
        (release) => release(),
        (error: unknown) => expect(error).toMatchObject({ code: 'store_busy' }),
      );
    }
    expect(waits).toBeGreaterThan(1);
  });

  it('is not one because its time is long ago: the wall clock may have jumped', async () => {
    const { store, both } = await claude();
    const [, beside = ''] = both;
    await mkdir(beside);
    await utimes(beside, 0, 0);
    await expect(store.lock(50, 'write')).rejects.toMatchObject({ code: 'store_busy' });
    expect((await stat(beside)).mtimeMs).toBe(0);
  });

  it('is not one because we slept: a holder may have stood still with us', async () => {
    const { locks, both, clock } = await claude();
    await mkdir(both[0] ?? '');
    clock.stepMs = 10 * 60_000;
    // Twelve gaps at most could be counted in that many looks.
    await expect(locks.waitUntilFree(10)).rejects.toMatchObject({ code: 'store_busy' });
  });

  it('is not one while its time moves', async () => {
    const { locks, both, clock, takenOver } = await claude();
    const [inside = ''] = both;
    await mkdir(inside);
    clock.stepMs = 5_000;
    let beats = 0;
    clock.onLook = () => {
      beats += 1;
      // Every ten looks, so that fifty seconds pass between two heartbeats.
      if (beats % 10 === 0) utimesSync(inside, beats, beats);
    };
    await expect(locks.waitUntilFree(60)).rejects.toMatchObject({ code: 'store_busy' });
    expect(takenOver).toEqual([]);
  });
});

describe('a holder that stands still', () => {
  it('F55: commits nothing once its lock was taken over', async () => {
    const { store, path, both } = await claude();
    const release = await store.lock(0, 'write');
    // The tool judged us dead, and works on.
    takeOver(both[1] ?? '');
    await expect(store.write(ANSWER, always)).rejects.toMatchObject({ code: 'store_busy' });
    expect(await readFile(path, 'utf8')).toBe(content('access-1'));
    await release();
    // What is another's stays.
    expect(both.map((place) => existsSync(place))).toEqual([false, true]);
  });

  it('F55: commits nothing when the take-over comes between its last look and the rename', async () => {
    const { store, path, both } = await claude();
    let asked = 0;
    const late = (): boolean => {
      asked += 1;
      takeOver(both[0] ?? '');
      return true;
    };
    await expect(store.write(ANSWER, late)).rejects.toMatchObject({ code: 'store_busy' });
    expect({ asked, text: readFileSync(path, 'utf8') }).toEqual({ asked: 1, text: content('access-1') });
  });
});

describe('a place that excludes nobody', () => {
  it('is an error when it cannot be written, and waiting for a script is not', async (ctx) => {
    if (process.geteuid?.() !== 0) ctx.skip('becoming another user needs root');
    const { store, directory, folder, path } = await claude();
    await chmod(path, 0o644);
    for (const each of [directory, folder]) await chmod(each, 0o755);
    process.seteuid?.(65_534);
    try {
      const locks = createToolLocks({
        places: claudeLockPlaces(path),
        monotonicMs: () => 0,
        onTakenOver: () => undefined,
      });
      await expect(locks.take(0)).rejects.toMatchObject({ code: 'lock_place_unusable' });
      await locks.waitUntilFree(0);
    } finally {
      process.seteuid?.(0);
    }
    expect((await store.write(ANSWER, always)).committed).toBe(true);
  });

  it('is an error when the folder is mounted by itself', async (ctx) => {
    const why = whyNoOwnMounts();
    if (why !== null) ctx.skip(why);
    const { directory, folder } = await claude();
    const program = await bundleProgram(
      directory,
      `import { claudeLockPlaces } from './adapters/stores/claude-locks.ts';
       claudeLockPlaces(${JSON.stringify(join(folder, '.credentials.json'))})('take').then(console.log, (error) => console.log(error.code));`,
    );
    const run = `${process.execPath} ${program}`;
    const { stdout } = runInOwnMounts(
      `mount --bind ${folder} ${folder}; ${run}; umount ${folder}; mount -t tmpfs none ${folder}; ${run}`,
    );
    expect(stdout.trim().split('\n')).toEqual(['lock_place_unusable', 'lock_place_unusable']);
  });
});

describe('between processes', () => {
  const children: ChildProcess[] = [];
  afterEach(() => {
    for (const child of children.splice(0)) child.kill('SIGKILL');
  });

  it('F54: a holder that dies leaves an orphan to be watched, and no kernel lock', async () => {
    const { store, directory, path, both, clock, takenOver } = await claude();
    const child = await holder(directory, path);
    await expect(store.lock(0, 'write')).rejects.toMatchObject({ code: 'store_busy' });
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(both.map((place) => existsSync(place))).toEqual([true, true]);
    clock.stepMs = 5_000;
    await (await store.lock(60_000, 'write'))();
    expect(takenOver).toHaveLength(2);
  });

  it('F53: two daemons that write one login at once do so in turn, and the second sees the first', async () => {
    const { store, directory, path } = await claude();
    const child = await holder(directory, path);
    const write = store.write(
      { ...ANSWER, access_token: 'ours' },
      (found) => tokensOf(found).accessToken === 'access-1',
    );
    child.stdin?.write('write\n');
    const { committed, found } = await write;
    expect({ committed, token: tokensOf(found).accessToken }).toEqual({ committed: false, token: 'by-the-child' });
  });

  it('a holder that ends in order leaves nothing', async () => {
    const { directory, path, both } = await claude();
    const child = await holder(directory, path);
    child.stdin?.write('exit\n');
    await once(child, 'exit');
    expect(both.map((place) => existsSync(place))).toEqual([false, false]);
  });

  /** A process that holds the store's lock with the tool's, until it is told to write and release, or to exit at once. */
  async function holder(directory: string, path: string): Promise<ChildProcess> {
    const program = await bundleProgram(
      directory,
      `import { createStore } from './adapters/stores/registry.ts';
       const store = createStore({
         format: 'claude-code', path: ${JSON.stringify(path)}, lockDirectory: ${JSON.stringify(join(directory, 'locks'))},
         now: () => Date.now(), monotonicMs: () => performance.now(), onTakenOver: () => undefined,
         expires: { kind: 'as_stated' }, expiresInDefaultMs: 1,
       });
       const release = await store.lock(0, 'write');
       console.log('held');
       process.stdin.once('data', async (text) => {
         if (String(text).startsWith('exit')) process.exit(0);
         await store.write({ access_token: 'by-the-child' }, () => true);
         await release();
         process.exit(0);
       });`,
    );
    const child = spawn(process.execPath, [program], { stdio: ['pipe', 'pipe', 'inherit'] });
    children.push(child);
    await once(child.stdout, 'data');
    return child;
  }
});

/** As another would after a minute; that the time is another one has not to wait for the clock of the file system. */
function takeOver(path: string): void {
  rmdirSync(path);
  mkdirSync(path);
  utimesSync(path, 4e9, 4e9);
}

/** A clock that moves by so much each time it is looked at. */
interface SteppingClock {
  stepMs: number;
  onLook: () => void;
  readonly monotonicMs: () => number;
}

function steppingClock(): SteppingClock {
  let ms = 0;
  const clock: SteppingClock = {
    stepMs: 0,
    onLook: () => undefined,
    monotonicMs: () => {
      clock.onLook();
      ms += clock.stepMs;
      return ms;
    },
  };
  return clock;
}

const content = (accessToken: string): string =>
  JSON.stringify({ claudeAiOauth: { accessToken, refreshToken: 'refresh-1', expiresAt: 4e12, scopes: ['a'] } });

async function claude() {
  const directory = await makeDirectory();
  const folder = join(directory, '.claude');
  await mkdir(folder);
  const path = join(folder, '.credentials.json');
  await writeFile(path, content('access-1'), { mode: 0o600 });
  const takenOver: string[] = [];
  const clock = steppingClock();
  const { monotonicMs } = clock;
  const onTakenOver = (place: string) => void takenOver.push(place);
  const lockDirectory = join(directory, 'locks');
  const store: StorePort = storeIn('claude-code', { path, lockDirectory, monotonicMs, onTakenOver, pollMs: 1 });
  const locks = createToolLocks({ places: claudeLockPlaces(path), monotonicMs, onTakenOver, pollMs: 1 });
  const both = [join(folder, '.oauth_refresh.lock'), `${folder}.lock`];
  return { directory, folder, path, store, locks, both, takenOver, clock };
}
