import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, test } from 'vitest';
import { envFile, publication, temporaryDirectory } from './parts.ts';

test('I4: a reader in another process sees whole values that belong together, during 500 publications', async () => {
  const directory = await temporaryDirectory();
  const path = join(directory, '.env');
  const program = join(directory, 'reader.mjs');
  symlinkSync(resolve('node_modules'), join(directory, 'node_modules'));
  writeFileSync(program, READER);
  writeFileSync(path, 'FIRST=1\nTOKEN=theirs\nLAST="x y"\n');
  const { publisher } = envFile(path, { metadata: true });
  await publisher.publish(publication(tokenOf(0), 0));

  const reader = spawn(process.execPath, [program, path], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: reader.stdout })[Symbol.asyncIterator]();
  expect((await lines.next()).value).toBe('reading');
  for (let generation = 1; generation <= 500; generation += 1) {
    await publisher.publish(publication(tokenOf(generation), generation));
  }
  reader.stdin.end();
  const report = JSON.parse(String((await lines.next()).value));
  await once(reader, 'exit');

  expect(report.wrong).toEqual([]);
  // A reader that saw next to nothing would prove nothing.
  expect(report.generations).toBeGreaterThan(20);
});

/** Differs in length from one generation to the next, so that a mix could not look whole. */
function tokenOf(generation: number): string {
  return `${generation}-`.repeat(1 + (generation % 97) * 10);
}

const READER = `
  import { readFileSync } from 'node:fs';
  import { parse } from 'dotenv';
  const wrong = [];
  const generations = new Set();
  let isEnded = false;
  process.stdin.on('end', () => { isEnded = true; }).resume();
  console.log('reading');
  while (!isEnded) {
    const seen = parse(readFileSync(process.argv[2]));
    const n = Number(seen.TOKEN_GENERATION);
    const isWhole = seen.TOKEN === (n + '-').repeat(1 + (n % 97) * 10);
    if (!isWhole || seen.FIRST !== '1' || seen.LAST !== 'x y' || seen.TOKEN_EXPIRES_AT === undefined) wrong.push(n);
    generations.add(n);
    await new Promise(setImmediate);
  }
  console.log(JSON.stringify({ wrong, generations: generations.size }));
`;
