import { describe, expect, test } from 'vitest';
import type { Event } from '../../src/core/event.ts';
import { step } from '../../src/core/lifecycle.ts';
import { initialState } from '../../src/core/memory.ts';
import type { CredentialState } from '../../src/core/state.ts';
import { epochMs } from '../../src/core/token.ts';
import { grantOf } from '../../src/core/token-response.ts';
import { createObserver } from '../../src/daemon/observe.ts';
import { measuredAlarm } from '../../src/daemon/observe-metrics.ts';
import type { MetricsPort } from '../../src/daemon/ports-metrics.ts';
import { fingerprint, keptLog, manualClock, policy, tokens } from './fakes.ts';

function keptMetrics() {
  const notes: string[] = [];
  const note = (name: string, labels: object, value: number) =>
    void notes.push([name, ...Object.values(labels), value].join(' '));
  const metrics: MetricsPort = {
    count: (name, labels) => note(name, labels, 1),
    observe: note,
    expose: async () => ({ contentType: '', text: '' }),
  };
  return { notes, metrics };
}

/** Feeds events to the real core and gives back what was counted. */
function observed(changes: Parameters<typeof policy>[0] = {}) {
  const clock = manualClock();
  const { notes, metrics } = keptMetrics();
  const observe = createObserver({ log: keptLog(), remedy: () => '', standIns: () => [], metrics });
  const target = 'envFile:/x#T';
  let state: CredentialState = initialState(
    { name: 'a', policy: policy(changes), targets: [target], memory: null },
    clock.now(),
  );
  const feed = (event: Event) => {
    const now = clock.now();
    const before = state;
    state = step(before, event, now).state;
    observe({ credential: 'a', event, before, after: state, now });
  };
  return { clock, notes, feed, target, state: () => state };
}

const grant = grantOf(tokens(), fingerprint);
if (grant === null) throw new Error('expected a grant');

/** An attempt that fails after so many ms. */
function failOnce({ clock, feed, state }: ReturnType<typeof observed>, waitMs: number) {
  clock.pass(waitMs);
  feed({ type: 'tick' });
  const { attempt } = state();
  feed({ type: 'attempt_recorded', attempt });
  clock.pass(2_000);
  const failure = {
    class: 'transient',
    code: 'http_503',
    doubt: false,
    unsent: false,
    origin: 'server',
    retryAfterMs: null,
    detail: null,
  } as const;
  feed({ type: 'refresh_failed', attempt, failure });
}

describe('the figures of a credential', () => {
  test('A12: attempts by reason, failures by class and code, their duration, and that active recovery began, once', () => {
    const life = observed({ maxRetries: 1 });
    life.feed({ type: 'token_loaded', grant });
    failOnce(life, 3_000_000);
    failOnce(life, 3_600_000);
    failOnce(life, 3_600_000);
    expect(life.notes.filter((note) => !note.startsWith('publish'))).toEqual([
      'refresh_attempts_total a due 1',
      'refresh_failures_total a transient http_503 1',
      'refresh_duration_seconds a failure 2',
      'refresh_attempts_total a retry 1',
      'refresh_failures_total a transient http_503 1',
      'active_recoveries_total a 1',
      'refresh_duration_seconds a failure 2',
      'refresh_attempts_total a recovery 1',
      'refresh_failures_total a transient http_503 1',
      'refresh_duration_seconds a failure 2',
    ]);
  });

  test('A12: how long it had been expired, and how long the episode was, when the next good token came', () => {
    const life = observed();
    life.feed({ type: 'token_loaded', grant });
    failOnce(life, 3_500_000);
    life.clock.pass(200_000);
    life.feed({ type: 'tick' });
    const { attempt, phase } = life.state();
    expect(phase.kind).toBe('refreshing');
    life.notes.length = 0;
    const expiresAt = epochMs(life.clock.now().wallMs + 3_600_000);
    const next = grantOf(
      tokens({ accessToken: 'access-2', refreshToken: 'refresh-2', expiry: { kind: 'known', expiresAt } }),
      fingerprint,
    );
    if (next === null) throw new Error('expected a grant');
    life.feed({ type: 'store_changed', grant: next, attempt });
    expect(life.notes).toEqual([
      'refresh_duration_seconds a none 0',
      'expiry_to_refresh_seconds a 102',
      'recovery_duration_seconds a 200',
    ]);
  });

  test('A12: reports of consumers by what came of them, also those that change nothing', () => {
    const { clock, feed, notes, state } = observed();
    feed({ type: 'token_loaded', grant });
    clock.pass(120_000);
    const { generation } = state();
    notes.length = 0;
    feed({ type: 'rejection_reported', generation, peer: 'p' });
    feed({ type: 'rejection_reported', generation, peer: 'q' });
    feed({ type: 'rejection_reported', generation: (generation - 1) as typeof generation, peer: 'q' });
    expect(notes.filter((note) => note.startsWith('rejections'))).toEqual([
      'rejections_total a refresh_started 1',
      'rejections_total a joined 1',
      'rejections_total a superseded 1',
    ]);
  });

  test('a target that does not take the token, each time', () => {
    const { feed, notes, state, target } = observed();
    feed({ type: 'token_loaded', grant });
    const revision = state().deliveries[0]?.revision ?? 0;
    feed({ type: 'publish_failed', target, revision, code: 'disk_full', remedy: '' });
    feed({ type: 'publish_failed', target, revision, code: 'disk_full', remedy: '' });
    expect(notes).toEqual([`publish_failures_total a ${target} 1`]);
  });
});

test('D4: the alarm tells how late it rang', () => {
  const clock = manualClock();
  const { notes, metrics } = keptMetrics();
  let ring = (): void => undefined;
  let rung = 0;
  const alarm = measuredAlarm({ set: (_delayMs, wake) => (ring = wake), clear: () => undefined }, clock, metrics);
  alarm.set(1_000, () => (rung += 1));
  clock.pass(1_250);
  ring();
  expect([notes, rung]).toEqual([['alarm_lag_seconds 0.25'], 1]);
});
