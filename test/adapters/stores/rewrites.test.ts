/** A store under a program that keeps rewriting it: real processes, both ways of writing. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { always, makeDirectory, storeIn, tokensOf } from './parts.ts';

// Pairs of one number; long, so that a torn read has room to tear.
const WRITER = `
  const fs = require('node:fs');
  const [path, how] = process.argv.slice(1);
  const pad = '.'.repeat(30000);
  for (let nth = 0; ; nth += 1) {
    const text = JSON.stringify({ access_token: 'a-' + nth, pad, refresh_token: 'r-' + nth, expires_in: 60 });
    if (how === 'rename') {
      fs.writeFileSync(path + '.theirs', text);
      fs.renameSync(path + '.theirs', path);
    } else {
      const fd = fs.openSync(path, 'w');
      fs.writeSync(fd, text.slice(0, 15000));
      fs.writeSync(fd, text.slice(15000));
      fs.closeSync(fd);
    }
    if (nth === 0) process.stdout.write('written');
    // Now and then it rests, as every tool does nearly always.
    if (nth % 5 === 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 3);
  }
`;

let writer: ChildProcess | null = null;
afterEach(endWriter);

describe.each([['rename'], ['truncate']])('a store rewritten in a loop by %s', (how) => {
  it('I4: is read whole each time, never as a mix of two', async () => {
    const { store } = await storeUnder(how);
    const seen = new Set<string>();
    for (let reads = 0; reads < 5_000 && seen.size < 20; reads += 1) {
      const { accessToken, refreshToken } = tokensOf(await store.read());
      expect(`r${accessToken?.slice(1)}`).toBe(refreshToken);
      seen.add(String(accessToken));
    }
    expect(seen.size).toBe(20);
  });

  it('F44: is written whole or not at all, and only over what was expected', async () => {
    const { store, path } = await storeUnder(how);
    const outcomes = { committed: 0, refused: 0, busy: 0 };
    for (let nth = 0; nth < 10; nth += 1) {
      const expected = tokensOf(await store.read()).accessToken;
      const isExpected = (found: Awaited<ReturnType<typeof store.read>>) =>
        found.kind === 'tokens' && found.tokens.accessToken === expected;
      try {
        const { committed, found } = await store.write({ access_token: `ours-${nth}`, refresh_token: 'x' }, isExpected);
        if (committed) outcomes.committed += 1;
        else {
          outcomes.refused += 1;
          expect(isExpected(found)).toBe(false);
        }
      } catch (error) {
        expect(error).toMatchObject({ code: expect.stringMatching(/^store_(busy|broken)$/) });
        outcomes.busy += 1;
      }
    }
    expect(outcomes.committed + outcomes.refused + outcomes.busy).toBe(10);
    expect(outcomes.refused + outcomes.busy).toBeGreaterThan(0);
    await endWriter();
    // With the other writer gone (it may have been killed half-way), ours stands whole.
    if ((await store.read()).kind === 'tokens') {
      await store.write({ access_token: 'last', refresh_token: 'last' }, always);
      expect(JSON.parse(await readFile(path, 'utf8'))).toMatchObject({ access_token: 'last', refresh_token: 'last' });
    }
  });
});

async function endWriter(): Promise<void> {
  const child = writer;
  writer = null;
  if (child === null) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
}

async function storeUnder(how: string) {
  const directory = await makeDirectory();
  const path = join(directory, 'store');
  writer = spawn(process.execPath, ['-e', WRITER, path, how], { stdio: ['ignore', 'pipe', 'inherit'] });
  if (writer.stdout === null) throw new Error('no pipe');
  await once(writer.stdout, 'data');
  const options = { path, lockDirectory: join(directory, 'locks'), entry: null };
  return { path, store: storeIn('token-response', { ...options, patience: { settledMs: 2, everyMs: 1, forMs: 300 } }) };
}
