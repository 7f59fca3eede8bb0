/**
 * SIGKILLs at random moments of refreshes. `FRESHD_KILLS=200` asks for more of them, `FRESHD_KILL_SEED` for other moments.
 *
 * A kill between the server's commit and our record of the answer loses it. Then a reuse grace must save the grant, or a person
 * must be told that a response was lost; never may a revoked grant look like somebody else's fault, or like nothing at all.
 */
import { setTimeout as pass } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { type AuthorizationServer, startAuthorizationServer } from '../../scripts/demo-authorization-server.js';
import { jitter } from '../../src/core/schedule.ts';
import { configure, demo, is, seed } from './arrange.ts';
import { createWorkshop, type LogRecord, type RunningDaemon, type Workshop } from './workshop.ts';

const KILLS = Number(process.env.FRESHD_KILLS ?? 40);
const SEED = Number(process.env.FRESHD_KILL_SEED ?? 1);
const TESTS = 3;
const PACE = {
  minRefreshIntervalSeconds: 0.1,
  settleSeconds: 0.1,
  retryIntervalMinutes: 0.01,
  refreshTimeoutSeconds: 8,
};
const LIMIT_MS = 60_000 + KILLS * 4_000;

interface Outcome {
  readonly kills: number;
  /** Losses that a person was told of, each while its grant was the one in use. */
  readonly reported: number;
  readonly lost: number;
  /** Codes of other messages that ask for a person. */
  readonly misreported: readonly unknown[];
}

async function killing(workshop: Workshop, server: AuthorizationServer, spreadMs: number): Promise<Outcome> {
  const kills = Math.ceil(KILLS / TESTS);
  const misreported: unknown[] = [];
  let reported = 0;
  let daemon: RunningDaemon | null = null;
  for (let run = 0; run <= kills; run += 1) {
    daemon = workshop.start();
    const isAsking = (record: LogRecord) => record.event === 'alert' && record.kind === 'reauthorization_required';
    for (let seen = 0, isLost = true; isLost; ) {
      const { records } = daemon;
      const from = seen;
      // The last run is left in peace, and must come to a good end.
      const isWanted = is(run === kills ? 'refresh_succeeded' : 'refresh_started');
      const found = await daemon.until(
        (record) => records.indexOf(record) >= from && (isWanted(record) || isAsking(record)),
      );
      seen = records.indexOf(found) + 1;
      // A message that was not confirmed before a kill is said again; the grant it was about is replaced already.
      isLost = isAsking(found);
      if (!isLost || server.state().families.at(-1)?.revoked !== true) continue;
      reported += 1;
      if (found.code !== 'lost_response') misreported.push(found.code);
      seed(workshop, server);
    }
    if (run < kills) await pass(spreadMs * jitter(SEED, run));
    await daemon.end(run < kills ? 'SIGKILL' : 'SIGTERM');
  }
  const lost = server.state().families.filter(({ revoked }) => revoked).length;
  console.log(
    `kills: ${kills}, refreshed: ${server.state().requests.refreshed}, families lost: ${lost}, reported: ${reported}`,
  );
  return { kills, reported, lost, misreported };
}

async function arrange(reuseGraceSeconds: number, isNative: boolean): Promise<[Workshop, AuthorizationServer]> {
  const server = await startAuthorizationServer({ lifeSeconds: 2, reuseGraceSeconds });
  onTestFinished(() => server.close());
  const workshop = createWorkshop();
  const native = { refresh: { oauth: { tokenEndpoint: server.tokenEndpoint, clientId: 'demo' } } };
  configure(workshop, { demo: demo(server, isNative ? native : {}) }, PACE);
  seed(workshop, server);
  return [workshop, server];
}

test('E1: kills lose no grant where the server grants a reuse', { timeout: LIMIT_MS }, async () => {
  const [workshop, server] = await arrange(30, true);
  server.delay({ milliseconds: 60, when: 'after_commit' });
  expect(await killing(workshop, server, 200)).toMatchObject({ lost: 0, reported: 0 });
});

test('F33 F78: without one, each grant that a kill loses is reported as a lost response', {
  timeout: LIMIT_MS,
}, async () => {
  const [workshop, server] = await arrange(0, true);
  server.delay({ milliseconds: 60, when: 'after_commit' });
  const { lost, reported, misreported } = await killing(workshop, server, 200);
  expect(misreported).toEqual([]);
  expect(reported).toBe(lost);
});

test('F71: a script outlives the kill, and its answer is taken; what is lost even so is reported', {
  timeout: LIMIT_MS,
}, async () => {
  const [workshop, server] = await arrange(0, false);
  const { lost, reported, misreported } = await killing(workshop, server, 200);
  expect(misreported).toEqual([]);
  expect(reported).toBe(lost);
});
