import { constants } from 'node:os';
import { expect, test } from 'vitest';
import { MACHINE_TROUBLES, portErrorFrom } from '../../src/adapters/port-error.ts';

const systemError = (code: string, errno = 0) =>
  Object.assign(new Error(`${code}: refused, open '/srv/.env'`), { code, errno });
const told = (code: string) => portErrorFrom(systemError(code), { path: '/srv/.env', doing: 'write' });

test.each([
  ['ENOSPC', 'disk_full'],
  ['EDQUOT', 'quota_exceeded'],
  ['EROFS', 'read_only_filesystem'],
  ['EIO', 'io_error'],
])('F41: %s has a code of its own, %s, and says what to do', (errno, code) => {
  const error = told(errno);
  expect(error).toMatchObject({ name: 'PortError', code });
  expect(error.message).toMatch(new RegExp(`^cannot write /srv/\\.env: .+ \\(${errno}\\); .+`));
  expect(error.remedy).not.toBe('');
});

test('F41: an error for which Node has no name has that of the system, and its own code', () => {
  const { EDQUOT, ESTALE } = constants.errno;
  const nameless = (errno: number) =>
    portErrorFrom(systemError(`Unknown system error -${errno}`, -errno), { path: '/srv/.env', doing: 'write' });
  expect(nameless(EDQUOT)).toMatchObject({ code: 'quota_exceeded', message: expect.stringContaining('(EDQUOT)') });
  expect(nameless(ESTALE)).toMatchObject({ code: 'mount_lost', message: expect.stringContaining('(ESTALE)') });
  expect(nameless(9_999).message).toContain('(Unknown system error -9999)');
});

test('what the table does not know is a refusal with the name that the system gave it', () => {
  expect(told('EMLINK')).toMatchObject({ code: 'write_failed' });
  expect(told('EMLINK').message).toContain('(EMLINK)');
});

test.each(['EIO', 'EMFILE', 'ESTALE', 'ETIMEDOUT', 'ENOTCONN', 'EHOSTDOWN'])(
  'F41: %s is a trouble of the machine, and no word about the file',
  (errno) => {
    expect(MACHINE_TROUBLES).toContain(told(errno).code);
    expect(MACHINE_TROUBLES).not.toContain(told('EACCES').code);
  },
);
