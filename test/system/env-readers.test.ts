/** The env file as its readers see it: what freshd writes, each of them must read back as the very same values. */
import { spawnSync } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { config } from 'dotenv';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { createEnvFilePublisher } from '../../src/adapters/publish/env-file.ts';
import { quoteEnvValue } from '../../src/adapters/publish/env-value.ts';
import type { Fingerprint } from '../../src/core/token.ts';
import { PortError } from '../../src/daemon/ports.ts';
import { bootMachine, whyNoMachine } from './machine.ts';

type Variables = Record<string, string>;

let directory: string;
let file: string;
const published: Variables = {};

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'freshd-env-readers-'));
  file = join(directory, '.env');
  writeFileSync(file, NEIGHBOURS);
  for (const [nth, value] of [...REAL_TOKENS, ...randomValues()].entries()) {
    published[`V${nth}`] = value;
    await publish(`V${nth}`, value);
  }
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

describe('F45: every published value is read back the same', () => {
  test('by dotenv, which also finds the neighbours as they were', () => {
    const processEnv: Variables = {};
    config({ path: file, processEnv, quiet: true });
    expect(processEnv).toEqual({ ...published, FIRST: '1', SECOND: 'a b', THIRD: 'c # d', LAST: 'z' });
  });

  test.for<[string, string[]]>([
    ['/bin/sh', []],
    ['bash', ['--posix']],
    ['bash', []],
    ['zsh', []],
    ['busybox', ['sh']],
  ])('by `. ./file` of %s %s', ([shell, options], ctx) => {
    const run = spawnSync(shell, [...options, '-c', 'set -a; . "$1"; exec env -0', '_', file], {
      env: { PATH: process.env.PATH, HOME: '/nowhere' },
    });
    if (run.error !== undefined) return ctx.skip(`${shell} cannot be run: ${run.error.message}`);
    expect(run.stderr.toString()).toBe('');
    expect(ours(variablesIn(run.stdout))).toEqual(published);
  });

  test('by python-dotenv', (ctx) => {
    // The system's own has the packages of the system; another one may stand before it on the PATH.
    const runs = ['/usr/bin/python3', 'python3'].map((python) =>
      spawnSync(python, ['-c', PYTHON_READER, file], { encoding: 'utf8' }),
    );
    const run = runs.find(({ status }) => status === 0);
    const whyNot = runs.map(({ stderr, error }) => lastLine(stderr ?? '') || error?.message).join('; ');
    if (run === undefined) return ctx.skip(`python3 with python-dotenv: ${whyNot}`);
    expect(ours(JSON.parse(run.stdout))).toEqual(published);
  });

  test("by systemd's EnvironmentFile", async (ctx) => {
    const whyNot = whyNoMachine();
    if (whyNot !== '') return ctx.skip(`no systemd here: ${whyNot}`);
    const machine = await bootMachine([directory]);
    onTestFinished(machine.end);
    const out = join(directory, 'out');
    const unit = ['-p', `EnvironmentFile=${file}`, '-p', `StandardOutput=file:${out}`, '/usr/bin/env', '-0'];
    const run = await machine.run('systemd-run', '--wait', '--quiet', ...unit);
    expect(run).toEqual({ status: 0, stdout: '', stderr: '' });
    expect(ours(variablesIn(readFileSync(out)))).toEqual(published);
  });
});

async function publish(variable: string, accessToken: string): Promise<void> {
  const fingerprint = (secret: string) => createHmac('sha256', 'test').update(secret).digest('hex') as Fingerprint;
  const publisher = createEnvFilePublisher({
    path: file,
    variable,
    metadata: false,
    followSymlink: false,
    write: 'atomic',
    fingerprint,
    lastWritten: { load: async () => [], save: async () => undefined, sync: async () => undefined },
    onNotice: () => undefined,
  });
  const token = { accessToken, tokenType: 'Bearer', fingerprint: fingerprint(accessToken) };
  await publisher.publish({
    credential: 'demo',
    token: { ...token, obtainedAt: null, notBefore: null, expiry: { kind: 'never' } },
    generation: 1,
  });
}

/** Values made of what readers give a meaning, as far as they are not refused. */
function randomValues(): string[] {
  const specials = fc.string({ unit: fc.constantFrom(...SPECIALS), minLength: 1, maxLength: 8 });
  const printable = fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 40 });
  const anything = fc.string({ unit: 'binary', minLength: 1, maxLength: 10 });
  const sample = fc.sample(fc.oneof(specials, printable, anything), 400);
  const accepted = sample.filter((value) => {
    try {
      quoteEnvValue(value);
      return true;
    } catch (error) {
      if (error instanceof PortError) return false;
      throw error;
    }
  });
  // If nearly all were refused, this test would show nothing.
  expect(accepted.length).toBeGreaterThan(100);
  return accepted;
}

function variablesIn(environment: Buffer): Variables {
  const entries = environment.toString().split('\0');
  return Object.fromEntries(entries.map((entry) => [entry.split('=', 1)[0], entry.slice(entry.indexOf('=') + 1)]));
}

const ours = (all: Variables): Variables =>
  Object.fromEntries(Object.entries(all).filter(([name]) => /^V\d+$/.test(name)));

const lastLine = (text: string | null): string => text?.trim().split('\n').at(-1) ?? '';

// Quoted as people quote; every reader can read them.
const NEIGHBOURS = `# written by hand\nFIRST=1\nSECOND="a b"\n\nTHIRD='c # d'\n# the last line does not end\nLAST=z`;

// In the shapes that providers give out.
const REAL_TOKENS = [
  'sk-ant-oat01-AbCdEf_0123-456789',
  'ya29.a0AfB_byC-xyz~123',
  'gho_16C7e42F292c6912E7710c838347Ae178B4a',
  'eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln_-c2ln',
  'AQAB+/x/y==',
  'xoxb-1-2-3',
  '~tilde:~tilde',
  '=equals',
];

// The longer ones are what some reader expands or unescapes as a whole.
const SPECIALS = [
  '$\u007bX}',
  '$\u007bX:-y}',
  '\\n',
  '\\\\',
  "\\'",
  'a',
  '0',
  ...'\'"`\\$#=~:!{}()[]<>|&;*?%^@,. \t',
  'é',
  '😀',
  '\u00a0',
  '\ufeff',
  '\u2028',
];

const PYTHON_READER = `
import dotenv, json, sys
print(json.dumps(dotenv.dotenv_values(sys.argv[1], encoding="utf-8")))
`;
