/**
 * Twenty processes that need the same grant at once: who comes first sends the only request, all others end with what it brought.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, renameSync } from 'node:fs';
import { resolve } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import type { AuthorizationServer } from '../../scripts/demo-authorization-server.js';
import { configure, demo, eventually, minutes, startServer } from './arrange.ts';
import { createWorkshop, type Workshop } from './workshop.ts';

const run = promisify(execFile);
const LIFE_SECONDS = 600;
/** With this much life left the daemon refreshes, and so do the tools. */
const MARGIN_SECONDS = 10;
/** What is left when the need arises, for all at the same moment. */
const LEFT_MS = 2_000;
const DEFAULTS = { refreshMarginMinutes: minutes(MARGIN_SECONDS), refreshTimeoutSeconds: 30 };

const digest = (text: string) => createHash('sha256').update(text).digest('hex');

/** What each of so many `freshd refresh` is told, and then the token it can read. */
async function commands(workshop: Workshop, count: number): Promise<readonly string[]> {
  const freshd = (...args: string[]) => {
    const argv = [resolve('bin/freshd.js'), ...args, '--config', workshop.path('config.json')];
    const env = { PATH: process.env.PATH, HOME: workshop.directory };
    return run(process.execPath, argv, { cwd: workshop.directory, env });
  };
  const one = async () => {
    await freshd('refresh', 'grant');
    const { stdout } = await freshd('token', 'grant', '--min-valid', '60s', '--wait', '30s');
    return digest(stdout.trim());
  };
  return await Promise.all(Array.from({ length: count }, one));
}

function tools(workshop: Workshop, server: AuthorizationServer, count: number): Promise<readonly string[]> {
  const argv = [
    resolve('test/fixtures/foreign-tool.js'),
    workshop.path('.claude/.credentials.json'),
    server.tokenEndpoint,
    String(MARGIN_SECONDS * 1_000),
  ];
  const one = async () => (await run(process.execPath, argv)).stdout.trim();
  return Promise.all(Array.from({ length: count }, one));
}

test('F53: a daemon, nine commands and ten tools that take the locks of Claude Code make one request', {
  timeout: 120_000,
}, async () => {
  const server = await startServer(LIFE_SECONDS);
  server.delay({ milliseconds: 300 });
  const workshop = createWorkshop();
  const oauth = { tokenEndpoint: server.tokenEndpoint, clientId: 'demo' };
  const store = { format: 'claude-code', path: '.claude/.credentials.json' };
  configure(workshop, { grant: { store, refresh: { oauth } } }, DEFAULTS);
  mkdirSync(workshop.path('.claude'), { mode: 0o700 });
  const { access_token: accessToken, refresh_token: refreshToken } = server.seed();
  const endsIn = (ms: number) => {
    const login = { accessToken, refreshToken, expiresAt: Date.now() + ms, scopes: ['user:inference'] };
    workshop.write('next.json', { claudeAiOauth: login });
    renameSync(workshop.path('next.json'), workshop.path('.claude/.credentials.json'));
  };
  endsIn(LIFE_SECONDS * 1_000);
  await workshop.start().ready();
  const ended = tools(workshop, server, 10);
  const waiting = () => readdirSync(workshop.directory).filter((name) => name.startsWith('ready-')).length;
  await Promise.race([ended, eventually(() => waiting() === 10)]);
  endsIn(LEFT_MS);
  const [deeds, tokens] = await Promise.all([ended, commands(workshop, 9)]);

  expect(server.state().requests).toMatchObject({ token: 1, refreshed: 1, refused: 0 });
  const { claudeAiOauth } = JSON.parse(workshop.read('.claude/.credentials.json'));
  expect(claudeAiOauth).toMatchObject({ scopes: ['user:inference'] });
  expect(claudeAiOauth.accessToken).not.toBe(accessToken);
  const brought = digest(claudeAiOauth.accessToken);
  expect(deeds.map((deed) => deed.split(' ')[1])).toEqual(Array(10).fill(brought));
  expect(tokens).toEqual(Array(9).fill(brought));
});

/** How the grant is refreshed: by freshd itself, or by a script that knows nothing of locks. */
const WAYS: readonly [string, (server: AuthorizationServer) => object][] = [
  ['the native grant', ({ tokenEndpoint }) => ({ oauth: { tokenEndpoint, clientId: 'demo' } })],
  ['a script', (server) => demo(server).refresh],
];

test.each(WAYS)(
  'F53: two daemons of one user, with state, sockets and runtime directories of their own, make one request by %s',
  { timeout: 120_000 },
  async (_name, refreshBy) => {
    const server = await startServer(LIFE_SECONDS);
    server.delay({ milliseconds: 300 });
    const workshop = createWorkshop();
    const store = { format: 'token-response', path: 'grant.json' };
    for (const name of ['one', 'other']) {
      const socket = { path: `${name}.sock` };
      configure(workshop, { grant: { store, refresh: refreshBy(server) } }, DEFAULTS, { stateDirectory: name, socket });
      renameSync(workshop.path('config.json'), workshop.path(`${name}.json`));
    }
    workshop.write('grant.json', { ...server.seed(), obtained_at: Math.floor(Date.now() / 1_000) - LIFE_SECONDS });
    const daemons = ['one', 'other'].map((name) => workshop.start('--config', `${name}.json`));
    const outcomes = ['refresh_succeeded', 'token_adopted'];
    const ends = await Promise.all(daemons.map((daemon) => daemon.until(({ event }) => outcomes.includes(event))));
    expect(ends.map(({ event }) => event).sort()).toEqual(outcomes);
    expect(server.state().requests).toMatchObject({ token: 1, refreshed: 1, refused: 0 });
  },
);

test.each(WAYS)(
  'F53: a daemon and nineteen commands on a store of our own make one request by %s',
  { timeout: 120_000 },
  async (_name, refreshBy) => {
    const server = await startServer(LIFE_SECONDS);
    server.delay({ milliseconds: 300 });
    const workshop = createWorkshop();
    const store = { format: 'token-response', path: 'grant.json' };
    configure(workshop, { grant: { store, refresh: refreshBy(server) } }, DEFAULTS);
    const login = server.seed();
    const endsIn = (ms: number) => {
      const obtained_at = Math.floor((Date.now() + ms) / 1_000) - LIFE_SECONDS;
      workshop.write('next.json', { ...login, obtained_at });
      renameSync(workshop.path('next.json'), workshop.path('grant.json'));
    };
    endsIn(LIFE_SECONDS * 1_000);
    await workshop.start().ready();
    endsIn(LEFT_MS);
    const tokens = await commands(workshop, 19);

    expect(server.state().requests).toMatchObject({ token: 1, refreshed: 1, refused: 0 });
    const brought = digest(JSON.parse(workshop.read('grant.json')).access_token);
    expect(tokens).toEqual(Array(19).fill(brought));
  },
);
