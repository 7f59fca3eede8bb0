/** The variables of several credentials in one file, of which those of one stand: each change is one write. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, test } from 'vitest';
import { createChainEnvFilePublisher, type MemberEnvEntry } from '../../../src/adapters/publish/env-file.ts';
import { createLastWritten } from '../../../src/adapters/publish/last-written.ts';
import type { PublisherPort } from '../../../src/daemon/ports.ts';
import {
  arrangeEnvFile,
  directory,
  EXPIRES_AT_SECONDS,
  envFile,
  fingerprint,
  path,
  publication,
  text,
} from './parts.ts';

arrangeEnvFile();

const remembered = (variable: string) => createLastWritten(join(directory, 'published'), `envFile:${path}#${variable}`);

const entry = (credential: string, variable: string, metadata = false): MemberEnvEntry => ({
  credential,
  variable,
  metadata,
  lastWritten: remembered(variable),
});

function chain(...entries: MemberEnvEntry[]) {
  const notices: string[] = [];
  const publisher = createChainEnvFilePublisher({
    path,
    followSymlink: false,
    write: 'atomic',
    fingerprint,
    entries,
    onNotice: (code, { variable }) => notices.push(`${code} ${variable}`),
  });
  return {
    publisher,
    notices,
    publish: (credential: string, token: string) => publishTo(publisher, credential, token),
  };
}

const publishTo = (publisher: PublisherPort, credential: string, token: string) =>
  publisher.publish({ ...publication(token), credential });

test('A14: the variables of the member in use stand, those of the others go, and all other lines stay', async () => {
  writeFileSync(path, '# bot\nNAME=bot\n');
  const { publish, publisher } = chain(entry('claude', 'CLAUDE_TOKEN', true), entry('key', 'API_KEY'));
  await publish('claude', 'abc');
  const metadata = `CLAUDE_TOKEN_EXPIRES_AT=${EXPIRES_AT_SECONDS}\nCLAUDE_TOKEN_GENERATION=7\n`;
  expect(text()).toBe(`# bot\nNAME=bot\nCLAUDE_TOKEN=abc\n${metadata}`);
  await publish('key', 'k-1');
  expect(text()).toBe('# bot\nNAME=bot\nAPI_KEY=k-1\n');
  await publish('claude', 'def');
  expect(text()).toBe(`# bot\nNAME=bot\nCLAUDE_TOKEN=def\n${metadata}`);
  await publisher.withdraw();
  expect(text()).toBe('# bot\nNAME=bot\n');
  expect(publisher.id).toBe(`envFile:${path}`);
});

test('F75: members may have the same variable; it keeps its place, and takes along no metadata of another member', async () => {
  writeFileSync(path, 'A=1\nTOKEN=theirs\nZ=2\n');
  const { publish, notices } = chain(entry('claude', 'TOKEN', true), entry('key', 'TOKEN'));
  await publish('claude', 'abc');
  await publish('key', 'k-1');
  expect(text()).toBe('A=1\nTOKEN=k-1\nZ=2\n');
  await publish('claude', 'def');
  expect(text()).toMatch(/^A=1\nTOKEN=def\nTOKEN_EXPIRES_AT=\d+\nTOKEN_GENERATION=7\nZ=2\n$/);
  expect(notices).toEqual(['value_taken_over TOKEN']);
});

test('a member may publish several variables', async () => {
  const { publish } = chain(entry('claude', 'ONE'), entry('claude', 'TWO'), entry('key', 'THREE'));
  await publish('claude', 'abc');
  expect(text()).toBe('ONE=abc\nTWO=abc\n');
  await publish('key', 'k-1');
  expect(text()).toBe('THREE=k-1\n');
});

test('F81: a value of the user in a variable that is not in use stays, and is remarked until it is gone', async () => {
  writeFileSync(path, 'API_KEY=mine\n');
  const { publish, publisher, notices } = chain(entry('claude', 'CLAUDE_TOKEN'), entry('key', 'API_KEY'));
  const remark = await publish('claude', 'abc');
  expect(text()).toBe('API_KEY=mine\nCLAUDE_TOKEN=abc\n');
  expect(remark).toMatchObject({ code: 'foreign_value', remedy: expect.stringContaining(`API_KEY in ${path}`) });
  expect(JSON.stringify(remark)).not.toContain('mine');
  await expect(publisher.withdraw()).rejects.toMatchObject({ code: 'foreign_value' });
  expect(text()).toBe('API_KEY=mine\n');

  await publish('key', 'k-1');
  expect([text(), notices]).toEqual(['API_KEY=k-1\n', ['value_taken_over API_KEY']]);
  expect(await publish('claude', 'def')).toBeUndefined();
  expect(text()).toBe('CLAUDE_TOKEN=def\n');
});

test('F81: a value that the user put in the place of ours survives a switch, and the withdrawal of the chain', async () => {
  const { publish, publisher } = chain(entry('claude', 'CLAUDE_TOKEN'), entry('key', 'API_KEY'));
  await publish('claude', 'abc');
  writeFileSync(path, 'CLAUDE_TOKEN=mine\n');
  expect(await publish('key', 'k-1')).toMatchObject({ code: 'foreign_value' });
  expect(text()).toBe('CLAUDE_TOKEN=mine\nAPI_KEY=k-1\n');
  const refused = publisher.withdraw();
  await expect(refused).rejects.toMatchObject({ remedy: expect.stringContaining('CLAUDE_TOKEN') });
  expect(text()).toBe('CLAUDE_TOKEN=mine\n');
});

test('F81: what a credential wrote before it joined a chain is still its own, and so it is when it leaves', async () => {
  const alone = () => envFile(path, { variable: 'CLAUDE_TOKEN', lastWritten: remembered('CLAUDE_TOKEN') }).publisher;
  await alone().publish(publication('abc'));
  const { publish } = chain(entry('claude', 'CLAUDE_TOKEN'), entry('key', 'API_KEY'));
  await publish('key', 'k-1');
  expect(text()).toBe('API_KEY=k-1\n');
  await publish('claude', 'def');
  await alone().withdraw();
  expect(text()).toBe('');
});

test('F81, F35: a crash between remembering and writing leaves nothing that is taken for somebody else’s', async () => {
  const { publish } = chain(entry('claude', 'TOKEN'), entry('key', 'TOKEN'));
  await publish('claude', 'abc');
  const before = text();
  await publish('key', 'k-1');
  // The write itself was lost: what was remembered for it is there.
  writeFileSync(path, before);
  const restarted = chain(entry('claude', 'TOKEN'), entry('key', 'TOKEN'));
  expect(await restarted.publisher.withdraw()).toBeUndefined();
  expect(text()).toBe('');
});

test('the same again is no write', async () => {
  const { publish } = chain(entry('claude', 'CLAUDE_TOKEN'), entry('key', 'API_KEY'));
  await publish('claude', 'abc');
  await publish('key', 'k-1');
  const { ino } = statSync(path);
  await publish('key', 'k-1');
  expect(statSync(path).ino).toBe(ino);
  expect(readdirSync(directory).sort()).toEqual(['.env', 'published']);
});

test('I4: a reader in another process never sees both members, and never none, during 100 switches', async () => {
  const program = join(directory, 'reader.mjs');
  symlinkSync(resolve('node_modules'), join(directory, 'node_modules'));
  writeFileSync(program, READER);
  writeFileSync(path, 'FIRST=1\n');
  const { publish } = chain(entry('claude', 'CLAUDE_TOKEN', true), entry('key', 'API_KEY', true));
  await publish('claude', 'abc');
  const reader = spawn(process.execPath, [program, path], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: reader.stdout })[Symbol.asyncIterator]();
  expect((await lines.next()).value).toBe('reading');
  for (let n = 0; n < 50; n += 1) {
    await publish('key', `k-${n}`);
    await publish('claude', `c-${n}`);
  }
  reader.stdin.end();
  const report = JSON.parse(String((await lines.next()).value));
  await once(reader, 'exit');
  expect(report.wrong).toEqual([]);
  // A reader that saw next to nothing would prove nothing.
  expect(report.seen).toBeGreaterThan(20);
});

const READER = `
  import { readFileSync } from 'node:fs';
  import { parse } from 'dotenv';
  const wrong = [];
  const seen = new Set();
  let isEnded = false;
  process.stdin.on('end', () => { isEnded = true; }).resume();
  console.log('reading');
  while (!isEnded) {
    const names = Object.keys(parse(readFileSync(process.argv[2]))).filter((name) => name !== 'FIRST');
    const text = names.join();
    const isWhole = ['CLAUDE_TOKEN', 'API_KEY'].some((name) => text === [name, name + '_EXPIRES_AT', name + '_GENERATION'].join());
    if (!isWhole) wrong.push(text);
    seen.add(readFileSync(process.argv[2], 'utf8'));
    await new Promise(setImmediate);
  }
  console.log(JSON.stringify({ wrong, seen: seen.size }));
`;
