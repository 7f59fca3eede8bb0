import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createLastWritten } from '../../../src/adapters/publish/last-written.ts';
import { fingerprint, temporaryDirectory } from './parts.ts';

const ID = 'envFile:/srv/bot/.env#TOKEN';

test('what was saved is there after a restart, for this target only, readable by nobody else', async () => {
  const directory = join(await temporaryDirectory(), 'state', 'published');
  await createLastWritten(directory, ID).save([fingerprint('a'), fingerprint('b')]);
  expect(await createLastWritten(directory, ID).load()).toEqual([fingerprint('a'), fingerprint('b')]);
  expect(await createLastWritten(directory, `${ID}_2`).load()).toEqual([]);
  const names = readdirSync(directory);
  expect(names.map((name) => statSync(join(directory, name)).mode & 0o777)).toEqual([0o600]);
  expect(statSync(directory).mode & 0o777).toBe(0o700);
});

test.each(['', '{"version":1,"fing', 'null', '{"fingerprints":[1]}', '[]'])(
  'F37: a damaged memory (%j) counts as nothing written, and the next one replaces it',
  async (damaged) => {
    const directory = await temporaryDirectory();
    const memory = createLastWritten(directory, ID);
    await memory.save([fingerprint('a')]);
    const file = join(directory, String(readdirSync(directory)[0]));
    writeFileSync(file, damaged);
    expect(await memory.load()).toEqual([]);
    await memory.save([fingerprint('b')]);
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual({
      version: 1,
      target: ID,
      fingerprints: [fingerprint('b')],
    });
  },
);

test('a directory that cannot be made is an error with a code', async () => {
  const file = join(await temporaryDirectory(), 'file');
  writeFileSync(file, '');
  const memory = createLastWritten(join(file, 'state'), ID);
  await expect(memory.save([])).rejects.toMatchObject({ name: 'PortError', code: 'directory_missing' });
});
