import { describe, expect, test } from 'vitest';
import { until } from '../api/arrange.ts';
import { HOUR_MS } from '../api/fake-daemon.ts';
import { arrangeCli } from './arrange.ts';

describe('freshd token', () => {
  test('prints the token, and nothing but the token', async () => {
    const { daemon, run } = await arrangeCli();
    daemon.load('claude', 'at-1');
    expect(await run('token', 'claude')).toEqual({ exitCode: 0, stdout: 'at-1\n', stderr: '' });
  });

  test.each([
    ['raw', 'at-1\n'],
    ['header', 'Authorization: Bearer at-1\n'],
    ['env', "export CLAUDE_MAX_TOKEN='at-1'\n"],
  ])('prints it as %s', async (format, stdout) => {
    const { daemon, run } = await arrangeCli();
    daemon.load('claude-max', 'at-1');
    expect(await run('token', 'claude-max', '--format', format)).toEqual({ exitCode: 0, stdout, stderr: '' });
  });

  test('B5: prints the whole answer as JSON, with expiry and generation', async () => {
    const { daemon, run } = await arrangeCli();
    daemon.load('claude', 'at-1');
    const { stdout } = await run('token', 'claude', '--format=json');
    expect(JSON.parse(stdout)).toMatchObject({
      access_token: 'at-1',
      expires_at: '2026-11-22T20:00:00.000Z',
      generation: expect.any(Number),
    });
  });

  test('names the variable as the configuration publishes it', async () => {
    const { daemon, run } = await arrangeCli();
    daemon.load('claude', 'at-1');
    daemon.variables.claude = 'CLAUDE_CODE_OAUTH_TOKEN';
    await daemon.addChain('any', 'claude');
    for (const name of ['claude', 'any']) {
      const { stdout } = await run('token', name, '--format', 'env');
      expect(stdout).toBe("export CLAUDE_CODE_OAUTH_TOKEN='at-1'\n");
    }
  });

  test('names the variable that is asked for, and quotes for the shell', async () => {
    const { daemon, run } = await arrangeCli();
    daemon.load('claude', "a'b $c");
    const { stdout } = await run('token', 'claude', '--format', 'env', '--variable', 'T');
    expect(stdout).toBe("export T='a'\\''b $c'\n");
  });

  test('refuses to put a token with a line break into a line', async () => {
    const { daemon, run } = await arrangeCli();
    daemon.load('claude', 'a\nexport PATH=/evil');
    for (const format of ['raw', 'header', 'env']) {
      const ran = await run('token', 'claude', '--format', format);
      expect([ran.exitCode, ran.stdout]).toEqual([1, '']);
      expect(ran.stderr).not.toContain('evil');
    }
  });

  test('A7: with --min-valid waits for the refresh instead of printing a dying token', async () => {
    const { daemon, run } = await arrangeCli();
    daemon.load('claude', 'old', 3 * HOUR_MS);
    const running = run('token', 'claude', '--min-valid', '4h');
    await until(() => daemon.count('claude', 'begin_attempt') === 1);
    daemon.succeed('claude', 'new');
    expect(await running).toEqual({ exitCode: 0, stdout: 'new\n', stderr: '' });
  });

  test('of an unknown name exits 1 and says the nearest', async () => {
    const { daemon, run } = await arrangeCli();
    daemon.load('claude', 'at-1');
    expect(await run('token', 'cluade')).toEqual({
      exitCode: 1,
      stdout: '',
      stderr: 'freshd: no credential cluade among the 1 configured; did you mean claude?\n',
    });
  });

  test('of a credential that a person must re-authorize exits 77 with the remedy', async () => {
    const { daemon, run } = await arrangeCli();
    daemon.load('claude', 'at-1', 2 * HOUR_MS);
    daemon.advance(1.6 * HOUR_MS);
    daemon.fail('claude', { code: 'invalid_grant', class: 'terminal' });
    daemon.advance(HOUR_MS);
    const ran = await run('token', 'claude');
    expect([ran.exitCode, ran.stdout]).toEqual([77, '']);
    expect(ran.stderr).toMatch(/^freshd: claude needs a person .*freshd login claude\n$/);
  });

  test('of a credential without a token exits 75 with one line', async () => {
    const { daemon, run } = await arrangeCli();
    daemon.load('claude', null);
    const ran = await run('token', 'claude');
    expect([ran.exitCode, ran.stdout, ran.stderr.split('\n').length]).toEqual([75, '', 2]);
  });

  test.each([
    [['token'], /missing required argument 'NAME'/],
    [['token', 'a', 'b', 'c'], /too many arguments/],
    [['token', 'claude', 'get'], /expected nothing after NAME but with --format git or docker, got "get"/],
    [['token', 'Not-A-Name'], /NAME: expected the name of a credential/],
    [['token', 'claude', '--format', 'yaml'], /--format: expected raw, json, header, env, .*, got yaml/],
    [['token', 'claude', '--format', 'constructor'], /--format: expected raw/],
    [['token', 'claude', '--min-valid', 'soon'], /--min-valid: expected a duration/],
    [['token', 'claude', '--wait', '2m'], /--wait: expected at most 60s, got 2m/],
    [['token', 'claude', '--variable', 'a b', '--format', 'env'], /--variable: expected the name/],
    [['token', 'claude', '--minvalid', '5m'], /unknown option '--minvalid'.*--min-valid/],
    [['tokn', 'claude'], /unknown command 'tokn'.*token/],
  ])('%j is a mistake: exit 64, one line, nothing on standard output', async (argv, message) => {
    const { run } = await arrangeCli();
    const ran = await run(...argv);
    expect([ran.exitCode, ran.stdout]).toEqual([64, '']);
    expect(ran.stderr).toMatch(message);
    expect(ran.stderr.trimEnd()).not.toContain('\n');
  });

  test('takes the options in any place, the quick way and through commander', async () => {
    const { daemon, runWith, socketPath } = await arrangeCli();
    daemon.load('claude', 'at-1');
    const env = { FRESHD_SOCKET: '/nonexistent.sock' };
    for (const argv of [
      ['--socket', socketPath, 'token', 'claude'],
      [`--socket=${socketPath}`, 'token', 'claude'],
      ['token', '--socket', socketPath, 'claude'],
      ['token', 'claude', '--socket', socketPath],
    ]) {
      expect((await runWith({ env }, ...argv)).stdout).toBe('at-1\n');
    }
    for (const argv of [
      ['--socket', socketPath, 'explain', 'claude'],
      ['explain', 'claude', '--socket', socketPath],
    ]) {
      expect((await runWith({ env }, ...argv)).exitCode).toBe(0);
    }
  });
});
