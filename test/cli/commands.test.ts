import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { temporaryDirectory } from '../api/arrange.ts';
import { HOUR_MS, MINUTE_MS, START_MS } from '../api/fake-daemon.ts';
import { arrangeCli, runIn } from './arrange.ts';

const GENERATION = START_MS / 1000 + 1;

describe('freshd status', () => {
  test('shows each credential in aligned columns, with relative and absolute times', async () => {
    const { daemon, run } = await arrangeCli();
    daemon.load('claude', 'at-1', 2 * HOUR_MS);
    daemon.load('mail', null);
    daemon.advance(MINUTE_MS);
    const { exitCode, stdout } = await run('status');
    const lines = stdout.split('\n');
    expect(exitCode).toBe(0);
    expect(lines[0]).toBe(`freshd ${daemon.version}, up 1 min, /etc/freshd/config.json`);
    expect(lines[2]).toMatch(/^CREDENTIAL {2}STATUS {2}EXPIRES +NEXT$/);
    expect(lines[3]).toMatch(/^claude {6}usable {2}in 1 h 59 min \(.*\) +refresh in 1 h 29 min \(.*\)$/);
    expect(lines[4]).toMatch(/^mail {8}none {4}- /);
    expect(stdout).toMatch(/^mail: .*freshd login mail$/m);
    expect(stdout).not.toContain('at-1');
  });

  test('a daemon of another version is named beside the answer, which stays whole', async () => {
    const { daemon, run } = await arrangeCli();
    const own = daemon.version;
    daemon.version = '0.0.7';
    const { exitCode, stdout, stderr } = await run('status', '--json');
    expect([exitCode, JSON.parse(stdout).daemon.version]).toEqual([0, '0.0.7']);
    expect(stderr).toMatch(`freshd: the daemon is version 0.0.7, this command ${own}: restart the daemon`);
  });

  test('A10: shows no token, in any form', async () => {
    const { daemon, run } = await arrangeCli();
    daemon.load('claude', 'at-secret');
    for (const argv of [['status'], ['status', 'claude'], ['status', '--json'], ['status', 'claude', '--json']]) {
      expect((await run(...argv)).stdout).not.toContain('secret');
    }
  });

  test('colours a terminal only, and does not shift the columns by it', async () => {
    const { daemon, run, runWith } = await arrangeCli();
    daemon.load('claude', 'at-1');
    const plain = await run('status');
    const colourful = await runWith({ isColourful: true }, 'status');
    expect(plain.stdout).not.toContain('\u001b');
    expect(colourful.stdout).toContain('\u001b[32musable\u001b[0m');
    const codes = ['\u001b[2m', '\u001b[32m', '\u001b[0m'];
    expect(codes.reduce((text, code) => text.replaceAll(code, ''), colourful.stdout)).toBe(plain.stdout);
  });

  test('with --json is the daemon’s answer as it is', async () => {
    const { daemon, get, run } = await arrangeCli();
    daemon.load('claude', 'at-1');
    expect(JSON.parse((await run('status', '--json')).stdout)).toEqual(JSON.parse((await get('/v1/credentials')).text));
    expect(JSON.parse((await run('status', 'claude', '--json')).stdout)).toEqual(
      JSON.parse((await get('/v1/credentials/claude')).text),
    );
  });

  test('with --check exits 0 when all is well, 2 when degraded or expiring, 1 when unusable', async () => {
    const { daemon, run } = await arrangeCli();
    daemon.load('claude', 'at-1', 2 * HOUR_MS);
    daemon.add('spare', { optional: true });
    daemon.load('spare', null);
    expect((await run('status', '--check')).exitCode).toBe(0);
    expect((await run('status', 'spare', '--check')).exitCode).toBe(1);
    daemon.advance(95 * MINUTE_MS);
    daemon.fail('claude');
    expect((await run('status', '--check')).exitCode).toBe(2);
    daemon.advance(HOUR_MS);
    expect((await run('status', '--check')).exitCode).toBe(1);
    expect((await run('status')).exitCode).toBe(0);
  });

  test('of one credential shows what happens next, and what a person has to do', async () => {
    const { daemon, run } = await arrangeCli();
    daemon.load('claude', 'at-1', 2 * HOUR_MS);
    daemon.advance(95 * MINUTE_MS);
    daemon.fail('claude', { code: 'invalid_grant', class: 'terminal' });
    const { stdout } = await run('status', 'claude');
    expect(stdout).toMatch(/^status +\w+, not refreshable$/m);
    expect(stdout).toMatch(/^phase +reauthorization_required \(terminal\)$/m);
    expect(stdout).toMatch(/needs a person \(terminal\): freshd login claude$/m);
  });

  test('says so when a bug keeps a credential from being tended', async () => {
    const { daemon, run } = await arrangeCli();
    daemon.load('claude', 'at-1');
    daemon.faults.claude = 'step_threw';
    const { exitCode, stdout } = await run('status', '--check');
    expect([exitCode, stdout]).toEqual([2, expect.stringContaining('step_threw')]);
  });
});

