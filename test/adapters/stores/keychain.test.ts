/** The Keychain by a fake `security` on the PATH: the real one exists on macOS only, and was not run here. */
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { createStore } from '../../../src/adapters/stores/registry.ts';
import { epochMs } from '../../../src/core/token.ts';
import { always, HOUR_MS, known, makeDirectory, tokensOf } from './parts.ts';

const NOW = 1_795_000_000_000;
const LOGIN = { claudeAiOauth: { accessToken: 'SECRET-1', refreshToken: 'SECRET-2', expiresAt: NOW + HOUR_MS } };

it('is read by one command, whose arguments hold no secret', async () => {
  const { store, argumentsPath } = await keychain(`printf '%s\\n' ${quoted(LOGIN)}`);
  expect(tokensOf(await store.read())).toMatchObject({ refreshToken: 'SECRET-2', expiry: known(NOW + HOUR_MS) });
  expect(await readFile(argumentsPath, 'utf8')).toBe('find-generic-password -s Claude Code-credentials -w\n');
  expect(store.path).toBeNull();
});

it('is the same when the command prints it as hexadecimal digits', async () => {
  const { store } = await keychain(`printf '%s\\n' ${Buffer.from(`${JSON.stringify(LOGIN)}\n`).toString('hex')}`);
  expect(tokensOf(await store.read()).accessToken).toBe('SECRET-1');
});

it('F8: is unchanged while it prints the same, and news again after it could not be read', async () => {
  const { store, say } = await keychain(`printf '%s' ${quoted(LOGIN)}`);
  expect((await store.read()).kind).toBe('tokens');
  expect(await store.readIfChanged()).toEqual({ kind: 'unchanged' });
  await say('exit 36');
  expect(await store.readIfChanged()).toMatchObject({ kind: 'broken' });
  await say(`printf '%s' ${quoted(LOGIN)}`);
  expect((await store.readIfChanged()).kind).toBe('tokens');
});

it.each([
  ['missing where there is no such item', 'echo SECRET; exit 44', 'missing', 'claude /login'],
  ['broken while it is locked', 'echo SECRET >&2; exit 36', 'broken', 'unlock'],
  ['broken when it holds no JSON', 'echo SECRET', 'broken', 'expected JSON'],
  [
    'blanked when its tool emptied it',
    `echo '{"claudeAiOauth":{"accessToken":"","expiresAt":0}}'`,
    'blanked',
    'log in',
  ],
  ['missing without a login', `echo '{"mcpOAuth":{"SECRET":1}}'`, 'missing', 'Keychain item'],
])('A10: is %s, without repeating what was printed', async (_, script, kind, words) => {
  const reading = await (await keychain(script)).store.read();
  expect(reading).toEqual({ kind, detail: expect.stringContaining(words) });
  expect(JSON.stringify(reading)).not.toContain('SECRET');
});

it('is never written', async () => {
  const { store } = await keychain('exit 44');
  await expect(store.write({ access_token: 'x' }, always)).rejects.toMatchObject({ code: 'store_read_only' });
  await (await store.lock(0, 'script'))();
});

const quoted = (value: unknown): string => `'${JSON.stringify(value)}'`;

/** A Keychain whose `security` does what the script says. */
async function keychain(script: string) {
  const directory = await makeDirectory();
  const bin = join(directory, 'bin');
  const argumentsPath = join(directory, 'arguments');
  await mkdir(bin);
  const say = async (text: string): Promise<void> => {
    await writeFile(join(bin, 'security'), `#!/bin/sh\necho "$@" >'${argumentsPath}'\n${text}\n`);
    await chmod(join(bin, 'security'), 0o755);
  };
  await say(script);
  const store = createStore({
    format: 'claude-code-keychain',
    cwd: directory,
    environment: { PATH: `${bin}:/usr/bin:/bin` },
    expires: { kind: 'as_stated' },
    expiresInDefaultMs: HOUR_MS,
    now: () => epochMs(NOW),
  });
  return { store, say, argumentsPath };
}
