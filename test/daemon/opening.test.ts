import { describe, expect, test } from 'vitest';
import { asksForInspector, findOpening } from '../../src/daemon/opening.ts';

const SERVICE = { env: { SYSTEMD_EXEC_PID: '7' }, execArgv: [], pid: 7 };

describe('a service', () => {
  test.each([
    [{ execArgv: ['--inspect=127.0.0.1:9229'] }, '--inspect in the arguments of node'],
    [{ execArgv: ['--inspect-brk'] }, '--inspect-brk in the arguments of node'],
    [
      { env: { ...SERVICE.env, NODE_OPTIONS: '--max-old-space-size=99 --require /tmp/x.js' } },
      '--require in NODE_OPTIONS',
    ],
    [{ env: { ...SERVICE.env, NODE_OPTIONS: '-r /tmp/x.js' } }, '-r in NODE_OPTIONS'],
    [{ env: { NOTIFY_SOCKET: '@n', NODE_OPTIONS: '--import=file:///tmp/x.mjs' } }, '--import in NODE_OPTIONS'],
    [
      { env: { XPC_SERVICE_NAME: 'dev.freshd.agent', NODE_OPTIONS: '--heapsnapshot-signal=SIGUSR2' } },
      '--heapsnapshot-signal in NODE_OPTIONS',
    ],
    [{ execArgv: ['--tls-keylog=/tmp/keys'] }, '--tls-keylog in the arguments of node'],
    [
      { execArgv: ['--experimental-default-config-file'] },
      '--experimental-default-config-file in the arguments of node',
    ],
    [{ env: { ...SERVICE.env, NODE_DEBUG: 'child_process' } }, 'NODE_DEBUG in the environment'],
  ])('is not started with %j', (started, what) => {
    expect(findOpening({ ...SERVICE, ...started })).toBe(
      `expected a service that nobody can look into, got ${what}; remove it from the unit (UnsetEnvironment=NODE_OPTIONS NODE_DEBUG), or run freshd in the foreground to debug it`,
    );
  });

  test('is started with what opens nothing', () => {
    const env = { ...SERVICE.env, NODE_OPTIONS: '--max-old-space-size=99 --enable-source-maps', NODE_DEBUG: '' };
    expect(findOpening({ ...SERVICE, env, execArgv: ['--disable-sigusr1'] })).toBeNull();
  });
});

test('in the foreground a debugger is a developer’s own business', () => {
  const foreground = { env: { SYSTEMD_EXEC_PID: '1', XPC_SERVICE_NAME: '0' }, execArgv: ['--inspect'], pid: 7 };
  expect(findOpening(foreground)).toBeNull();
  expect(asksForInspector(foreground)).toBe(true);
  expect(asksForInspector({ env: {}, execArgv: [] })).toBe(false);
});
