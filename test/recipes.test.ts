/** Every block of docs/recipes.md is run by a test, or it is said here why not. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { recipes } from './system/recipes.ts';

const NOT_RUN: Readonly<Record<string, string>> = {
  'AWS sh 0': 'the exchange is the SDK’s with AWS; freshd writes the token file, and its tests read it',
  'Mail text 1': 'isync needs a SASL plugin that few machines have; msmtp calls the same command',
  'systemd ini 0': 'env-readers.test.ts lets a real systemd read an EnvironmentFile',
  'Containers sh 0': 'needs a Docker daemon; env-file.place.test.ts shows what a mounted file does',
};

test('every recipe is run from the document, or not for a reason', () => {
  const directory = join(import.meta.dirname, 'system');
  const tests = readdirSync(directory).filter((name) => name.startsWith('helpers-'));
  const text = tests.map((name) => readFileSync(join(directory, name), 'utf8')).join('\n');
  const isRun = (heading: string, language: string, nth: number): boolean =>
    text.includes(`recipe('${heading}', '${language}'${nth === 0 ? '' : `, ${nth}`})`);
  const known = recipes().map(({ heading, language, nth }) => ({
    heading,
    language,
    nth,
    id: `${heading} ${language} ${nth}`,
  }));
  const forgotten = known.filter(
    ({ heading, language, nth, id }) => !isRun(heading, language, nth) && !(id in NOT_RUN),
  );
  expect(forgotten.map(({ id }) => id)).toEqual([]);
  const ids = known.map(({ id }) => id);
  expect(Object.keys(NOT_RUN).filter((id) => !ids.includes(id))).toEqual([]);
  expect(known.length).toBeGreaterThan(20);
});
