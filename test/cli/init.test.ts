import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { runIn } from './arrange.ts';

/** A home of which others may write nothing, with these files in it. */
function home(...files: readonly string[]): string {
  const directory = mkdtempSync(join(tmpdir(), 'freshd-init-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  for (const file of files) {
    const path = join(directory, file);
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    writeFileSync(path, '{}', { mode: 0o600 });
  }
  return directory;
}

const CLAUDE = '.claude/.credentials.json';
const CONFIG = '.config/freshd/config.json';
const uid = process.getuid?.() ?? null;
const init = (directory: string, ...words: string[]) => runIn({ home: directory, uid }, 'init', ...words);
const configAt = (directory: string) => JSON.parse(readFileSync(join(directory, CONFIG), 'utf8'));

test('alone lists what is on this machine, and names the next command', async () => {
  const { exitCode, stdout } = await init(home('.codex/auth.json'));
  expect(exitCode).toBe(0);
  expect(stdout).toMatch(/^codex +found +\S+\.codex\/auth\.json$/m);
  expect(stdout).toMatch(/^claude-code +no +/m);
  expect(stdout).toMatch(/^next: freshd init codex$/m);
});

test('takes all that is found at once', async () => {
  const directory = home(CLAUDE, '.codex/auth.json');
  expect((await init(directory)).stdout).toMatch(/^next: freshd init claude-code codex$/m);
  const { exitCode, stdout, stderr } = await init(directory, 'codex', 'claude-code', 'codex');
  expect([exitCode, stderr]).toEqual([0, '']);
  expect(stdout).toContain('and it loads');
  expect(Object.keys(configAt(directory).credentials)).toEqual(['codex', 'claude']);
  // All, or none.
  const other = home(CLAUDE);
  expect(await init(other, 'claude-code', 'gemini')).toMatchObject({ exitCode: 1, stdout: '' });
  expect(readdirSync(other)).toEqual(['.claude']);
});

test('where it may not write, that is said with the place, and is no bug', async () => {
  const directory = home(CLAUDE, 'in-the-way');
  const config = join(directory, 'in-the-way/config.json');
  const { exitCode, stderr } = await init(directory, 'claude-code', '--config', config);
  expect([exitCode, stderr]).toEqual([
    77,
    `freshd: ${config}: expected to write it, got EEXIST; correct the folder, or name another place with --config\n`,
  ]);
});

test('says the next commands for the configuration that was named', async () => {
  const directory = home(CLAUDE);
  const config = join(directory, 'own/config.json');
  const { stdout } = await init(directory, 'claude-code', '--config', config);
  expect(stdout).toContain(`next: freshd run --dry-run --config ${config}, then freshd run --config ${config};`);
});

test('alone, where nothing is found, says what comes before it', async () => {
  const { exitCode, stdout } = await init(home());
  expect(exitCode).toBe(0);
  expect(stdout).toMatch(/^next: log in with one of these tools, then freshd init FORMAT; /m);
});

test('looks where the tool itself would', async () => {
  const directory = home('elsewhere/auth.json');
  const env = { CODEX_HOME: join(directory, 'elsewhere') };
  expect((await runIn({ home: directory, env }, 'init')).stdout).toMatch(/^codex +found /m);
});

test('writes a configuration that only its owner may read, has loaded it, and says what is next', async () => {
  const directory = home(CLAUDE);
  const { exitCode, stdout, stderr } = await init(directory, 'claude-code');
  expect([exitCode, stderr]).toEqual([0, '']);
  expect(stdout).toContain(`wrote ${join(directory, CONFIG)}, and it loads`);
  expect(stdout).toMatch(/next: freshd run --dry-run, .*freshd service install/);
  expect(statSync(join(directory, CONFIG)).mode & 0o777).toBe(0o600);
  expect(configAt(directory).credentials.claude).toMatchObject({
    store: { format: 'claude-code' },
    refresh: { result: 'store' },
  });
  expect(await runIn({ home: directory, uid }, 'check')).toMatchObject({ exitCode: 0 });
});

test.each(['codex', 'gemini', 'opencode', 'openclaw', 'hermes', 'grok', 'google-adc'])(
  'what it writes for %s loads',
  async (format) => {
    const places = ['.codex/auth.json', '.gemini/oauth_creds.json', '.local/share/opencode/auth.json'];
    const more = ['.openclaw/agents/main/agent/auth-profiles.json', '.hermes/auth.json', '.grok/auth.json'];
    const directory = home(...places, ...more, '.config/gcloud/application_default_credentials.json');
    expect(await init(directory, format)).toMatchObject({ exitCode: 0, stderr: '' });
  },
);

test('without a login there is nothing to configure', async () => {
  const directory = home();
  const { exitCode, stderr } = await init(directory, 'claude-code');
  expect(exitCode).toBe(1);
  expect(stderr).toMatch(/expected a login at .*\.credentials\.json, got none; log in with that tool first/);
  expect(readdirSync(directory)).toEqual([]);
});

test('a configuration that is there stays; the lines for it are printed', async () => {
  const directory = home(CLAUDE, CONFIG);
  const { exitCode, stdout, stderr } = await init(directory, 'claude-code');
  expect(exitCode).toBe(1);
  expect(JSON.parse(stdout)).toHaveProperty('claude.store.format', 'claude-code');
  expect(stderr).toMatch(/is there already, and stays/);
  expect(configAt(directory)).toEqual({});
});

test('with --force it is replaced, and kept beside the new one, whatever lies there', async () => {
  const directory = home(CLAUDE, CONFIG, `${CONFIG}.before-1`);
  const { exitCode, stdout } = await init(directory, 'claude-code', '--force');
  expect(exitCode).toBe(0);
  expect(stdout).toContain('config.json.before-2');
  expect(readFileSync(join(directory, `${CONFIG}.before-2`), 'utf8')).toBe('{}');
  expect(configAt(directory).credentials).toHaveProperty('claude');
});

test('a dry run prints the configuration, and writes nothing', async () => {
  const directory = home(CLAUDE);
  const { exitCode, stdout } = await init(directory, 'claude-code', '--dry-run');
  expect([exitCode, Object.keys(JSON.parse(stdout).credentials)]).toEqual([0, ['claude']]);
  expect(readdirSync(directory)).toEqual(['.claude']);
});

test('an unknown format is a mistake of the command line, with those there are', async () => {
  const { exitCode, stderr } = await init(home(), 'clod');
  expect(exitCode).toBe(64);
  expect(stderr).toMatch(/expected claude-code, codex, .*, got "clod"/);
});
