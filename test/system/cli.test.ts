/**
 * The command line as users run it: the built program, its start, its streams and its end.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, onTestFinished, test } from 'vitest';
import { arrange, temporaryDirectory } from '../api/arrange.ts';

const PROGRAM = fileURLToPath(new URL('../../bin/freshd.js', import.meta.url));

interface Ended {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function start(argv: readonly string[], options: { env?: NodeJS.ProcessEnv; program?: string } = {}) {
  const { program = PROGRAM, env = {} } = options;
  const child = spawn(process.execPath, [program, ...argv], {
    env: { PATH: process.env.PATH, HOME: '/nonexistent/home', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const ended = new Promise<Ended>((resolve) => {
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk) => {
      stdout += String(chunk);
    });
    child.stderr.on('data', (chunk) => {
      stderr += String(chunk);
    });
    child.on('close', (exitCode) => resolve({ exitCode, stdout, stderr }));
  });
  return { child, ended };
}

const run = (argv: readonly string[], options?: Parameters<typeof start>[1]): Promise<Ended> =>
  start(argv, options).ended;

describe('the built program', () => {
  test('prints a token on a pipe and ends', async () => {
    const { daemon, socketPath } = await arrange();
    daemon.load('claude', 'at-1');
    expect(await run(['token', 'claude', '--socket', socketPath])).toEqual({
      exitCode: 0,
      stdout: 'at-1\n',
      stderr: '',
    });
  });

  test('shows status, and finds the socket by the environment', async () => {
    const { daemon, socketPath } = await arrange();
    daemon.load('claude', 'at-1');
    const ended = await run(['status'], { env: { FRESHD_SOCKET: socketPath } });
    expect(ended).toMatchObject({ exitCode: 0, stderr: '', stdout: expect.stringMatching(/^claude +usable/m) });
  });

  test.each([
    [69, ['status', '--socket', '/nonexistent/freshd.sock']],
    [64, ['token']],
    [78, ['run', '--config', '/nonexistent/config.json']],
    [78, ['check', '--config', '/nonexistent/config.json']],
  ])('exits %i for %j, with one line on standard error', async (exitCode, argv) => {
    const ended = await run(argv);
    expect([ended.exitCode, ended.stdout]).toEqual([exitCode, '']);
    expect(ended.stderr.trimEnd()).toMatch(/^[^\n]+$/);
  });

  test('is not upset by a reader that leaves early', async () => {
    const { daemon, socketPath } = await arrange();
    for (let n = 0; n < 300; n += 1) daemon.load(`credential-${n}`, `at-${n}`);
    const { child, ended } = start(['status', '--json', '--socket', socketPath]);
    child.stdout.destroy();
    expect(await ended).toMatchObject({ exitCode: 0, stderr: '' });
  });

  test('loads neither framework nor schema for a token or a status', async () => {
    const { daemon, socketPath } = await arrange();
    daemon.load('claude', 'at-1');
    const program = join(temporaryDirectory(), 'traced.mjs');
    const hook = `import { writeSync } from 'node:fs';
      export async function resolve(specifier, context, next) {
        const found = await next(specifier, context);
        if (found.url.includes('/node_modules/')) writeSync(2, found.url + '\\n');
        return found;
      }`;
    writeFileSync(
      program,
      `import { register } from 'node:module';
       register('data:text/javascript,' + encodeURIComponent(${JSON.stringify(hook)}));
       const { main } = await import(${JSON.stringify(new URL('../../dist/cli/main.js', import.meta.url).href)});
       await main();`,
    );
    for (const argv of [['token', 'claude'], ['status'], ['status', 'claude']]) {
      const ended = await run([...argv, '--socket', socketPath], { program });
      expect(ended).toMatchObject({ exitCode: 0, stderr: '' });
    }
    const control = await run(['check', '--config', '/nonexistent'], { program });
    expect(control.stderr).toMatch(/node_modules\/commander.*node_modules\/zod/s);
  });

  test('says what to do when it was not built', async () => {
    const directory = temporaryDirectory();
    mkdirSync(join(directory, 'bin'));
    writeFileSync(join(directory, 'package.json'), '{ "type": "module" }');
    copyFileSync(PROGRAM, join(directory, 'bin', 'freshd.js'));
    copyFileSync(join(dirname(PROGRAM), 'package.json'), join(directory, 'bin', 'package.json'));
    const ended = await run([], { program: join(directory, 'bin', 'freshd.js') });
    expect(ended).toEqual({
      exitCode: 70,
      stdout: '',
      stderr: 'freshd: not built yet (dist/cli/main.js is missing); run: npm run build\n',
    });
  });
});

describe('freshd run', () => {
  test('serves its socket until SIGTERM, and the other commands find it by the same configuration', async () => {
    const home = temporaryDirectory();
    const directory = join(home, 'freshd');
    mkdirSync(directory, { mode: 0o700 });
    const config = join(directory, 'config.json');
    const credentials = { key: { static: `\${env:KEY}` } };
    writeFileSync(config, JSON.stringify({ stateDirectory: 'state', credentials }), { mode: 0o600 });
    const env = { HOME: home, KEY: 'at-static', FRESHD_CONFIG: config };
    const daemon = start(['run'], { env });
    let answer = await run(['token', 'key'], { env });
    while (answer.exitCode === 69 && daemon.child.exitCode === null) answer = await run(['token', 'key'], { env });
    expect(answer).toEqual({ exitCode: 0, stdout: 'at-static\n', stderr: '' });
    expect(await run(['status', '--check'], { env })).toMatchObject({ exitCode: 0 });
    expect(await run(['reload'], { env })).toMatchObject({ exitCode: 0, stdout: 'nothing changed\n' });
    const second = await run(['run'], { env });
    expect(second).toMatchObject({ exitCode: 75, stderr: expect.stringContaining(String(daemon.child.pid)) });
    daemon.child.kill('SIGTERM');
    const [exitCode] = (await once(daemon.child, 'exit')) as [number | null];
    expect(exitCode).toBe(0);
    const ended = await daemon.ended;
    expect(`${ended.stdout}${ended.stderr}`).not.toContain('at-static');
    expect((await run(['token', 'key'], { env })).exitCode).toBe(69);
  });
});
