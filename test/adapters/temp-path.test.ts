import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { writeFileAtomic } from '../../src/adapters/atomic-file.ts';
import { removeTemp } from '../../src/adapters/temp-path.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'freshd-temps-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

test('I7: all temps that a failing disk kept are removed with the first write after it', async () => {
  const place = join(directory, 'place');
  const temps = ['a', 'b', 'c'].map((name) => join(place, name));
  // Of a path through a file nothing can be removed, whoever asks.
  writeFileSync(place, '');
  for (const temp of temps) expect(await removeTemp(temp)).toBe(false);
  rmSync(place);
  mkdirSync(place);
  for (const temp of temps) writeFileSync(temp, 'a token');
  await writeFileAtomic(join(directory, 'other'), 'text', { modeWhenCreated: 0o600 });
  await vi.waitFor(() => expect(readdirSync(place)).toEqual([]));
});
