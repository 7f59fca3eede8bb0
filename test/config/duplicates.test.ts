import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { MAIL, privateFolder, problemsOf } from './arrange.ts';

const refresh = MAIL.refresh;
const publish = (envFile: string, variable: string): object => ({ envFile, variable });

describe('F75: what stands twice is refused, naming both', () => {
  test('the same store, also through a link', async () => {
    const folder = privateFolder();
    mkdirSync(join(folder, 'real'));
    symlinkSync(join(folder, 'real'), join(folder, 'link'));
    const store = (path: string): object => ({ store: { format: 'token-response', path }, refresh });
    expect(
      await problemsOf({ credentials: { a: store('real/mail.json'), b: store('link/mail.json') } }, { folder }),
    ).toEqual([
      `credentials.b.store: expected a store entry of its own, got the one of credentials.a.store (${folder}/real/mail.json); remove one, or give it an entry of its own`,
    ]);
  });

  test('several entries of one file are fine, the same one is not', async () => {
    const json = (accessToken: string): object => ({
      store: { format: 'json', path: 'x', pointers: { accessToken } },
      refresh,
    });
    const env = (variable: string): object => ({ store: { format: 'env', path: 'y', variable }, refresh });
    const member = (entry: string): object => ({ store: { format: 'token-response', path: 'z' }, entry, refresh });
    const ok = { a: json('/a'), b: json('/b'), c: env('A'), d: env('B'), e: member('a'), f: member('b') };
    expect(await problemsOf({ credentials: ok })).toEqual([]);
    const bad = await problemsOf({ credentials: { ...ok, g: json('/a'), h: env('B'), i: member('b') } });
    expect(bad.map((problem) => problem.split(':')[0])).toEqual([
      'credentials.g.store',
      'credentials.h.store',
      'credentials.i.store',
    ]);
  });

  test('the same variable of one .env file, also by its metadata and through a linked file', async () => {
    const folder = privateFolder();
    writeFileSync(join(folder, '.env'), '');
    symlinkSync(join(folder, '.env'), join(folder, 'linked.env'));
    const credential = (path: string, target: object): object => ({
      store: { format: 'token-response', path },
      refresh,
      publish: [target],
    });
    const credentials = {
      a: credential('a.json', publish('.env', 'TOKEN')),
      b: credential('b.json', publish('linked.env', 'TOKEN')),
      c: credential('c.json', publish('.env', 'TOKEN_EXPIRES_AT')),
      d: credential('d.json', publish('.env', 'OTHER')),
    };
    const problems = await problemsOf({ credentials }, { folder });
    expect(problems.filter((problem) => problem.includes('(TOKEN in '))).toEqual([
      `credentials.b.publish[0]: expected a variable that nothing else writes, got the one of credentials.a.publish[0] (TOKEN in ${folder}/.env); give one of them another name or file`,
    ]);
    expect(problems.some((problem) => problem.startsWith('credentials.c.publish[0]: '))).toBe(true);
    expect(problems.join('\n')).not.toContain('credentials.d');
  });

  test('a source that is its own publication target', async () => {
    const credentials = {
      env: { store: { format: 'env', path: '.env', variable: 'A' }, refresh, publish: [publish('.env', 'A')] },
      fine: { store: { format: 'env', path: '.env', variable: 'B' }, refresh, publish: [publish('.env', 'C')] },
      file: { store: { format: 'token-response', path: 'mail.json' }, refresh, publish: [publish('mail.json', 'A')] },
      token: { store: { format: 'text', path: 'state/run/tokens/token' }, refresh },
    };
    const problems = await problemsOf({ stateDirectory: 'state', credentials });
    expect(problems.map((problem) => problem.replace(/ \(.*/, ''))).toEqual([
      'credentials.env.publish[0]: expected a place that no store is read from, got the one of credentials.env.store',
      'credentials.file.publish[0]: expected a place that no store is read from, got the one of credentials.file.store',
      'credentials.token.tokenFile: expected a place that no store is read from, got the one of credentials.token.store',
      "credentials.token.store: expected a file that nothing else needs, got freshd's own state",
    ]);
  });
});
