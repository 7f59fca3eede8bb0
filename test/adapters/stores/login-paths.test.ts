import { mkdtempSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { lastChangeOf } from '../../../src/adapters/stores/login-paths.ts';

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'freshd-login-'));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

test('E6: the last change of any of the paths counts, and no date that was set by hand', async () => {
  const place = folder();
  const [older, newer] = [join(place, 'a'), join(place, 'b')];
  writeFileSync(older, 'x');
  writeFileSync(newer, 'x');
  utimesSync(newer, 1, 1);
  const latest = Math.max(...[older, newer].map((path) => statSync(path).ctimeMs));
  expect(await lastChangeOf([older, newer, join(place, 'missing')])).toBe(latest);
  expect(await lastChangeOf([place])).toBe(statSync(place).ctimeMs);
});

test('what is not there says nothing', async () => {
  expect(await lastChangeOf([join(folder(), 'missing', 'x'), `${folder()}\0`])).toBeNull();
});
