/** A real daemon that stands still in the middle of a request for longer than this may take, as on a machine that is paused. */
import { setTimeout as pass } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { configure, demo, eventually, is, stored } from './arrange.ts';
import { type Ledger, startLedger } from './ledger.ts';
import { createWorkshop, type RunningDaemon, type Workshop } from './workshop.ts';

const TIMEOUT_SECONDS = 1;

interface Scene {
  readonly daemon: RunningDaemon;
  readonly workshop: Workshop;
  readonly ledger: Ledger;
  /** Of each refresh token that arrived: how many successors of it had been given out. */
  readonly arrivals: readonly number[];
}

/** Stops the daemon when the server decides about its first request, and lets it go on when its time is long over. */
async function standStill(reuseGraceSeconds: number, isLost: boolean): Promise<Scene> {
  const ledger = await startLedger({ lifeSeconds: 600, reuseGraceSeconds });
  const { server } = ledger;
  onTestFinished(() => server.close());
  const workshop = createWorkshop();
  const refresh = { oauth: { tokenEndpoint: server.tokenEndpoint, clientId: 'demo' } };
  configure(workshop, { demo: demo(server, { refresh }) }, { refreshTimeoutSeconds: TIMEOUT_SECONDS });
  ledger.seed(workshop);
  workshop.write('demo.json', { ...stored(workshop), expires_in: 1 });
  // So that the daemon stands still before the answer is on its way.
  server.delay({ milliseconds: 200, when: 'after_commit' });
  if (isLost) server.drop(1);
  const daemon = workshop.start();
  const arrivals: number[] = [];
  await new Promise<void>((stopped) => {
    ledger.onDecided(({ successors }) => {
      arrivals.push(successors);
      if (arrivals.length === 1) stopped(void daemon.process.kill('SIGSTOP'));
    });
  });
  await pass(2 * TIMEOUT_SECONDS * 1_000);
  expect(arrivals).toEqual([0]);
  daemon.process.kill('SIGCONT');
  return { daemon, workshop, ledger, arrivals };
}

test('F51: an answer that came while the daemon stood still is taken, though its time is over', async () => {
  const { daemon, workshop, ledger, arrivals } = await standStill(0, false);
  await daemon.until(is('refresh_succeeded'));
  await eventually(() => workshop.env().DEMO_TOKEN === stored(workshop).access_token);
  expect(stored(workshop).refresh_token).toBe(ledger.current());
  expect(arrivals).toEqual([0]);
});

test('F50: an answer that is lost meanwhile is asked for again, guarded, within the grace of the server', async () => {
  const { daemon, workshop, ledger, arrivals } = await standStill(60, true);
  await daemon.until(is('guarded_attempt'));
  await daemon.until(is('refresh_succeeded'));
  expect(stored(workshop).refresh_token).toBe(ledger.current());
  expect(arrivals).toEqual([0, 1]);
});

test('F50: without one a person is told that a response was lost', async () => {
  const { daemon, arrivals } = await standStill(0, true);
  await daemon.until(is('guarded_attempt'));
  const isAlert = is('alert');
  const asked = await daemon.until((record) => isAlert(record) && record.kind === 'reauthorization_required');
  expect(asked.code).toBe('lost_response');
  expect(arrivals).toEqual([0, 1]);
});
