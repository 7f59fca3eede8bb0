/** Many daemons that were given the same login: one of them sends, and the others take what it brought. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { createStore } from '../../src/adapters/stores/registry.ts';
import { epochMs } from '../../src/core/token.ts';
import type { Daemon } from '../../src/daemon/daemon.ts';
import type { RefreshOutcome, RefreshRequest } from '../../src/daemon/ports.ts';
import { privateFolder } from '../config/arrange.ts';
import { daemonOnFakes } from './fake-daemon.ts';
import { fakeRefresh, managed, manualClock, until, WALL_START_MS } from './fakes.ts';

const DAEMONS = 20;
const HOUR_MS = 3_600_000;

/** A server that takes each refresh token once; a second time it would revoke the grant. */
function rotatingServer() {
  const sent: (string | null)[] = [];
  const answer = (request: RefreshRequest): RefreshOutcome => {
    sent.push(request.tokens?.refreshToken ?? null);
    const [access_token, refresh_token] = [`access-${sent.length + 1}`, `refresh-${sent.length + 1}`];
    return { kind: 'response', response: { access_token, refresh_token, expires_in: 7_200 } };
  };
  return { sent, answer };
}

test('F53: of twenty daemons that need the same grant at once, asked by thrice as many callers, one sends it and the others adopt', async () => {
  const folder = privateFolder();
  const path = join(folder, 'login.json');
  const expired = { access_token: 'access-1', refresh_token: 'refresh-1', expires_at: WALL_START_MS / 1_000 - 60 };
  writeFileSync(path, JSON.stringify(expired), { mode: 0o600 });
  const server = rotatingServer();
  const daemons = Array.from({ length: DAEMONS }, () => daemonOn(path, join(folder, 'locks'), server.answer));
  onTestFinished(async () => void (await Promise.all(daemons.map((daemon) => daemon.stop()))));
  await Promise.all(daemons.map((daemon) => daemon.start()));
  for (const daemon of daemons) {
    for (const cause of ['operator', 'wait', 'operator'] as const)
      daemon.dispatch('a', { type: 'refresh_requested', cause, force: false });
  }
  await until(() => daemons.every((daemon) => daemon.state('a')?.held?.token.accessToken === 'access-2'));
  await until(() => daemons.every((daemon) => daemon.state('a')?.phase.kind === 'fresh'));
  expect(server.sent).toEqual(['refresh-1']);
  expect(daemons.map((daemon) => daemon.state('a')?.failures)).toEqual(daemons.map(() => 0));
  expect(JSON.parse(readFileSync(path, 'utf8'))).toMatchObject({ refresh_token: 'refresh-2' });
});

function daemonOn(path: string, lockDirectory: string, answer: (request: RefreshRequest) => RefreshOutcome): Daemon {
  const clock = manualClock();
  const store = createStore({
    format: 'token-response',
    path,
    entry: null,
    lockDirectory,
    now: () => epochMs(clock.now().wallMs),
    expires: { kind: 'as_stated' },
    expiresInDefaultMs: HOUR_MS,
  });
  const refresh = fakeRefresh(answer);
  return daemonOnFakes({
    clock,
    credentials: [managed('a', { store, refresh }, { method: 'oauth' })],
  });
}
