import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, onTestFinished, test } from 'vitest';
import { failureOf, runningScript } from '../adapters/refresh/running-script.ts';

const SCRIPTS = fileURLToPath(new URL('../../scripts/', import.meta.url));
const NAMES = readdirSync(SCRIPTS).filter((name) => /^refresh-.*\.sh$/.test(name));

/** The shipped script for a tool, with a stand-in for the tool on the PATH, and what the stand-in was called with. */
function withTool(tool: string, body: string, result: 'store' | 'text') {
  const home = realpathSync(mkdtempSync(join(tmpdir(), 'freshd-tool-')));
  onTestFinished(() => rmSync(home, { recursive: true, force: true }));
  const bin = join(home, 'bin');
  mkdirSync(bin);
  for (const folder of ['.claude', '.codex', '.gemini']) mkdirSync(join(home, folder));
  const seen = join(home, 'seen');
  writeFileSync(join(bin, tool), `#!/bin/sh\nprintf '%s\\n' "$PWD" "$@" >'${seen}'\nenv >'${seen}-env'\n${body}\n`, {
    mode: 0o755,
  });
  const environment = {
    PATH: `${bin}:/usr/bin:/bin`,
    HOME: home,
    ANTHROPIC_API_KEY: 'k',
    OPENAI_API_KEY: 'k',
    GEMINI_API_KEY: 'k',
    GH_TOKEN: 'k',
  };
  const run = runningScript([join(SCRIPTS, `refresh-${tool}.sh`)], { result, environment });
  return {
    run: run.run,
    called: () => readFileSync(seen, 'utf8').trim().split('\n'),
    environment: () => readFileSync(`${seen}-env`, 'utf8'),
    home,
  };
}

describe('scripts for tools that refresh their own store', () => {
  const tools = [
    { tool: 'claude', folder: '.claude', first: '-p', withheld: 'ANTHROPIC_API_KEY' },
    { tool: 'codex', folder: '.codex', first: 'exec', withheld: 'OPENAI_API_KEY' },
    { tool: 'gemini', folder: '.gemini', first: '-p', withheld: 'GEMINI_API_KEY' },
  ];
  test.each(tools)('$tool: is asked for one word, in its own folder, without a key of its own', async (row) => {
    const tool = withTool(row.tool, 'echo ok', 'store');
    expect(await tool.run()).toEqual({ kind: 'stored' });
    expect(tool.called().slice(0, 2)).toEqual([join(tool.home, row.folder), row.first]);
    expect(tool.environment()).not.toContain(`${row.withheld}=`);
  });

  test.each(tools)('$tool: its failure is transient and in doubt, whatever it says', async ({ tool }) => {
    const failing = withTool(tool, 'echo "API Error: 401 invalid_grant"; echo "Login expired" >&2; exit 77', 'store');
    const failure = failureOf(await failing.run());
    expect(failure).toMatchObject({ class: 'transient', code: 'exit_74', doubt: true });
    expect(failure.detail).toContain('Login expired');
  });
});

describe('scripts for tools that print a token', () => {
  test.each(['gcloud', 'gh'])('%s: the bare token is the result', async (name) => {
    const tool = withTool(name, 'echo ya29.token', 'text');
    expect(await tool.run()).toEqual({ kind: 'response', response: { access_token: 'ya29.token' } });
    expect(tool.called().slice(1, 2)).toEqual(['auth']);
  });

  test('gh: is not asked with a token from the environment, which it would print back', async () => {
    const tool = withTool('gh', 'echo gho_token', 'text');
    await tool.run();
    expect(tool.environment()).not.toContain('GH_TOKEN=');
  });

  test('gcloud: its failure may have sent something, that of gh has not', async () => {
    const failing = 'echo "no account" >&2; exit 1';
    expect(failureOf(await withTool('gcloud', failing, 'text').run())).toMatchObject({ code: 'exit_74' });
    expect(failureOf(await withTool('gh', failing, 'text').run())).toMatchObject({ code: 'exit_75', unsent: true });
  });
});

describe('every shipped refresh script', () => {
  test.each(NAMES)('%s: says that its tool is missing, as a matter of configuration', async (name) => {
    const script = runningScript([join(SCRIPTS, name)], { environment: { PATH: '/nowhere', HOME: '/nowhere' } });
    const failure = failureOf(await script.run());
    expect(failure).toMatchObject({ class: 'config', code: 'exit_78' });
    expect(failure.detail).toMatch(/expected \w+ on the PATH \/nowhere/);
  });

  test.each(NAMES)('%s: is plain sh, and says what it relies on and how it ends', (name) => {
    const text = readFileSync(join(SCRIPTS, name), 'utf8');
    expect(text).toMatch(/^#!\/bin\/sh\n/);
    expect(text).toMatch(/^set -u$/m);
    for (const heading of ['# Configuration ', '# Relies on ', '# Exit status ']) expect(text).toContain(heading);
    const code = text.replace(/^\s*#.*$/gm, '');
    expect(code).not.toMatch(/--retry|\[\[|\blocal\b|\bset -[a-z]*x/);
    const shells = ['/bin/sh', '/usr/bin/dash', '/bin/bash'].filter((shell) => existsSync(shell));
    for (const shell of shells) expect(spawnSync(shell, ['-n', join(SCRIPTS, name)]).status).toBe(0);
  });
});
