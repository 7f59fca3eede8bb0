/** `freshd login --browser` with a browser as people have it, which opens connections ahead and asks for an icon. */
import { execFile, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { promisify } from 'node:util';
import { expect, onTestFinished, test, vi } from 'vitest';
import { startAuthorizationServer } from '../../scripts/demo-authorization-server.js';
import { createWorkshop } from './workshop.ts';

const BROWSERS = ['chromium', 'chromium-browser', 'google-chrome'];

test('a real browser brings the grant, and shows where to look next', async (ctx) => {
  const browser = BROWSERS.find((name) => spawnSync(name, ['--version']).status === 0);
  if (browser === undefined) return ctx.skip('there is no Chromium to log in with: apt-get install chromium');
  const server = await startAuthorizationServer();
  onTestFinished(() => server.close());
  const workshop = createWorkshop();
  const store = { format: 'token-response', path: 'grants/demo.json' };
  const oauth = { issuer: server.url, clientId: 'demo' };
  workshop.write('config.json', { stateDirectory: 'state', credentials: { demo: { store, refresh: { oauth } } } });

  const argv = [resolve('bin/freshd.js'), 'login', 'demo', '--browser', '--config', workshop.path('config.json')];
  const env = { PATH: process.env.PATH, HOME: workshop.directory };
  const login = spawn(process.execPath, argv, { env, stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => void login.kill('SIGKILL'));
  const ended = once(login, 'exit');
  let said = '';
  login.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  await vi.waitFor(() => expect(said).toContain('waiting'), { timeout: 30_000 });
  const address = /https?:\S+/.exec(said)?.[0] ?? '';
  const flags = ['--headless', '--no-sandbox', '--disable-gpu', `--user-data-dir=${workshop.path('profile')}`];
  const { stdout } = await promisify(execFile)(browser, [...flags, '--dump-dom', address], { env, timeout: 50_000 });
  expect(stdout).toContain('freshd has the answer; see your terminal.');
  expect(await ended).toEqual([0, null]);
  const { access_token, refresh_token } = JSON.parse(workshop.read('grants/demo.json'));
  expect([access_token, refresh_token].filter((token) => (said + stdout).includes(token))).toEqual([]);
  expect(server.state()).toMatchObject({ requests: { token: 1 }, families: [{ revoked: false }] });
});
