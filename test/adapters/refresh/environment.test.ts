import { expect, test } from 'vitest';
import { childEnvironment } from '../../../src/adapters/refresh/environment.ts';

const INHERITED = {
  PATH: '/bin',
  HOME: '/home/me',
  LC_ALL: 'C',
  XDG_RUNTIME_DIR: '/run/user/1',
  https_proxy: 'http://proxy',
  NODE_EXTRA_CA_CERTS: '/ca.pem',
  CODEX_HOME: '/home/me/.codex',
  ANTHROPIC_API_KEY: 'secret',
  GH_TOKEN: 'secret',
  NODE_OPTIONS: '--inspect',
  LD_PRELOAD: '/evil.so',
  UNSET: undefined,
};

test('a script gets what is on the allow-list, and nothing else of what freshd was started with', () => {
  expect(childEnvironment(INHERITED, {}, { withhold: [] })).toEqual({
    PATH: '/bin',
    HOME: '/home/me',
    LC_ALL: 'C',
    XDG_RUNTIME_DIR: '/run/user/1',
    https_proxy: 'http://proxy',
    NODE_EXTRA_CA_CERTS: '/ca.pem',
    CODEX_HOME: '/home/me/.codex',
  });
});

test('what the user routes to it is added, and wins', () => {
  const environment = childEnvironment({ PATH: '/bin' }, { PATH: '/opt/bin', CLIENT_ID: 'x' }, { withhold: [] });
  expect(environment).toEqual({ PATH: '/opt/bin', CLIENT_ID: 'x' });
});

test('a published variable never reaches it, however it is named', () => {
  const routed = { ANTHROPIC_API_KEY: 'old', XDG_TOKEN: 'old', KEPT: 'yes' };
  const environment = childEnvironment({ XDG_TOKEN: 'old' }, routed, { withhold: ['ANTHROPIC_API_KEY', 'XDG_TOKEN'] });
  expect(environment).toEqual({ KEPT: 'yes' });
});
