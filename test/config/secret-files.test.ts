import { mkdirSync, renameSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type LoadResult, loadConfig } from '../../src/config/load.ts';
import { captureIn, fromFile, load, MAIL, privateFolder } from './arrange.ts';

type Loaded = Extract<LoadResult, { ok: true }>;

function sound(result: LoadResult): Loaded {
  if (!result.ok) throw new Error(result.problems.join('\n'));
  return result;
}

/** `key` is a secret of its own, `mail` routes another one to its script, `plain` has none. */
async function arrange() {
  const folder = privateFolder();
  const write = (name: string, text: string) => writeFileSync(join(folder, name), text, { mode: 0o600 });
  write('key-secret', 'key-1\n');
  write('mail-secret', 'mail-1\n');
  const mail = { ...MAIL, refresh: { ...MAIL.refresh, environment: { AUTH: `Basic ${fromFile('mail-secret')}` } } };
  const plain = { ...MAIL, store: { ...MAIL.store, path: 'plain.json' } };
  const config = { credentials: { key: { static: fromFile('key-secret') }, mail, plain } };
  const { secrets } = sound(await load(config, { folder }));
  const changed = async (): Promise<readonly string[]> => {
    const looks = ['key', 'mail', 'plain'].map(async (name) => ((await secrets.haveChanged(name)) ? [name] : []));
    return (await Promise.all(looks)).flat();
  };
  return { folder, write, secrets, changed };
}

test('F9: another secret in a file is told once, for the credentials that took it from there', async () => {
  const { folder, write, changed } = await arrange();
  expect(await changed()).toEqual([]);
  write('mail-secret', 'mail-2\n');
  expect(await changed()).toEqual(['mail']);
  expect(await changed()).toEqual([]);
  write('next', 'key-2');
  renameSync(join(folder, 'next'), join(folder, 'key-secret'));
  expect(await changed()).toEqual(['key']);
});

test('F9: the same secret in a file that was touched, or written anew, is no change', async () => {
  const { folder, write, changed } = await arrange();
  utimesSync(join(folder, 'key-secret'), 1, 1);
  write('next', 'mail-1');
  renameSync(join(folder, 'next'), join(folder, 'mail-secret'));
  expect(await changed()).toEqual([]);
});

test('F9: what the file of a secret is a link to may change instead', async () => {
  const { folder, write, changed } = await arrange();
  mkdirSync(join(folder, 'first'));
  mkdirSync(join(folder, 'second'));
  write('first/secret', 'key-1');
  write('second/secret', 'key-2');
  symlinkSync('first', join(folder, 'data'));
  rmSync(join(folder, 'key-secret'));
  symlinkSync('data/secret', join(folder, 'key-secret'));
  expect(await changed()).toEqual([]);
  symlinkSync('second', join(folder, 'next'));
  renameSync(join(folder, 'next'), join(folder, 'data'));
  expect(await changed()).toEqual(['key']);
});

test('F9: only the secrets are read anew; the text of the configuration stays what it was', async () => {
  const { folder, write, secrets } = await arrange();
  write('config.json', 'half an ed');
  write('mail-secret', 'mail-2');
  const { config } = sound(await secrets.reload());
  expect(config.credentials.map(({ name }) => name)).toEqual(['key', 'mail', 'plain']);
  expect(config.credentials[0]?.store).toEqual({ format: 'static', value: 'key-1' });
  expect(config.credentials[1]?.refresh).toMatchObject({ environment: { AUTH: 'Basic mail-2' } });
  expect(await loadConfig({ path: join(folder, 'config.json'), capture: captureIn(folder) })).toMatchObject({
    ok: false,
  });
});

test('F9: a secret that is gone, or not written to its end, is told once and refused; what comes next is told again', async () => {
  const { folder, write, secrets, changed } = await arrange();
  rmSync(join(folder, 'key-secret'));
  expect([await changed(), await changed()]).toEqual([['key'], []]);
  expect(await secrets.reload()).toMatchObject({ ok: false, problems: [expect.stringContaining('got ENOENT')] });
  write('key-secret', '');
  expect([await changed(), await changed()]).toEqual([['key'], []]);
  expect(await secrets.reload()).toEqual({
    ok: false,
    kind: 'configuration',
    problems: [
      `credentials.key.static: expected the secret in the file key-secret, got an empty file; put the secret into ${folder}/key-secret`,
    ],
  });
  write('key-secret', 'key-2');
  expect(await changed()).toEqual(['key']);
  expect(sound(await secrets.reload()).config.credentials[0]?.store).toMatchObject({ value: 'key-2' });
});

test('F9: what was read anew is what later looks compare with', async () => {
  const { write, secrets } = await arrange();
  write('key-secret', 'key-2');
  const { secrets: next } = sound(await secrets.reload());
  expect(await next.haveChanged('key')).toBe(false);
  write('key-secret', 'key-1');
  expect(await next.haveChanged('key')).toBe(true);
});
