/** `freshd doctor`: what it finds, in words that help; nothing where nothing is wrong. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { arrangeCli, runIn } from './arrange.ts';

/** In memory, as a runtime directory is. */
function folder(): string {
  const directory = mkdtempSync('/dev/shm/freshd-doctor-');
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

function configure(directory: string, changes: object = {}): string {
  const path = join(directory, 'config.json');
  const demo = { store: { format: 'token-response', path: 'demo.json' }, refresh: { follow: true } };
  const alerts = { sinks: [{ type: 'log' }] };
  writeFileSync(path, JSON.stringify({ stateDirectory: 'state', alerts, credentials: { demo }, ...changes }), {
    mode: 0o600,
  });
  return path;
}

test('finds nothing where nothing is wrong', async () => {
  const { daemon, runWith } = await arrangeCli();
  daemon.load('demo', 'at-1');
  const directory = folder();
  daemon.configPath = configure(directory);
  mkdirSync(join(directory, 'state/run'), { recursive: true });
  const ran = await runWith({ home: directory }, 'doctor', '--config', daemon.configPath);
  expect(ran).toEqual({ exitCode: 0, stdout: 'nothing found: all is well\n', stderr: '' });
});

test('D4: names a daemon that does not run, with the command that starts it', async () => {
  const path = configure(folder());
  const { exitCode, stdout } = await runIn({}, 'doctor', '--config', path);
  expect(exitCode).toBe(1);
  expect(stdout).toMatch(
    /^problem no daemon answers on .*; start it with: freshd run --config (\S+); as a service: freshd service install --config \1$/m,
  );
});

test('without a daemon looks itself whether the logins are there', async () => {
  const directory = folder();
  const grant = { tokenEndpoint: 'https://as.example/token', clientId: 'c' };
  const mine = { store: { format: 'token-response', path: 'mine.json' }, refresh: { oauth: grant } };
  const demo = { store: { format: 'token-response', path: 'demo.json' }, refresh: { follow: true } };
  const path = configure(directory, { credentials: { demo, mine } });
  const expected = (name: string, remedy: string) =>
    `problem ${name}: expected a login that can be read at ${directory}/${name}.json, got ENOENT; ${remedy}\n`;
  const missing = await runIn({}, 'doctor', '--config', path);
  expect(missing.stdout).toContain(expected('demo', 'log in with the tool that keeps it there'));
  expect(missing.stdout).toContain(expected('mine', 'freshd login mine'));
  writeFileSync(join(directory, 'demo.json'), '{}', { mode: 0o600 });
  expect((await runIn({}, 'doctor', '--config', path)).stdout).not.toContain('problem demo');
});

test('F37: names own state that could not be understood and was kept, until it is removed', async () => {
  const { daemon, runWith } = await arrangeCli();
  daemon.load('demo', 'at-1');
  const directory = folder();
  daemon.configPath = configure(directory);
  const [memories, journals] = ['credentials', 'journal'].map((part) => join(directory, 'state', part));
  for (const part of [join(directory, 'state/run'), memories, journals]) mkdirSync(String(part), { recursive: true });
  const kept = [join(String(memories), 'demo.json.broken-1'), join(String(journals), 'demo.journal.broken-2')];
  for (const path of [...kept, join(String(journals), 'demo.journal')]) writeFileSync(path, '');
  const examine = () => runWith({ home: directory }, 'doctor', '--config', daemon.configPath);
  const { exitCode, stdout } = await examine();
  const lines = kept.map(
    (path) =>
      `advice own_state_set_aside: expected own state that is whole, got ${path}; look for disk errors or another program at that time, then remove what you no longer need\n`,
  );
  expect([exitCode, stdout]).toEqual([0, lines.join('')]);
  for (const path of kept) rmSync(path);
  expect((await examine()).stdout).toBe('nothing found: all is well\n');
});

// Close to the end of the token's life, where an attempt is due.
test('D3: names a credential that needs a person, with the remedy, and never its token', async () => {
  const { daemon, runWith } = await arrangeCli();
  daemon.load('demo', 'at-secret', 7_200_000);
  daemon.advance(7_200_000 - 60_000);
  daemon.fail('demo', { code: 'invalid_grant', class: 'terminal' });
  daemon.configPath = configure(folder());
  const { exitCode, stdout } = await runWith({}, 'doctor', '--config', daemon.configPath);
  expect(exitCode).toBe(1);
  expect(stdout).toMatch(/^problem demo: needs a person \(.*\): freshd login demo$/m);
  expect(stdout).not.toContain('at-secret');
});

test('D4: names a daemon that answers while its scheduler stands still', async () => {
  const { daemon, runWith } = await arrangeCli();
  daemon.load('demo', 'at-1');
  daemon.configPath = configure(folder());
  daemon.sleep(3 * 60_000);
  const { exitCode, stdout } = await runWith({}, 'doctor', '--config', daemon.configPath);
  expect([exitCode, stdout]).toEqual([1, expect.stringMatching(/^problem stalled: /m)]);
});

test('names another version, another configuration, and token files that lie on a disk', async () => {
  const { daemon, runWith } = await arrangeCli();
  daemon.load('demo', 'at-1');
  daemon.version = '0.0.7';
  const directory = mkdtempSync(join(process.cwd(), 'dist/freshd-doctor-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const path = configure(directory);
  mkdirSync(join(directory, 'state/run'), { recursive: true });
  const { exitCode, stdout } = await runWith({}, 'doctor', '--config', path);
  expect(exitCode).toBe(0);
  expect(stdout).toMatch(/^advice the daemon is version 0\.0\.7, this command /m);
  expect(stdout).toMatch(/^advice the daemon runs on \/etc\/freshd\/config\.json, and this is about /m);
  expect(stdout).toMatch(/^advice token_files_on_disk: /m);
});

test('F76: a configuration that cannot be loaded ends in 78, with every problem', async () => {
  const path = configure(folder(), { surprise: 1 });
  const { exitCode, stdout } = await runIn({}, 'doctor', '--config', path);
  expect(exitCode).toBe(78);
  expect(stdout).toMatch(/^problem .*surprise/m);
});

test('F76: a program that only the PATH of a login knows is advice', async () => {
  const directory = folder();
  mkdirSync(join(directory, 'bin'));
  writeFileSync(join(directory, 'bin/my-refresh'), '#!/bin/sh\n', { mode: 0o755 });
  const store = { format: 'token-response', path: 'demo.json' };
  const path = configure(directory, { credentials: { demo: { store, refresh: { command: ['my-refresh'] } } } });
  const { stdout } = await runIn({ env: { PATH: join(directory, 'bin') } }, 'doctor', '--config', path);
  expect(stdout).toMatch(/^advice program_only_on_login_path: .*a service does not have the PATH of your login/m);
});
