/** The completion scripts, each in its own shell: somebody types a few letters and presses the key. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, type TestContext, test } from 'vitest';
import { completionScript, type Shell } from '../../src/cli/completions.ts';
import { COMMANDS } from '../../src/cli/program.ts';
import { arrangeCli, runIn } from './arrange.ts';

interface Typing {
  readonly directory: string;
  /** Runs this in the shell, the script beside it. */
  run(driver: string): string;
}

function sitDown(shell: Shell, ctx: TestContext): Typing {
  if (spawnSync(shell, ['--version']).error !== undefined) ctx.skip(`${shell} is not installed`);
  const directory = mkdtempSync(join(tmpdir(), 'freshd-completion-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  writeFileSync(join(directory, 'script'), completionScript(shell, COMMANDS));
  const env = { PATH: process.env.PATH, HOME: directory, TERM: 'dumb' };
  return {
    directory,
    run(driver) {
      writeFileSync(join(directory, 'driver'), driver);
      return execFileSync(shell, ['driver'], { cwd: directory, env, encoding: 'utf8', timeout: 20_000 });
    },
  };
}

/** What was typed, and all that is offered for its last word. */
const OFFERS: readonly [line: readonly string[], offered: readonly string[]][] = [
  [['to'], ['token']],
  [
    ['token', ''],
    ['claude', 'mail'],
  ],
  [['token', 'mail', '--form'], ['--format']],
  [['token', 'mail', '--format', 'ku'], ['kubectl']],
  [['--config', 'other.json', 'stat'], ['status']],
  [['completion', 'fi'], ['fish']],
];

test.for(OFFERS)('bash completes %j to %j', ([line, offered], ctx) => {
  const words = line.map((word) => `'${word}'`).join(' ');
  const output = sitDown('bash', ctx).run(`. ./script
freshd() { [ "$1 $2" = 'completion names' ] && printf 'mail\\nclaude\\n'; }
COMP_WORDS=(freshd ${words}); COMP_CWORD=${line.length}; _freshd
printf '%s\\n' "\${COMPREPLY[@]}"`);
  expect(output.trim().split('\n').sort()).toEqual(offered);
});

test('bash offers programs behind the dashes of exec', (ctx) => {
  const output = sitDown('bash', ctx).run(`. ./script
COMP_WORDS=(freshd exec mail -- printen); COMP_CWORD=4; _freshd
printf '%s\\n' "\${COMPREPLY[@]}"`);
  expect(output).toContain('printenv\n');
});

test.for(OFFERS)('fish completes %j to %j', ([line, offered], ctx) => {
  const output = sitDown('fish', ctx).run(`source ./script
function freshd; test "$argv" = 'completion names'; and printf 'mail\\nclaude\\n'; end
complete -C ${JSON.stringify(['freshd', ...line].join(' '))}`);
  const words = output.trim().split('\n');
  expect(words.map((word) => word.split('\t')[0]).sort()).toEqual(offered);
});

test('zsh completes a command, a name, an option and its value as they are typed', (ctx) => {
  // A shell in a terminal of its own: only there a key means anything.
  const typing = sitDown('zsh', ctx);
  typing.run(`zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell 'autoload -Uz compinit; compinit -u -D; source ./script; print READ""Y'
zpty -w shell 'freshd() { [[ "$*" = "completion names" ]] && print -l mail claude || print -r -- "$*" >called; }'
zpty -r -m shell line '*READY*'
zpty -w -n shell $'freshd tok\\t ma\\t --form\\tku\\t\\n'
zpty -w shell exit
while zpty -r shell line; do :; done`);
  expect(readFileSync(join(typing.directory, 'called'), 'utf8').trim()).toBe('token mail --format kubectl');
});

test('names are those of the daemon, and nobody who types is told that it is away', async () => {
  const { daemon, run } = await arrangeCli();
  daemon.add('mail');
  expect(await run('completion', 'names')).toEqual({ exitCode: 0, stdout: 'mail\n', stderr: '' });
  const alone = await runIn({}, 'completion', 'names', '--socket', '/nonexistent/freshd.sock');
  expect(alone).toEqual({ exitCode: 0, stdout: '', stderr: '' });
});

test('another shell is refused by name', async () => {
  const { exitCode, stderr } = await runIn({}, 'completion', 'tcsh');
  expect({ exitCode, stderr }).toEqual({
    exitCode: 64,
    stderr: 'freshd: SHELL: expected bash, zsh, fish, got "tcsh"\n',
  });
});