describe('freshd refresh', () => {
  test('says what came of it', async () => {
    const { daemon, run } = await arrangeCli();
    daemon.load('claude', 'at-1');
    daemon.advance(MINUTE_MS);
    expect(await run('refresh', 'claude')).toMatchObject({
      exitCode: 0,
      stdout: expect.stringContaining('nothing to do'),
    });
    expect(await run('refresh', 'claude', '--force')).toMatchObject({
      exitCode: 0,
      stdout: 'claude: a refresh has started\n',
    });
    expect(daemon.count('claude', 'begin_attempt')).toBe(1);
  });

  test('of what nothing here can refresh exits 77 with the remedy', async () => {
    const { daemon, run } = await arrangeCli();
    daemon.add('key', { method: 'static' });
    daemon.load('key', 'at-1');
    expect(await run('refresh', 'key')).toMatchObject({ exitCode: 77, stdout: expect.stringContaining('login key') });
  });

  test('F82: from inside a hook is refused, so that no loop can start', async () => {
    const { daemon, runWith } = await arrangeCli();
    daemon.load('claude', 'at-1');
    const before = daemon.events.length;
    const ran = await runWith({ env: { FRESHD_EVENT: 'published' } }, 'refresh', 'claude', '--force');
    expect([ran.exitCode, ran.stdout, daemon.events.length]).toEqual([75, '', before]);
  });
});

describe('freshd report', () => {
  test('A6: reports the present generation, and a refresh starts at once', async () => {
    const { daemon, run } = await arrangeCli();
    daemon.load('claude', 'at-1');
    daemon.advance(MINUTE_MS);
    expect((await run('report', 'claude')).stdout).toBe('claude: a refresh has started\n');
    expect(daemon.events.at(-1)?.event).toEqual({
      type: 'rejection_reported',
      generation: GENERATION,
      peer: 'command-line',
    });
  });

  test('reports the generation that is named', async () => {
    const { daemon, run } = await arrangeCli();
    daemon.load('claude', 'at-1');
    const ran = await run('report', 'claude', '--generation', String(GENERATION - 1));
    expect(ran).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('newer token') });
    expect((await run('report', 'claude', '--generation', 'latest')).exitCode).toBe(64);
  });
});

describe('freshd explain', () => {
  test('prints the daemon’s sentences, and what helps where a person is needed', async () => {
    const { daemon, get, run } = await arrangeCli();
    daemon.load('mail', null);
    const { explanation } = JSON.parse((await get('/v1/credentials/mail')).text) as { explanation: string[] };
    expect((await run('explain', 'mail')).stdout).toBe(
      [...explanation, 'what helps: freshd login mail', ''].join('\n'),
    );
  });
});

describe('freshd reload', () => {
  test('says what changed', async () => {
    const { daemon, run } = await arrangeCli();
    daemon.reloadResult = { ok: true, added: ['a', 'b'], changed: [], removed: ['c'] };
    expect(await run('reload')).toEqual({ exitCode: 0, stdout: 'added: a, b\nremoved: c\n', stderr: '' });
  });

  test('of a configuration with problems exits 78 and shows them', async () => {
    const { daemon, run } = await arrangeCli();
    daemon.reloadResult = { ok: false, problems: ['x: expected y, got z; do w'] };
    const ran = await run('reload');
    expect([ran.exitCode, ran.stdout]).toEqual([78, '']);
    expect(ran.stderr).toContain('x: expected y, got z; do w');
  });
});

describe('freshd check', () => {
  function configuration(text: string): string {
    const directory = join(temporaryDirectory(), 'freshd');
    mkdirSync(directory, { mode: 0o700 });
    const path = join(directory, 'config.json');
    writeFileSync(path, text, { mode: 0o600 });
    chmodSync(path, 0o600);
    return path;
  }
  const uid = process.getuid?.() ?? null;

  test('of a sound configuration exits 0', async () => {
    const path = configuration(`{ "credentials": { "key": { "static": "\${env:KEY}" } } }`);
    const ran = await runIn({ uid, env: { KEY: 'secret' } }, 'check', '--config', path);
    expect(ran).toMatchObject({ exitCode: 0, stderr: '' });
    expect(ran.stdout).toMatch(`${path}: valid, 1 credential\n`);
    expect(ran.stdout).not.toContain('secret');
  });

  test.each([
    ['broken JSON', '{ "credentials": '],
    ['an unknown key', '{ "credentials": {}, "credential": {} }'],
  ])('of %s exits 78, with nothing on standard output', async (_, text) => {
    const ran = await runIn({ uid }, 'check', '--config', configuration(text));
    expect([ran.exitCode, ran.stdout]).toEqual([78, '']);
    expect(ran.stderr).not.toBe('');
  });
});

test('help and version go to standard output and exit 0', async () => {
  const help = await runIn({}, 'token', '--help');
  expect(help).toMatchObject({ exitCode: 0, stderr: '', stdout: expect.stringContaining('--min-valid') });
  expect(await runIn({}, '--version')).toMatchObject({
    exitCode: 0,
    stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/),
  });
});

