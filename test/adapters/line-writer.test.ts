import { spawnSync } from 'node:child_process';
import { mkdtempSync, openSync, readSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { createLineWriter } from '../../src/adapters/line-writer.ts';

const PATIENT_MS = 20_000;

/** A pipe that holds 64 KiB; the descriptor stays open, as a log's does. */
function pipe(): { readonly fd: number; readonly read: () => string } {
  const directory = mkdtempSync(join(tmpdir(), 'freshd-lines-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const path = join(directory, 'pipe');
  expect(spawnSync('mkfifo', [path]).status).toBe(0);
  const fd = openSync(path, 'r+');
  const bytes = Buffer.alloc(1024 * 1024);
  return { fd, read: () => bytes.toString('utf8', 0, readSync(fd, bytes)) };
}

test('a line that the pipe takes only in part is continued, whole and in order', async () => {
  const { fd, read } = pipe();
  const writer = createLineWriter(fd, () => undefined);
  const long = `${'x'.repeat(200_000)}\n`;
  writer.write(long);
  writer.write('after\n');
  let text = '';
  await vi.waitFor(() => {
    text += read();
    expect(text.endsWith('after\n')).toBe(true);
  }, PATIENT_MS);
  expect(text).toBe(`${long}after\n`);
});

test('what exceeds the limit is counted, and the count comes before what follows', async () => {
  const { fd, read } = pipe();
  const gaps: number[] = [];
  const writer = createLineWriter(fd, (lines) => {
    gaps.push(lines);
    writer.write(`${lines} lost\n`);
  });
  for (let n = 0; n < 20; n += 1) writer.write(`${n}`.padEnd(99_999, '.').concat('\n'));
  let text = '';
  await vi.waitFor(() => {
    text += read();
    expect(text).toContain('lost');
  }, PATIENT_MS);
  const kept = text.split('\n').slice(0, -2);
  expect(gaps).toEqual([20 - kept.length]);
  expect(kept.map((line) => Number.parseInt(line, 10))).toEqual(kept.map((_, n) => n));
  expect(text.endsWith(`\n${gaps[0]} lost\n`)).toBe(true);
});
