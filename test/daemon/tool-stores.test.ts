/** Whole attempts on the files of real tools: whose locks are held when, and whose login is taken. */
import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import lockfile from 'proper-lockfile';
import { expect, onTestFinished, test } from 'vitest';
import { createDirectoryWatches } from '../../src/adapters/stores/directory-watch.ts';
import { createStore } from '../../src/adapters/stores/registry.ts';
import { epochMs } from '../../src/core/token.ts';
import type { Daemon } from '../../src/daemon/daemon.ts';
import type { RefreshOutcome } from '../../src/daemon/ports.ts';
import { privateFolder } from '../config/arrange.ts';
import { daemonOnFakes } from './fake-daemon.ts';
import { fakeRefresh, managed, manualClock, until, WALL_START_MS } from './fakes.ts';

const HOUR_MS = 3_600_000;
const SOON = WALL_START_MS + HOUR_MS;

const login = (accessToken: string, refreshToken: string, expiresAt: number): string =>
  JSON.stringify({ claudeAiOauth: { accessToken, refreshToken, expiresAt, scopes: ['user:inference'] } });

test('F65: a script that drives the tool finds its locks free, and the refresh succeeds', async () => {
  const { path, daemonWith } = await arrange('claude-code', login('access-1', 'refresh-1', SOON));
  const { daemon, refreshNow } = await daemonWith({ method: 'script', resultInStore: true }, async () => {
    const release = await lockfile.lock(dirname(path));
    await writeFile(path, login('access-2', 'refresh-2', SOON + HOUR_MS));
    await release();
    return { kind: 'stored' };
  });
  await refreshNow('access-2');
  expect(daemon.state('a')?.failures).toBe(0);
});

test('a script is not started while the tool is at work, and that is no failure', async () => {
  const { path, daemonWith } = await arrange('claude-code', login('access-1', 'refresh-1', SOON));
  const { daemon, refresh } = await daemonWith({ method: 'script', resultInStore: true }, async () => ({
    kind: 'stored',
  }));
  const release = await lockfile.lock(dirname(path));
  daemon.dispatch('a', { type: 'refresh_requested', cause: 'operator', force: true });
  await until(() => daemon.state('a')?.phase.kind === 'refreshing');
  // The tool refreshes meanwhile: the attempt finds that under the lock, and the script is not needed.
  await writeFile(path, login('access-2', 'refresh-2', SOON + HOUR_MS));
  const adopted = heldBy(daemon, 'access-2');
  await release();
  await adopted;
  expect([refresh.requests.length, daemon.state('a')?.failures]).toEqual([0, 0]);
});

test('what freshd sends itself, it sends under both locks of the tool, and they are free afterwards', async () => {
  const { path, daemonWith } = await arrange('claude-code', login('access-1', 'refresh-1', SOON));
  const locks = [join(dirname(path), '.oauth_refresh.lock'), `${dirname(path)}.lock`];
  const held: boolean[] = [];
  const { daemon, refreshNow } = await daemonWith({ method: 'oauth' }, async () => {
    held.push(...locks.map((lock) => existsSync(lock)));
    const response = { access_token: 'access-2', refresh_token: 'refresh-2', expires_in: 7_200 };
    return { kind: 'response', response };
  });
  await refreshNow('access-2');
  await daemon.stop();
  expect(held).toEqual([true, true]);
  expect(locks.map((lock) => existsSync(lock))).toEqual([false, false]);
  expect(JSON.parse(await readFile(path, 'utf8'))).toEqual(JSON.parse(login('access-2', 'refresh-2', SOON + HOUR_MS)));
});

test('F80: the login of another account in the file of codex is not adopted as a rotation', async () => {
  const codex = (accessToken: string, account: string) =>
    JSON.stringify({ tokens: { access_token: accessToken, refresh_token: `of-${accessToken}`, account_id: account } });
  const { path, daemonWith } = await arrange('codex', codex('access-1', 'me'));
  const { daemon } = await daemonWith({ method: 'script' }, async () => ({ kind: 'stored' }));
  const adopted = heldBy(daemon, 'access-2');
  await writeFile(path, codex('access-2', 'me'));
  await adopted;
  const refused = stepOf(daemon, () => daemon.state('a')?.phase.kind === 'reauthorization_required');
  await writeFile(path, codex('access-3', 'you'));
  await refused;
  expect(daemon.state('a')).toMatchObject({ account: 'me', held: { token: { accessToken: 'access-2' } } });
  expect(daemon.state('a')?.lastFailure?.code).toBe('account_changed');
});

const heldBy = (daemon: Daemon, accessToken: string) =>
  stepOf(daemon, () => daemon.state('a')?.held?.token.accessToken === accessToken);

function stepOf(daemon: Daemon, isReached: () => boolean): Promise<void> {
  return new Promise((resolve) => {
    daemon.onStep(() => {
      if (isReached()) resolve();
    });
  });
}

async function arrange(format: 'claude-code' | 'codex', content: string) {
  const folder = join(privateFolder(), 'tool');
  await mkdir(folder);
  const path = join(folder, '.credentials.json');
  await writeFile(path, content, { mode: 0o600 });
  const clock = manualClock();
  const store = createStore({
    format,
    path,
    lockDirectory: join(folder, 'locks'),
    now: () => epochMs(clock.now().wallMs),
    patience: { settledMs: 1, everyMs: 1, forMs: 50 },
    expires: { kind: 'as_stated' },
    expiresInDefaultMs: HOUR_MS,
    watches: createDirectoryWatches(),
    monotonicMs: () => clock.now().monotonicMs,
    onTakenOver: () => undefined,
    pollMs: 1,
  });
  const daemonWith = async (policy: Parameters<typeof managed>[2], answer: () => Promise<RefreshOutcome>) => {
    const refresh = fakeRefresh(answer);
    const daemon = daemonOnFakes({
      clock,
      credentials: [managed('a', { store, refresh }, policy)],
    });
    onTestFinished(() => daemon.stop());
    await daemon.start();
    const refreshNow = async (accessToken: string): Promise<void> => {
      const done = heldBy(daemon, accessToken);
      daemon.dispatch('a', { type: 'refresh_requested', cause: 'operator', force: true });
      await done;
    };
    return { daemon, refresh, refreshNow };
  };
  return { path, daemonWith };
}