describe('an error that nobody handles', () => {
  const failing = (error: Error) => {
    const input = (): never => {
      throw error;
    };
    return runIn({ input }, 'classify', '--context', 'api');
  };

  test.each([
    ['EMFILE', 'ulimit -n'],
    ['ENFILE', 'fs.file-max'],
    ['ENOMEM', 'memory'],
  ])('is the system’s refusal when it is %s: 71, with the remedy', async (code, remedy) => {
    const error = Object.assign(new Error(`${code}: refused, open '/somewhere'`), { code });
    const ran = await failing(error);
    expect(ran).toMatchObject({ exitCode: 71, stdout: '' });
    expect(ran.stderr).toMatch(`freshd: the system refused (${code}); `);
    expect(ran.stderr).toContain(remedy);
    expect(ran.stderr).not.toContain('a bug');
  });

  test('is a bug otherwise: 70, with the place', async () => {
    const ran = await failing(new TypeError('unforeseen'));
    expect(ran).toMatchObject({ exitCode: 70, stdout: '' });
    expect(ran.stderr).toMatch(/^freshd: a bug: TypeError: unforeseen\n +at /);
  });
});

describe('chains on the command line', () => {
  async function arrangeFallback() {
    const arranged = await arrangeCli();
    const { daemon } = arranged;
    daemon.add('claude');
    daemon.add('key', { method: 'static' });
    await daemon.addChain('any', 'claude', 'key');
    daemon.load('claude', 'at-1', 2 * HOUR_MS);
    daemon.load('key', 'k-1', 10_000 * HOUR_MS);
    return arranged;
  }

  const expire = ({ daemon }: Awaited<ReturnType<typeof arrangeFallback>>): void => {
    daemon.advance(90 * MINUTE_MS);
    daemon.fail('claude', { code: 'invalid_grant', class: 'terminal' });
    daemon.advance(30 * MINUTE_MS);
    daemon.advance(MINUTE_MS);
  };

  test('C2: status shows who is in use, since when, and for whom it stands in', async () => {
    const arranged = await arrangeFallback();
    expire(arranged);
    const { stdout } = await arranged.run('status');
    expect(stdout).toMatch(/^CHAIN {2}IN USE {2}SINCE +MEMBERS$/m);
    expect(stdout).toMatch(/^any {4}key {5}1 min ago \(.*\) +claude, key$/m);
    expect(stdout).toMatch(/^any: key stands in for claude: terminal \(invalid_grant\)$/m);
    expect(stdout).not.toContain('any: claude');
    const detail = await arranged.run('status', 'any');
    expect(detail.stdout).toMatch(/^in use {6}key$/m);
    expect(detail.stdout).toMatch(/^member {6}claude: terminal \(invalid_grant\)$/m);
    expect(detail.stdout).toMatch(/^claude needs a person: freshd login claude$/m);
    expect(JSON.parse((await arranged.run('status', 'any', '--json')).stdout)).toMatchObject({ credential: 'key' });
  });

  test('D4: --check is degraded while a fallback serves, and unusable only when none does', async () => {
    const arranged = await arrangeFallback();
    const exits = async () => [
      (await arranged.run('status', '--check')).exitCode,
      (await arranged.run('status', 'any', '--check')).exitCode,
    ];
    expect(await exits()).toEqual([0, 0]);
    expire(arranged);
    expect(await exits()).toEqual([2, 2]);
    arranged.daemon.advance(10_001 * HOUR_MS);
    expect(await exits()).toEqual([1, 1]);
    expect((await arranged.run('status')).stdout).toMatch(/^any: no member is usable$/m);
  });

  test('explain tells the story of a chain, with what helps', async () => {
    const arranged = await arrangeFallback();
    expire(arranged);
    expect((await arranged.run('explain', 'any')).stdout.split('\n')).toEqual([
      'any: key is in use for 1 min',
      'instead of claude: terminal (invalid_grant)',
      'claude: terminal (invalid_grant); skipped',
      'key: in use',
      'what helps: claude: freshd login claude',
      '',
    ]);
  });

  test('token and report take the name of a chain', async () => {
    const { run } = await arrangeFallback();
    expect((await run('token', 'any')).stdout).toBe('at-1\n');
    expect((await run('report', 'any')).exitCode).toBe(0);
    expect((await run('token', 'any')).stdout).toBe('k-1\n');
  });

  test('check counts chains', async () => {
    const home = temporaryDirectory();
    const path = join(home, 'config.json');
    const credentials = { key: { store: { format: 'text', path: 'key' }, refresh: { follow: true } } };
    writeFileSync(path, JSON.stringify({ credentials, chains: { any: ['key'] } }), { mode: 0o600 });
    chmodSync(home, 0o700);
    const { stdout, stderr } = await runIn({ home, uid: process.geteuid?.() ?? 0 }, 'check', '--config', path);
    expect([stdout.split('\n')[0], stderr]).toEqual([`${path}: valid, 1 credential, 1 chain`, '']);
  });
});
