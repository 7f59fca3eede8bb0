import { symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { planReload } from '../../src/config/reload.ts';
import { fromEnv, loaded, MAIL, privateFolder, problemsOf } from './arrange.ts';

const env = { KEY: 'k' };
const key = (publish: object[] = []) => ({ static: fromEnv('KEY'), publish });
const mail = (publish: object[] = []) => ({ ...MAIL, publish });
const variable = (name: string, changes: object = {}) => ({ envFile: '.env', variable: name, ...changes });

test('C1: a chain has its members in their order, each with its settling time, and their publications follow it', async () => {
  const { chains, credentials } = await loaded(
    {
      defaults: { chainSettleSeconds: 20 },
      credentials: {
        mail: { ...mail([variable('MAIL')]), chainSettleSeconds: 0.5 },
        key: key(),
        other: key([variable('OTHER')]),
      },
      chains: { any: ['mail', 'key'] },
    },
    { env },
  );
  const members = [
    { credential: 'mail', settleMs: 500 },
    { credential: 'key', settleMs: 20_000 },
  ];
  expect(chains).toEqual([{ name: 'any', members }]);
  expect(credentials.map(({ name, follows }) => [name, follows])).toEqual([
    ['mail', 'any'],
    ['key', null],
    ['other', null],
  ]);
});

test('without a setting a member settles for ten seconds; without chains there are none', async () => {
  const credentials = { mail: MAIL };
  const { chains } = await loaded({ credentials, chains: { any: ['mail'] } });
  expect(chains[0]?.members).toEqual([{ credential: 'mail', settleMs: 10_000 }]);
  expect((await loaded({ credentials })).chains).toEqual([]);
});

describe('what is wrong is said, with the place and what to do', () => {
  test.each([
    [
      'a name that a credential has',
      { mail: ['mail'] },
      [
        'chains.mail: expected a name that no credential has, got that of credentials.mail; rename one of them: readers ask for both in the same way',
      ],
    ],
    [
      'a member that is no credential',
      { any: ['mail', 'kez'] },
      ['chains.any[1]: expected the name of a credential, got "kez"; did you mean "key"?'],
    ],
    [
      'a member twice',
      { any: ['mail', 'key', 'mail'] },
      ['chains.any[2]: expected each credential once, got "mail" again; remove it here'],
    ],
    [
      'a credential that publishes, in two chains',
      { any: ['mail', 'key'], other: ['key', 'mail'] },
      [
        'chains.other[1]: expected a credential that publishes nothing, or is in no other chain, got "mail", whose publications follow chains.any; leave it in one chain, or let another credential publish',
      ],
    ],
    [
      'no member',
      { any: [] },
      [
        'chains.any: expected an array of 1–16 names of credentials, got an empty array; name the most preferred one first',
      ],
    ],
    [
      'a member that is no name',
      { any: 'mail' },
      ['chains.any: expected an array of 1–16 names of credentials, got "mail"; name the most preferred one first'],
    ],
    [
      'a name that none may have',
      { Any: ['mail'] },
      [
        'chains.Any: expected a name of a-z, 0-9, ".", "_" and "-", at most 63 characters, beginning with a letter or digit, got "Any"; rename the chain',
      ],
    ],
  ])('%s', async (_what, chains, problems) => {
    const credentials = { mail: mail([variable('MAIL')]), key: key() };
    expect(await problemsOf({ credentials, chains }, { env })).toEqual(problems);
  });
});

describe('F75: the same variable by two members', () => {
  const credentials = (first: object, second: object) => ({ mail: mail([first]), key: key([second]) });

  test('of one chain is allowed', async () => {
    const both = credentials(variable('TOKEN'), variable('TOKEN', { metadata: false }));
    expect(await problemsOf({ credentials: both, chains: { any: ['mail', 'key'] } }, { env })).toEqual([]);
  });

  test('of no chain, or of two, is refused, naming both', async () => {
    const both = credentials(variable('TOKEN'), variable('TOKEN'));
    for (const chains of [{}, { any: ['mail'] }, { any: ['mail'], other: ['key'] }]) {
      const [problem = ''] = await problemsOf({ credentials: both, chains }, { env });
      expect(problem).toMatch(
        /^credentials\.key\.publish\[0\]: expected a variable .* credentials\.mail\.publish\[0\]/,
      );
    }
  });

  test('is refused where one is the metadata of the other', async () => {
    const both = credentials(variable('TOKEN'), variable('TOKEN_GENERATION'));
    const problems = await problemsOf({ credentials: both, chains: { any: ['mail', 'key'] } }, { env });
    expect(problems).toHaveLength(1);
  });

  test('in one file that is written in two manners is refused, naming both', async () => {
    const folder = privateFolder();
    writeFileSync(join(folder, '.env'), '');
    symlinkSync(join(folder, '.env'), join(folder, 'linked.env'));
    const both = credentials(variable('A'), { envFile: 'linked.env', variable: 'B', followSymlink: true });
    const chains = { any: ['mail', 'key'] };
    const manner = (path: string, follow: boolean) =>
      `{"envFile":"${folder}/${path}","write":"atomic","followSymlink":${follow}}`;
    expect(await problemsOf({ credentials: both, chains }, { env, folder })).toEqual([
      `credentials.key.publish[0]: expected ${manner('.env', false)}, as in credentials.mail.publish[0], got ${manner('linked.env', true)}; any writes both at once: make them the same`,
    ]);
    expect(await problemsOf({ credentials: both }, { env, folder })).toEqual([]);
  });
});

test('a reload is planned for chains too: one is changed also when a member of it is', async () => {
  const folder = privateFolder();
  const config = (credentials: object, chains: object) => loaded({ credentials, chains }, { env, folder });
  const before = await config({ mail: mail(), key: key() }, { any: ['mail', 'key'], gone: ['key'], same: ['key'] });
  const after = await config(
    { mail: mail([variable('A')]), key: key() },
    { any: ['mail', 'key'], new: ['key'], same: ['key'] },
  );
  expect(planReload(before, after)).toMatchObject({
    changed: [{ name: 'mail', policyOnly: false }],
    chains: { added: ['new'], changed: ['any'], removed: ['gone'] },
  });
});

test('a credential that joins a chain or leaves it is built anew only where it publishes', async () => {
  const folder = privateFolder();
  const config = (chains: object) =>
    loaded({ credentials: { mail: mail([variable('A')]), key: key() }, chains }, { env, folder });
  expect(planReload(await config({}), await config({ any: ['mail', 'key'] })).changed).toEqual([
    { name: 'mail', policyOnly: false },
  ]);
});
