import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type BrokenMemory, createMemory } from '../../src/adapters/memory-file.ts';
import type { MemoryPort } from '../../src/daemon/ports.ts';

let directory: string;
let file: string;
let broken: BrokenMemory[];
let memory: MemoryPort;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'freshd-memory-'));
  file = join(directory, 'mail.json');
  broken = [];
  memory = createMemory(directory, (info) => broken.push(info));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const isRoot = process.getuid?.() === 0;

test('there is none at first, and what is saved is loaded, also by another process', async () => {
  expect(await memory.load('mail')).toBeNull();
  await memory.save('mail', { generation: 7, latch: null });
  expect(await createMemory(directory, (info) => broken.push(info)).load('mail')).toEqual({
    generation: 7,
    latch: null,
  });
  expect(broken).toEqual([]);
});

test('the file is 0600, names its version, and stands alone', async () => {
  await memory.save('mail', { generation: 7 });
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual({ version: 1, memory: { generation: 7 } });
  expect(readdirSync(directory)).toEqual(['mail.json']);
});

test('any JSON value comes back as it was', async () => {
  await fc.assert(
    fc.asyncProperty(fc.jsonValue({ maxDepth: 3 }), async (value) => {
      await memory.save('mail', value);
      expect(JSON.stringify(await memory.load('mail'))).toBe(JSON.stringify(value));
    }),
    { numRuns: 50 },
  );
});

describe('F37: a memory that cannot be understood', () => {
  const whole = JSON.stringify({ version: 1, memory: { generation: 7 } });
  test.each([
    ['is empty', ''],
    ['is cut off', whole.slice(0, -5)],
    ['is no JSON', 'generation = 7'],
    ['is no object', '[1]'],
    ['is null', 'null'],
    ['has no version', '{"memory":{}}'],
    ['has no memory', '{"version":1}'],
    ['has a version that never was', '{"version":0,"memory":{}}'],
    ['is far too long', `${whole}${' '.repeat(1024 * 1024)}`],
  ])('and %s is set aside as it is, said once, and does not hinder the next', async (_, content) => {
    writeFileSync(file, content, { mode: 0o600 });
    expect(await memory.load('mail')).toBeNull();
    const setAsidePath = `${file}.broken-1`;
    expect(broken).toEqual([{ credential: 'mail', code: 'state_broken', setAsidePath }]);
    expect(readFileSync(setAsidePath, 'utf8')).toBe(content);
    await memory.save('mail', { generation: 8 });
    expect(await memory.load('mail')).toEqual({ generation: 8 });
    expect(broken).toHaveLength(1);
  });

  test('because it is newer is set aside under a code of its own', async () => {
    writeFileSync(file, '{"version":2,"memory":{}}', { mode: 0o600 });
    expect(await memory.load('mail')).toBeNull();
    expect(broken).toMatchObject([{ code: 'state_newer', setAsidePath: `${file}.broken-1` }]);
  });

  test('because it is a directory is set aside too', async () => {
    mkdirSync(file);
    expect(await memory.load('mail')).toBeNull();
    await memory.save('mail', 1);
    expect(await memory.load('mail')).toBe(1);
  });

  test('again and again: the number kept is bounded, and the first is never lost', async () => {
    for (let number = 1; number <= 20; number += 1) {
      writeFileSync(file, `broken ${number}`, { mode: 0o600 });
      await memory.load('mail');
    }
    expect(readdirSync(directory)).toHaveLength(8);
    expect(readFileSync(`${file}.broken-1`, 'utf8')).toBe('broken 1');
    expect(readFileSync(`${file}.broken-8`, 'utf8')).toBe('broken 20');
  });

  test('and cannot be set aside either is neither overwritten by a later save', async (ctx) => {
    if (!isRoot) return ctx.skip('needs root, to make a file that cannot be moved');
    writeFileSync(file, 'broken', { mode: 0o600 });
    chownSync(file, 1234, 1234);
    await expect(memory.load('mail')).rejects.toMatchObject({ code: 'foreign_owner' });
    await expect(memory.save('mail', 1)).rejects.toMatchObject({ code: 'foreign_owner' });
    expect(readFileSync(file, 'utf8')).toBe('broken');
    chownSync(file, 0, 0);
    expect(await memory.load('mail')).toBeNull();
    await memory.save('mail', 1);
    expect(await memory.load('mail')).toBe(1);
  });
});

describe('F38: a memory with the wrong rights', () => {
  test('a memory that others may read is repaired to 0600, said, and used', async () => {
    await memory.save('mail', { generation: 7 });
    chmodSync(file, 0o644);
    expect(await memory.load('mail')).toEqual({ generation: 7 });
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(broken).toEqual([{ credential: 'mail', code: 'mode_repaired', setAsidePath: null }]);
  });

  test('somebody else’s memory is refused for that credential alone', async (ctx) => {
    if (!isRoot) return ctx.skip('needs root');
    await memory.save('mail', { generation: 7 });
    await memory.save('other', { generation: 8 });
    chownSync(file, 1234, 1234);
    await expect(memory.load('mail')).rejects.toMatchObject({ name: 'PortError', code: 'foreign_owner' });
    expect(await memory.load('other')).toEqual({ generation: 8 });
  });
});
