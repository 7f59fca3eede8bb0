import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { sweepBeside } from '../../src/adapters/sweep.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'freshd-sweep-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** As the temp of a writer that died. */
function leaveTemp(directory: string): void {
  const { pid } = spawnSync('true');
  writeFileSync(join(directory, `.token.json.freshd-${pid}-0123456789ab`), '{"refresh_token":"secret"}');
}

describe('sweepBeside', () => {
  test('F35 I7: the temp that a killed daemon left beside a file is removed, also behind a symlink', async () => {
    const real = join(folder, 'real');
    mkdirSync(real);
    writeFileSync(join(real, 'token.json'), '{}');
    symlinkSync(join(real, 'token.json'), join(folder, 'link.json'));
    leaveTemp(real);
    const logged: unknown[] = [];
    await sweepBeside([join(folder, 'link.json'), join(real, 'token.json')], (...line) => logged.push(line));
    expect(readdirSync(real)).toEqual(['token.json']);
    expect(logged).toEqual([['info', 'stale_temp_removed', { path: expect.stringContaining('.token.json.freshd-') }]]);
  });

  test('a directory that is no directory is said and left; the others are swept', async () => {
    const broken = join(folder, 'file');
    writeFileSync(broken, '');
    leaveTemp(folder);
    const logged: string[] = [];
    const paths = [join(broken, 'token.json'), join(folder, 'token.json')];
    expect(await sweepBeside(paths, (_, event) => logged.push(event))).toEqual([join(broken, 'token.json')]);
    expect(logged).toEqual(['stale_temps_kept', 'stale_temp_removed']);
    expect(readdirSync(folder)).toEqual(['file']);
  });

  test('a directory that refuses is said once, however many files lie in it', async () => {
    const broken = join(folder, 'file');
    writeFileSync(broken, '');
    const paths = ['a.json', 'b.json', 'c.json'].map((name) => join(broken, name));
    const logged: unknown[] = [];
    expect(await sweepBeside(paths, (...line) => logged.push(line))).toEqual(paths);
    expect(logged).toEqual([['warn', 'stale_temps_kept', { path: paths[0], code: expect.any(String) }]]);
  });
});
