/** Watches of real directories: each test waits for the event it is about, never for time. */
import { mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { createDirectoryWatches, type DirectoryWatches } from '../../../src/adapters/stores/directory-watch.ts';
import { makeDirectory, storeIn, tokensOf } from './parts.ts';

const stops: (() => void)[] = [];
afterEach(() => {
  for (const stop of stops.splice(0)) stop();
});

describe('a watched store', () => {
  it('E6: tells at once of a file that was replaced, and of one that was written in place', async () => {
    const { path, store, changes } = await watchedStore('{"access_token":"at-1"}');
    expect(tokensOf(await store.read()).accessToken).toBe('at-1');
    await writeFile(`${path}.new`, '{"access_token":"at-2"}');
    await changes.until(() => rename(`${path}.new`, path));
    expect(tokensOf(await store.readIfChanged()).accessToken).toBe('at-2');
    await changes.until(async () => {
      await writeFile(path, '{"access_token":"at-3"}');
    });
    expect(tokensOf(await store.readIfChanged()).accessToken).toBe('at-3');
  });

  it('F8: tells of a file that comes and one that goes', async () => {
    const { path, store, changes } = await watchedStore(null);
    expect((await store.read()).kind).toBe('missing');
    await changes.until(() => writeFile(path, '{"access_token":"at-1"}'));
    expect(tokensOf(await store.readIfChanged()).accessToken).toBe('at-1');
    await changes.until(() => rm(path));
    expect((await store.readIfChanged()).kind).toBe('missing');
  });

  it('tells of the file that a symlink names, and of another link in its place', async () => {
    const { directory, path, watches } = await place();
    const target = join(directory, 'elsewhere', 'target');
    await mkdir(join(directory, 'elsewhere'));
    await writeFile(target, '{"access_token":"at-1"}');
    await symlink(target, path);
    const store = storeIn('token-response', { path, lockDirectory: join(directory, 'locks'), entry: null, watches });
    const changes = changesOf((onChange) => store.watch?.(onChange) ?? (() => undefined));
    // The link is resolved while we go on: the first change may come too early for it.
    await changes.until(() => writeFile(target, '{"access_token":"at-2"}'), { again: true });
    expect(tokensOf(await store.read()).accessToken).toBe('at-2');
    await symlink(join(directory, 'elsewhere', 'other'), `${path}.new`);
    await changes.until(() => rename(`${path}.new`, path));
    expect((await store.read()).kind).toBe('missing');
  });
});

describe('the watches', () => {
  it('a directory that is missing is no trouble, and is watched once it is there and a check has come by', async () => {
    const { directory, watches } = await place();
    const folder = join(directory, 'later');
    const { file, changes } = watch(watches, join(folder, 'store'));
    await mkdir(folder);
    file.revive();
    await changes.until(() => writeFile(join(folder, 'store'), 'x'));
  });

  it('a directory that was removed and made anew is watched again', async () => {
    const { directory, watches } = await place();
    const folder = join(directory, 'folder');
    await mkdir(folder);
    const { file, changes } = watch(watches, join(folder, 'store'));
    await changes.until(() => rename(folder, `${folder}.old`));
    await mkdir(folder);
    file.revive();
    await changes.until(() => writeFile(join(folder, 'store'), 'x'));
  });

  it('I12: are bounded; one directory is one watch, however many stores lie in it', async () => {
    const { directory } = await place();
    const watches = createDirectoryWatches({ watchesMax: 1 });
    const names = ['a', 'b', 'c'];
    const files = names.map((name) => watch(watches, join(directory, name)));
    await mkdir(join(directory, 'other'));
    const tooMany = watch(watches, join(directory, 'other', 'x'));
    await writeFile(join(directory, 'other', 'x'), 'x');
    for (const [index, name] of names.entries()) {
      await files[index]?.changes.until(() => writeFile(join(directory, name), 'x'));
    }
    expect(files.map(({ changes }) => changes.count() > 0)).toEqual([true, true, true]);
    expect(tooMany.changes.count()).toBe(0);
    for (const { file } of files) file.stop();
    // Its place is free now.
    tooMany.file.revive();
    await tooMany.changes.until(() => writeFile(join(directory, 'other', 'x'), 'y'));
  });

  it('tell each store of its own file only, and nobody after the stop', async () => {
    const { directory, watches } = await place();
    const a = watch(watches, join(directory, 'a'));
    const b = watch(watches, join(directory, 'b'));
    const c = watch(watches, join(directory, 'c'));
    c.file.stop();
    for (const name of ['a', 'c']) await writeFile(join(directory, name), 'x');
    await b.changes.until(() => writeFile(join(directory, 'b'), 'x'));
    expect([a.changes.count() > 0, c.changes.count()]).toEqual([true, 0]);
  });
});

function watch(watches: DirectoryWatches, path: string) {
  let file: ReturnType<DirectoryWatches['add']> | null = null;
  const changes = changesOf((onChange) => {
    const added = watches.add(path, onChange);
    file = added;
    return () => added.stop();
  });
  if (file === null) throw new Error('not watched');
  return { file: file as ReturnType<DirectoryWatches['add']>, changes };
}

async function watchedStore(content: string | null) {
  const { directory, path, watches } = await place();
  if (content !== null) await writeFile(path, content);
  const store = storeIn('token-response', { path, lockDirectory: join(directory, 'locks'), entry: null, watches });
  return { path, store, changes: changesOf((onChange) => store.watch?.(onChange) ?? (() => undefined)) };
}

async function place() {
  const directory = await makeDirectory();
  return { directory, path: join(directory, 'store'), watches: createDirectoryWatches() };
}

interface Changes {
  count(): number;
  /** Acts, and waits for the change that is told after it; `again`: acts until it is. */
  until(act: () => Promise<unknown>, how?: { readonly again: boolean }): Promise<void>;
}

function changesOf(begin: (onChange: () => void) => () => void): Changes {
  let count = 0;
  let told: () => void = () => undefined;
  stops.push(
    begin(() => {
      count += 1;
      told();
    }),
  );
  const next = () =>
    new Promise<void>((resolve) => {
      told = resolve;
    });
  return {
    count: () => count,
    until: async (act, how = { again: false }) => {
      const change = next();
      await act();
      const before = count;
      for (let tries = 0; how.again && tries < 200 && count === before; tries += 1) {
        await Promise.race([change, act()]);
      }
      await change;
    },
  };
}
