import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { CommandIo } from '../../src/cli/command.ts';
import { socketPlaces } from '../../src/cli/socket-place.ts';
import { arrange, temporaryDirectory } from '../api/arrange.ts';
import { runIn } from './arrange.ts';

function placesOf(io: Partial<CommandIo>, options: Record<string, string> = {}): readonly string[] {
  const home = io.home ?? '/home/u';
  const nothing = (): void => undefined;
  return socketPlaces(
    { name: undefined, words: [], rest: [], options },
    {
      env: {},
      cwd: '/cwd',
      platform: 'linux',
      uid: 1000,
      isColourful: false,
      nowMs: () => 0,
      write: nothing,
      complain: nothing,
      ...io,
      home,
    },
  );
}

function configuration(config: unknown): string {
  const directory = temporaryDirectory();
  const path = join(directory, 'config.json');
  writeFileSync(path, typeof config === 'string' ? config : JSON.stringify(config));
  return path;
}

describe('the daemon’s socket is looked for', () => {
  test('where --socket says, and nowhere else', () => {
    const env = { FRESHD_SOCKET: '/env.sock', XDG_RUNTIME_DIR: '/run/user/1' };
    expect(placesOf({ env }, { socket: 'here.sock' })).toEqual(['/cwd/here.sock']);
    expect(placesOf({ env })).toEqual(['/env.sock']);
  });

  test('where the configuration says, from its folder or from home', () => {
    const path = configuration({ socket: { path: 'run/f.sock' } });
    expect(placesOf({}, { config: path })).toEqual([join(path, '..', 'run/f.sock')]);
    const ofHome = configuration({ socket: { path: '~/f.sock' } });
    expect(placesOf({ env: { FRESHD_CONFIG: ofHome } })).toEqual(['/home/u/f.sock']);
  });

  test('in the usual places otherwise: runtime directory, state directory, that of a system service', () => {
    expect(placesOf({ env: { XDG_RUNTIME_DIR: '/run/user/1' } })).toEqual([
      '/run/user/1/freshd/freshd.sock',
      '/home/u/.local/state/freshd/freshd.sock',
      '/run/freshd/freshd.sock',
    ]);
    expect(placesOf({ env: { RUNTIME_DIRECTORY: '/run/freshd' } })[0]).toBe('/run/freshd/freshd.sock');
    const path = configuration({ stateDirectory: '/srv/state' });
    expect(placesOf({}, { config: path })[0]).toBe('/srv/state/freshd.sock');
  });

  test('in the usual places although the configuration is broken: a daemon may run from before the mistake', () => {
    for (const config of ['{ broken', 'null', '[]', '{"socket":null}', '{"socket":{"path":7}}']) {
      expect(placesOf({}, { config: configuration(config) })[0]).toBe('/home/u/.local/state/freshd/freshd.sock');
    }
  });

  test('not at all when the configuration that was named is not there', async () => {
    const ran = await runIn({}, 'token', 'claude', '--config', '/nonexistent/config.json');
    expect([ran.exitCode, ran.stdout]).toEqual([78, '']);
    expect(ran.stderr).toContain('/nonexistent/config.json');
  });
});

describe('without a daemon', () => {
  test.each([['token', 'x'], ['status'], ['refresh', 'x'], ['report', 'x'], ['explain', 'x'], ['reload']])(
    'freshd %s exits 69 and says how to start one',
    async (...argv) => {
      const ran = await runIn({ env: { FRESHD_SOCKET: '/nonexistent/freshd.sock' } }, ...argv.filter(Boolean));
      expect(ran).toEqual({
        exitCode: 69,
        stdout: '',
        stderr: 'freshd: no daemon answers on /nonexistent/freshd.sock; start it with: freshd run\n',
      });
    },
  );

  test('a stale socket in one usual place does not hide a daemon in the next', async () => {
    const home = temporaryDirectory();
    const runtime = join(home, 'run', 'freshd');
    mkdirSync(runtime, { recursive: true });
    writeFileSync(join(runtime, 'freshd.sock'), '');
    const { daemon } = await arrange({ socketPath: join(home, '.local/state/freshd/freshd.sock') });
    daemon.load('claude', 'at-1');
    const ran = await runIn({ home, env: { XDG_RUNTIME_DIR: join(home, 'run') } }, 'token', 'claude');
    expect(ran).toEqual({ exitCode: 0, stdout: 'at-1\n', stderr: '' });
  });

  test('a program on the socket that is not freshd is an error, not an answer', async () => {
    const socketPath = join(temporaryDirectory(), 'other.sock');
    const other = createServer((socket) => socket.end('hello\n')).listen(socketPath);
    onTestFinished(() => {
      other.close();
      rmSync(socketPath, { force: true });
    });
    const ran = await runIn({ env: { FRESHD_SOCKET: socketPath } }, 'token', 'claude');
    expect([ran.exitCode, ran.stdout]).toEqual([74, '']);
  });
});

describe('on Windows', () => {
  const windows = { platform: 'win32' as const, home: 'C:\\Users\\Ann O', uid: null };

  test('A17: it is a named pipe of that user, and no other place is tried; not run on Windows by these tests', () => {
    expect(placesOf(windows)).toEqual(['\\\\.\\pipe\\freshd-Ann-O']);
  });

  test('a pipe that somebody names is taken as it stands', () => {
    const named = '\\\\.\\pipe\\mine';
    expect(placesOf(windows, { socket: named })).toEqual([named]);
    expect(placesOf({ ...windows, env: { FRESHD_SOCKET: named } })).toEqual([named]);
    const path = configuration({ socket: { path: named } });
    expect(placesOf(windows, { config: path })).toEqual([named]);
  });
});
