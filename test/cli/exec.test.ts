/** What is decided before any program runs; the running itself is in test/system/exec.test.ts. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { temporaryDirectory } from '../api/arrange.ts';
import { arrangeCli, loadWithoutExpiry, stateOf } from './arrange.ts';

async function arrangeExec() {
  const arranged = await arrangeCli();
  const file = join(temporaryDirectory(), 'ran');
  const program = ['--', 'sh', '-c', 'env >"$0"', file];
  return {
    ...arranged,
    program,
    hasRun: () => existsSync(file),
    variables: () =>
      readFileSync(file, 'utf8')
        .split('\n')
        .filter((line) => /^[A-Z_]+_(?:TOKEN|KEY)/.test(line))
        .sort(),
  };
}

describe('freshd exec', () => {
  test('names each token as it is published, as asked for, or after the credential', async () => {
    const { daemon, run, program, variables } = await arrangeExec();
    daemon.load('claude', 'at-1');
    daemon.variables.claude = 'CLAUDE_OAUTH_TOKEN';
    daemon.load('codex', 'at-2');
    loadWithoutExpiry(daemon, 'key', 'at-3');
    const generation = (name: string) => stateOf(daemon, name).generation;
    const { exitCode } = await run('exec', 'claude', 'codex', 'key', '--env', 'key=API_KEY', ...program);
    expect(exitCode).toBe(0);
    const expiresAt = Date.parse('2026-11-22T20:00:00Z') / 1000;
    expect(variables()).toEqual([
      'API_KEY=at-3',
      `API_KEY_GENERATION=${generation('key')}`,
      'CLAUDE_OAUTH_TOKEN=at-1',
      `CLAUDE_OAUTH_TOKEN_EXPIRES_AT=${expiresAt}`,
      `CLAUDE_OAUTH_TOKEN_GENERATION=${generation('claude')}`,
      'CODEX_TOKEN=at-2',
      `CODEX_TOKEN_EXPIRES_AT=${expiresAt}`,
      `CODEX_TOKEN_GENERATION=${generation('codex')}`,
    ]);
  });

  test('removes what was inherited of an earlier token', async () => {
    const { daemon, runWith, socketPath, program, variables } = await arrangeExec();
    loadWithoutExpiry(daemon, 'key', 'at-3');
    const env = { FRESHD_SOCKET: socketPath, KEY_TOKEN: 'old', KEY_TOKEN_EXPIRES_AT: '1' };
    await runWith({ env }, 'exec', 'key', ...program);
    expect(variables()).toEqual(['KEY_TOKEN=at-3', expect.stringMatching(/^KEY_TOKEN_GENERATION=/)]);
  });

  test.each([
    [['exec'], /missing required argument 'NAME'/],
    [['exec', 'claude'], /expected a command after two dashes/],
    [['exec', 'claude', 'npm', 'start'], /expected a command after two dashes/],
    [['exec', 'claude', '--'], /expected a command after two dashes/],
    [['exec', '--', 'true'], /expected the name of a credential before the two dashes/],
    [['exec', 'claude', '--env', 'claude=A=B', '--', 'true'], /--env: expected the name of a shell variable, got A=B/],
    [['exec', 'claude', '--env', 'claude', '--', 'true'], /--env: expected NAME=VARIABLE/],
    [['exec', 'Claude', '--', 'true'], /NAME: expected the name of a credential/],
    [['exec', 'claude', '--env', 'mail=A', '--', 'true'], /--env: expected NAME=VARIABLE .*\(claude\), got "mail=A"/],
    [['exec', 'claude', '--env', 'claude=A B', '--', 'true'], /--env: expected the name of a shell variable/],
    [['exec', 'claude', '--grace', 'soon', '--', 'true'], /--grace: expected a duration/],
    [['exec', 'claude', 'codex', '--env', 'claude=A', '--env', 'codex=A', '--', 'true'], /would both be A/],
    [['exec', '--restart', 'claude', '--', 'true'], /unknown option '--restart'/],
  ])('%j is a mistake: exit 64, one line', async (argv, message) => {
    const { daemon, run } = await arrangeExec();
    daemon.load('claude', 'at-1');
    daemon.load('codex', 'at-2');
    const ran = await run(...argv);
    expect([ran.exitCode, ran.stdout]).toEqual([64, '']);
    expect(ran.stderr).toMatch(message);
    expect(ran.stderr.trimEnd()).not.toContain('\n');
  });

  test('leaves the words of the program alone, also those that look like its own', async () => {
    const { daemon, run } = await arrangeExec();
    daemon.load('claude', 'at-1');
    const file = join(temporaryDirectory(), 'words');
    const words = ['--socket', '--env', '--', 'x y', ''];
    await run('exec', 'claude', '--', 'sh', '-c', 'printf "%s\\n" "$@" >"$0"', file, ...words);
    expect(readFileSync(file, 'utf8')).toBe(`${words.join('\n')}\n`);
  });

  test.each([
    ['no such credential', 'cluade', 1, /did you mean claude\?/],
    ['no token', 'mail', 75, /mail has no usable token/],
    ['a token that fits into no line', 'broken', 1, /fit into no line/],
  ])('starts nothing when there is %s', async (_, name, exitCode, message) => {
    const { daemon, run, program, hasRun } = await arrangeExec();
    daemon.load('claude', 'at-1');
    daemon.load('mail', null);
    daemon.load('broken', 'a\0b');
    expect(await run('exec', 'claude', name, ...program)).toMatchObject({
      exitCode,
      stderr: expect.stringMatching(message),
    });
    expect(hasRun()).toBe(false);
  });

  test('of a missing program exits 127, of one that is no program 126, and says which', async () => {
    const { daemon, run } = await arrangeExec();
    daemon.load('claude', 'at-1');
    const missing = await run('exec', 'claude', '--', 'no-such-program');
    expect([missing.exitCode, missing.stderr]).toEqual([
      127,
      'freshd: exec: no program "no-such-program", or its interpreter is missing\n',
    ]);
    const directory = temporaryDirectory();
    const unrunnable = await run('exec', 'claude', '--', directory);
    expect([unrunnable.exitCode, unrunnable.stderr]).toEqual([
      126,
      `freshd: exec: "${directory}" cannot be run (EACCES); is it an executable file?\n`,
    ]);
  });
});
