import { describe, expect, test } from 'vitest';
import { SOCKET_PATH_BYTES_MAX } from '../../src/api/protocol.ts';
import {
  type Capture,
  lockPlaces,
  runtimeDirectory,
  socketPath,
  socketPathBytesMax,
  stateDirectory,
} from '../../src/config/paths.ts';

const captured = (env: Capture['env'], extra: Partial<Capture> = {}): Capture => ({
  env,
  home: '/home/me',
  cwd: '/work',
  platform: 'linux',
  uid: 1000,
  machineId: 'a-machine',
  ...extra,
});

describe('the order of places', () => {
  test('of the state directory', () => {
    const env = { STATE_DIRECTORY: '/var/lib/one:/var/lib/two', XDG_STATE_HOME: '/xdg' };
    expect(stateDirectory('/configured', captured(env))).toBe('/configured');
    expect(stateDirectory(undefined, captured(env))).toBe('/var/lib/one');
    expect(stateDirectory(undefined, captured({ XDG_STATE_HOME: '/xdg' }))).toBe('/xdg/freshd');
    expect(stateDirectory(undefined, captured({ XDG_STATE_HOME: 'not/absolute' }))).toBe(
      '/home/me/.local/state/freshd',
    );
    expect(stateDirectory(undefined, captured({}, { uid: 0 }))).toBe('/var/lib/freshd');
    expect(stateDirectory(undefined, captured({}, { platform: 'darwin' }))).toBe(
      '/home/me/Library/Application Support/freshd',
    );
  });

  test('of the runtime directory', () => {
    expect(runtimeDirectory('/state', captured({ RUNTIME_DIRECTORY: '/run/freshd', XDG_RUNTIME_DIR: '/xdg' }))).toBe(
      '/run/freshd',
    );
    expect(runtimeDirectory('/state', captured({ XDG_RUNTIME_DIR: '/xdg' }))).toBe('/xdg/freshd');
    expect(runtimeDirectory('/state', captured({}))).toBe('/state/run');
  });

  test('of the locks of stores: those of the user, the same for each of his daemons', () => {
    const env = { RUNTIME_DIRECTORY: '/run/freshd', XDG_RUNTIME_DIR: '/xdg', XDG_STATE_HOME: '/state' };
    const atHome = { base: '/home/me', below: '.local/state/freshd/locks' };
    expect(lockPlaces(captured(env, { uid: 1000 }))).toEqual([
      { base: '/run/user/1000', below: 'freshd/locks' },
      atHome,
    ]);
    expect(lockPlaces(captured(env, { platform: 'freebsd', uid: 1000 }))).toEqual([atHome]);
    expect(lockPlaces(captured({}, { platform: 'darwin' }))).toEqual([
      { base: '/home/me', below: 'Library/Application Support/freshd/locks' },
    ]);
    expect(lockPlaces(captured({}, { uid: null }))).toEqual([]);
  });

  test('of the socket', () => {
    const env = { FRESHD_SOCKET: 'env.sock', RUNTIME_DIRECTORY: '/run/freshd', XDG_RUNTIME_DIR: '/xdg' };
    const place = (option: string | undefined, configured: string | undefined, given: Capture['env']): string =>
      socketPath({ option, configured, stateDirectory: '/state' }, captured(given));
    expect(place('~/option.sock', '/configured.sock', env)).toBe('/home/me/option.sock');
    expect(place(undefined, '/configured.sock', env)).toBe('/work/env.sock');
    expect(place(undefined, '/configured.sock', { ...env, FRESHD_SOCKET: '' })).toBe('/configured.sock');
    expect(place(undefined, undefined, { ...env, FRESHD_SOCKET: '' })).toBe('/run/freshd/freshd.sock');
    expect(place(undefined, undefined, { XDG_RUNTIME_DIR: '/xdg' })).toBe('/xdg/freshd/freshd.sock');
    expect(place(undefined, undefined, {})).toBe('/state/freshd.sock');
  });
});

test('the limit of a socket path is the one that the socket itself keeps to', () => {
  for (const platform of ['linux', 'darwin'] as const) {
    expect(socketPathBytesMax(platform)).toBe(SOCKET_PATH_BYTES_MAX[platform]);
  }
});
