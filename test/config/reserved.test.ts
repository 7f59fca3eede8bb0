import { symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { MAIL, privateFolder, problemsOf } from './arrange.ts';

const into = (envFile: string): object => ({
  stateDirectory: 'state',
  socket: { path: 'freshd.sock' },
  credentials: { mail: { ...MAIL, publish: [{ envFile, variable: 'TOKEN' }] } },
});

test.each([
  ['config.json', 'the configuration itself'],
  ['linked.json', 'the configuration itself'],
  ['freshd.sock', 'the socket'],
  ['state/lock', "freshd's own state"],
  ['state/install-key', "freshd's own state"],
  ['state/credentials/mail.json', "freshd's own state"],
  ['state/run/tokens/other', "freshd's own state"],
  ['/bin/true', 'a program that freshd runs'],
])('a token is never published into %s, which is %s', async (envFile, seen) => {
  const folder = privateFolder();
  symlinkSync('config.json', join(folder, 'linked.json'));
  const problems = await problemsOf(into(envFile), { folder });
  expect(problems).toHaveLength(1);
  expect(problems[0]).toMatch(/^credentials\.mail\.publish\[0\]: expected a file that nothing else needs, got /);
  expect(problems[0]).toContain(seen);
  expect(problems[0]).toMatch(/; name another file$/);
});

test('a file of the user in the state folder is his own affair', async () => {
  expect(await problemsOf(into('state/.env'))).toEqual([]);
  expect(await problemsOf(into('state/lockers.env'))).toEqual([]);
});

test.each(['config.json', 'freshd.sock', 'state/lock', 'app/.env', 'mail.json'])(
  'the log is never written into %s',
  async (file) => {
    const [problem] = await problemsOf({ ...into('app/.env'), log: { file } });
    expect(problem).toMatch(/^log\.file: expected a file that nothing else needs, got /);
  },
);

test('a store is never the configuration', async () => {
  const credentials = { mail: { ...MAIL, store: { format: 'token-response', path: './config.json' } } };
  expect(await problemsOf({ credentials })).toMatchObject([expect.stringMatching(/^credentials\.mail\.store: /)]);
});
