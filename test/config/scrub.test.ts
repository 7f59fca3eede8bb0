import { spawnSync } from 'node:child_process';
import { expect, onTestFinished, test } from 'vitest';
import { isAllowed } from '../../src/adapters/refresh/environment.ts';
import { scrubEnvironment } from '../../src/config/load.ts';

test('a program that is started without an environment of its own gets none of what only freshd was to know', () => {
  const before = { ...process.env };
  onTestFinished(() => void Object.assign(process.env, before));
  process.env.MAIL_SECRET = 'a secret';
  process.env.NOTIFY_SOCKET = '@nobody';
  process.env.LC_TIME = 'C';
  scrubEnvironment(isAllowed);
  const { stdout } = spawnSync('env', { encoding: 'utf8' });
  expect(stdout).toMatch(/^LC_TIME=C$/m);
  expect(stdout).toMatch(/^PATH=/m);
  expect(stdout).not.toMatch(/MAIL_SECRET|a secret|NOTIFY_SOCKET/);
});
