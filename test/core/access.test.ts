import { describe, expect, test } from 'vitest';
import { type AllowRule, denialOf, type ReaderFacts } from '../../src/core/access.ts';

const NOBODY: AllowRule = { uids: null, gids: null, executables: null };
const reader = (changes: Partial<ReaderFacts> = {}): ReaderFacts => ({
  uid: 1_000,
  pid: 42,
  groups: () => [1_000, 27],
  executable: () => '/usr/bin/node',
  ...changes,
});

describe('a rule about readers', () => {
  test.each<[string, Partial<AllowRule>, string | null]>([
    ['its user', { uids: [0, 1_000] }, null],
    ['another user', { uids: [1_001] }, 'allow.uids'],
    ['one of its groups', { gids: [27] }, null],
    ['another group', { gids: [28] }, 'allow.gids'],
    ['another user, and its group', { uids: [1_001], gids: [27] }, null],
    ['another user, and another group', { uids: [1_001], gids: [28] }, 'allow.uids'],
    ['its program', { executables: ['/usr/bin/python3', '/usr/bin/node'] }, null],
    ['another program', { executables: ['/usr/bin/python3'] }, 'allow.executables'],
    ['its user, and another program', { uids: [1_000], executables: ['/usr/bin/python3'] }, 'allow.executables'],
    ['another user, and its program', { uids: [1_001], executables: ['/usr/bin/node'] }, 'allow.uids'],
  ])('that names %s', (_name, rule, denied) => {
    expect(denialOf({ ...NOBODY, ...rule }, reader())?.rule ?? null).toBe(denied);
  });

  test('says whom it names and whom it saw', () => {
    expect(denialOf({ ...NOBODY, uids: [1, 2], gids: [3] }, reader())).toEqual({
      rule: 'allow.uids',
      expected: 'uid 1, 2 or gid 3',
      seen: 'uid 1000',
    });
  });

  test('F62: denies whom the system does not name, and a program that it does not show', () => {
    expect(denialOf({ ...NOBODY, uids: [1_000] }, null)).toMatchObject({ rule: 'allow' });
    const hidden = reader({ executable: () => null });
    expect(denialOf({ ...NOBODY, executables: ['/usr/bin/node'] }, hidden)).toMatchObject({
      rule: 'allow.executables',
      seen: 'a program that the system does not show',
    });
  });

  test('asks for what costs a look only where it must', () => {
    const unasked = () => expect.unreachable('nobody needs to know');
    const quiet = reader({ groups: unasked, executable: unasked });
    expect(denialOf({ ...NOBODY, uids: [1_000] }, quiet)).toBeNull();
  });
});
