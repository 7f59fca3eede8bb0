import { describe, expect, it } from 'vitest';
import { describe as describeCredential, readToken } from '../../src/core/view.ts';
import {
  createLife,
  failing,
  failure,
  grant,
  HOUR,
  type Life,
  type LifeOptions,
  loaded,
  MINUTE,
  moved,
  POLICY,
  SECOND,
  START,
  serving,
} from './life.ts';

const DUE = 7 * HOUR + 30 * MINUTE;
const UNREACHABLE = { code: 'unreachable', unsent: true };
const BUSY = { code: 'store_busy', unsent: true };

/** Minutes at which attempts were made, counted from the first that was due. */
const minutes = (life: Life): number[] => life.attempts.map((at) => (at - DUE) / MINUTE);

describe('a transient failure is retried at a flat interval, then for ever', () => {
  it('A3 A5 F1: five retries, then recovery; more often around expiry, every 30 minutes later', () => {
    const life = createLife({ server: failing(UNREACHABLE) });
    life.pass(DUE + 3 * HOUR);
    expect(minutes(life)).toEqual([0, 5, 10, 15, 20, 25, 30, 35, 40, 45, 50, 55, 60, 90, 120, 150, 180]);
    expect(readToken(life.state, life.now)).toMatchObject({ kind: 'unusable', code: 'temporarily_unavailable' });
  });

  it('F1: jitter shortens the waits between retries, each by another part, and never by more than it may', () => {
    const lives = [7, 8].map((jitterSeed) => {
      const life = createLife({ server: failing(UNREACHABLE), policy: { jitterPercent: 10, jitterSeed } });
      life.pass(DUE + 20 * MINUTE);
      return life.attempts.slice(1).map((at, nth) => at - (life.attempts[nth] ?? 0));
    });
    const waits = lives.flat();
    expect(waits.length).toBeGreaterThan(6);
    expect(new Set(waits).size).toBe(waits.length);
    for (const wait of waits) {
      expect(wait).toBeGreaterThanOrEqual(4.5 * MINUTE);
      expect(wait).toBeLessThanOrEqual(5 * MINUTE);
    }
  });

  it('F1: the old token is served, and status says why, until its expiry', () => {
    const life = createLife({ server: failing(UNREACHABLE) });
    life.pass(DUE + 29 * MINUTE);
    expect(readToken(life.state, life.now)).toMatchObject({ kind: 'token', refreshable: true, durable: true });
    expect(describeCredential(life.state, life.now)).toMatchObject({
      status: 'expiring',
      refreshable: true,
      lastFailure: { class: 'transient', code: 'unreachable' },
    });
    expect(life.effects.filter(({ type }) => type === 'withdraw_token')).toEqual([]);
    life.pass(MINUTE);
    expect(life.effects.filter(({ type }) => type === 'withdraw_token')).toHaveLength(1);
  });

  it('F11: a firewall’s page is told like any failure, and keeps the token', () => {
    const life = createLife({ server: failing({ code: 'http_403' }) });
    life.pass(DUE + 6 * MINUTE);
    expect(minutes(life)).toEqual([0, 5]);
    expect(life.newAlerts()).toEqual(['first_failure']);
    expect(life.state.doubt).toBeNull();
    expect(readToken(life.state, life.now)).toMatchObject({ kind: 'token', refreshable: true });
  });

  it('F79: a provider that is back 30 s after expiry is found within the retry interval', () => {
    const life = createLife({ server: failing(UNREACHABLE) });
    life.pass(8 * HOUR + 30 * SECOND);
    life.server = serving();
    life.pass(5 * MINUTE);
    expect(readToken(life.state, life.now)).toMatchObject({ kind: 'token', refreshable: true });
    expect(life.newAlerts()).toEqual(['first_failure', 'escalated', 'recovering', 'restored']);
  });

  it('expiry is itself an attempt, also between two retries', () => {
    const life = createLife({
      first: loaded(grant(1, { issuedAt: null, lifeMs: 4 * MINUTE })),
      server: failing(UNREACHABLE),
    });
    life.pass(10 * MINUTE);
    expect(life.attempts.map((at) => at / MINUTE)).toEqual([0, 4, 9]);
  });

  it('the retry interval counts from the start of an attempt that took a minute to fail', () => {
    const life = createLife();
    life.pass(DUE + 60 * SECOND);
    const { attempt } = life.state;
    life.dispatch({ type: 'refresh_failed', attempt, failure: failure({ code: 'http_404' }) });
    expect(life.state.phase).toEqual({ kind: 'backing_off', due: life.now.monotonicMs + 4 * MINUTE });
  });

  it('a token without a known end is recovered at the pace of recovery', () => {
    const life = createLife({
      first: loaded(grant(1, { expiry: { kind: 'never' } })),
      server: failing(UNREACHABLE),
    });
    life.dispatch({ type: 'refresh_requested', cause: 'operator', force: true });
    life.pass(3 * HOUR);
    expect(life.attempts.map((at) => at / MINUTE)).toEqual([0, 5, 10, 15, 20, 25, 55, 85, 115, 145, 175]);
  });

  it('a reader that waits brings the next recovery forward to the retry interval', () => {
    const life = createLife({ server: failing(UNREACHABLE) });
    life.pass(DUE + 100 * MINUTE);
    const before = life.attempts.length;
    life.dispatch({ type: 'refresh_requested', cause: 'wait', force: false });
    expect(life.attempts).toHaveLength(before + 1);
    life.dispatch({ type: 'refresh_requested', cause: 'wait', force: false });
    life.pass(4 * MINUTE);
    expect(life.attempts).toHaveLength(before + 1);
    life.pass(MINUTE);
    expect(life.attempts).toHaveLength(before + 2);
  });
});

describe('the server may ask for patience', () => {
  it('F5: Retry-After is kept to, also past expiry, is not counted, and one alert says so', () => {
    const limited = failing({ class: 'rate_limited', code: 'slow_down', retryAfterMs: 2 * HOUR });
    const life = createLife({ server: limited });
    life.pass(DUE + 3 * HOUR);
    expect(minutes(life)).toEqual([0, 120]);
    expect(life.state.failures).toBe(0);
    expect(life.newAlerts()).toEqual(['rate_limited_past_expiry', 'first_failure']);
    const said = life.effects.find((effect) => effect.type === 'send_alert');
    expect(said).toMatchObject({ alert: { until: START + DUE + 2 * HOUR } });
  });

  it('F5: more than six hours are never waited for', () => {
    const life = createLife({ server: failing({ class: 'rate_limited', code: 'slow_down', retryAfterMs: 99 * HOUR }) });
    life.pass(DUE + 7 * HOUR);
    expect(minutes(life)).toEqual([0, 360]);
  });

  it('F5: a Retry-After shorter than the retry interval does not make freshd hurry', () => {
    const life = createLife({ server: failing({ class: 'rate_limited', code: 'slow_down', retryAfterMs: SECOND }) });
    life.pass(DUE + 14 * MINUTE);
    expect(minutes(life)).toEqual([0, 5, 10]);
  });

  it('F4 F5: a 503 with Retry-After waits as told, is counted, and says that it outlives the token', () => {
    const life = createLife({ server: failing({ code: 'http_503', retryAfterMs: HOUR }) });
    life.pass(DUE + 70 * MINUTE);
    expect(minutes(life)).toEqual([0, 60]);
    expect(life.state.failures).toBe(2);
    expect(life.newAlerts()).toEqual(['rate_limited_past_expiry', 'first_failure']);
  });

  it('F6: without Retry-After the wait doubles from the retry interval up to that of recovery', () => {
    const life = createLife({ server: failing({ class: 'rate_limited', code: 'slow_down' }) });
    life.pass(DUE + 130 * MINUTE);
    expect(minutes(life)).toEqual([0, 5, 15, 35, 65, 95, 125]);
    expect(life.state).toMatchObject({ failures: 0, phase: { kind: 'backing_off' } });
  });

  it('F5: an operator who insists goes past it, nobody else does', () => {
    const life = createLife({ server: failing({ class: 'rate_limited', code: 'slow_down', retryAfterMs: HOUR }) });
    life.pass(DUE + MINUTE);
    for (const cause of ['wait', 'min_valid'] as const) {
      life.dispatch({ type: 'refresh_requested', cause, force: false });
    }
    life.dispatch({ type: 'rejection_reported', generation: life.state.generation, peer: 'p' });
    expect(life.attempts).toHaveLength(1);
    life.dispatch({ type: 'refresh_requested', cause: 'operator', force: true });
    expect(life.attempts).toHaveLength(2);
  });
});

describe('what needs a person stops at once', () => {
  const INVALID_GRANT = { class: 'terminal', code: 'invalid_grant' } as const;

  it('E1 E3 F7: one attempt, one alert, and the access token until its end', () => {
    const life = createLife({ server: failing(INVALID_GRANT) });
    life.pass(DUE);
    expect(life.state.phase).toMatchObject({ kind: 'reauthorization_required', reason: 'terminal' });
    expect(life.state.refusal).toEqual({ fingerprint: 'r1', reason: 'terminal', code: 'invalid_grant' });
    expect(readToken(life.state, life.now)).toMatchObject({ kind: 'token', refreshable: false });
    life.pass(48 * HOUR);
    expect(life.attempts).toHaveLength(1);
    expect(life.newAlerts()).toEqual(['reauthorization_required']);
    expect(readToken(life.state, life.now)).toEqual({
      kind: 'unusable',
      code: 'reauthorization_required',
      reason: 'terminal',
      retryAfterMs: null,
    });
  });

  it('a refusal with the clocks apart is believed the second time, also after a restart', () => {
    const life = createLife({ server: failing({ ...INVALID_GRANT, clockSkewMs: -90_000 }) });
    life.pass(DUE);
    expect(life.state.phase.kind).toBe('backing_off');
    expect(life.state.lastFailure).toMatchObject({ class: 'transient', code: 'invalid_grant' });
    expect(life.newAlerts()).toEqual(['clock_skew', 'first_failure']);
    life.restart(loaded(grant(1)));
    life.pass(6 * MINUTE);
    expect(life.attempts).toHaveLength(2);
    expect(life.state.phase).toMatchObject({ kind: 'reauthorization_required', reason: 'terminal' });
    expect(life.newAlerts()).toEqual(['reauthorization_required']);
  });

  it('E6: another login in the store resumes by itself, with one message', () => {
    const life = createLife({ server: failing(INVALID_GRANT) });
    life.pass(9 * HOUR);
    life.newAlerts();
    life.dispatch(moved(grant(2, { issuedAt: life.now.wallMs })));
    expect(life.state.phase.kind).toBe('fresh');
    expect(life.newAlerts()).toEqual(['restored']);
  });

  it('E1: the same content written again opens nothing', () => {
    const life = createLife({ server: failing(INVALID_GRANT) });
    life.pass(DUE);
    life.dispatch(moved(grant(1)));
    life.pass(HOUR);
    expect(life.attempts).toHaveLength(1);
    expect(life.state.phase.kind).toBe('reauthorization_required');
  });

  it('an operator opens the latch, and is not told of a first failure once more', () => {
    const life = createLife({ server: failing(INVALID_GRANT) });
    life.pass(DUE);
    life.server = failing(UNREACHABLE);
    life.dispatch({ type: 'refresh_requested', cause: 'operator', force: false });
    life.pass(MINUTE);
    expect(life.attempts).toHaveLength(2);
    expect(life.state.phase.kind).toBe('backing_off');
    expect(life.newAlerts()).toEqual(['reauthorization_required']);
  });

  it('F9 F10: a configuration that the server refuses is probed every six hours, whatever a probe meets', () => {
    const life = createLife({ server: failing({ class: 'config', code: 'invalid_client' }) });
    life.pass(DUE + HOUR);
    life.server = failing({ code: 'http_503' });
    life.pass(24 * HOUR);
    expect(minutes(life)).toEqual([0, 360, 720, 1080, 1440]);
    expect(life.state.phase).toMatchObject({
      kind: 'reauthorization_required',
      reason: 'config',
      code: 'invalid_client',
    });
    expect(life.newAlerts()).toEqual(['reauthorization_required']);
    life.server = serving();
    life.pass(6 * HOUR);
    expect(life.state.phase.kind).toBe('fresh');
    expect(life.newAlerts()).toEqual(['restored']);
  });

  it('F9: a probe that could not be sent is tried again at the pace of recovery', () => {
    const life = createLife({ server: failing({ class: 'config', code: 'invalid_client' }) });
    life.pass(DUE + HOUR);
    life.server = failing(UNREACHABLE);
    life.pass(6 * HOUR);
    expect(minutes(life)).toEqual([0, 360, 390, 420]);
  });

  it('F9: another grant in the store opens it again', () => {
    const life = createLife({ server: failing({ class: 'config', code: 'invalid_client' }) });
    life.pass(DUE + HOUR);
    life.newAlerts();
    life.dispatch(moved(grant(2, { issuedAt: life.now.wallMs })));
    expect(life.state).toMatchObject({ grant: 'r2', phase: { kind: 'fresh' } });
    expect(life.newAlerts()).toEqual(['restored']);
  });

  it('F9: another configuration is tried at once', () => {
    const life = createLife({ server: failing({ class: 'config', code: 'invalid_client' }) });
    life.pass(DUE + HOUR);
    life.dispatch({ type: 'policy_changed', policy: POLICY, targets: ['env'] });
    expect(life.attempts).toHaveLength(2);
  });

  it('F29: a local obstacle is looked at with the store and costs no attempt', () => {
    const obstacle = failure({ class: 'config', code: 'script_missing', origin: 'local', unsent: true });
    const life = createLife({
      answer: ({ type }) => (type === 'reread_store' ? { type: 'store_unchanged', obstacle } : undefined),
      server: failing(obstacle),
    });
    life.pass(DUE + 20 * HOUR);
    expect(life.attempts).toHaveLength(1);
    life.answer = undefined;
    life.server = serving();
    life.pass(MINUTE);
    expect(life.attempts).toHaveLength(2);
    expect(life.newAlerts()).toEqual(['reauthorization_required', 'restored']);
  });
});

describe('nobody is to blame for a busy lock', () => {
  it('is tried again at the floor and not counted', () => {
    const life = createLife({ server: failing(BUSY) });
    life.pass(DUE + 30 * SECOND);
    expect(life.attempts.map((at) => (at - DUE) / SECOND)).toEqual([0, 10, 20, 30]);
    expect(life.state).toMatchObject({ failures: 0, phase: { kind: 'backing_off' }, episode: null });
    expect(life.newAlerts()).toEqual([]);
  });

  it('a lock that is never free is said once, when the token has been gone for a retry interval', () => {
    const life = createLife({ server: failing(BUSY) });
    life.pass(8 * HOUR + 4 * MINUTE);
    expect(life.newAlerts()).toEqual([]);
    life.pass(HOUR);
    expect(life.newAlerts()).toEqual(['first_failure']);
  });
});

describe('A11: the hourly budget', () => {
  it('an attempt that succeeds gives back what it took, and warns nobody', () => {
    const life = createLife({ server: serving({ lifeMs: 30 * SECOND }), policy: { maxAttemptsPerHour: 6 } });
    life.pass(9 * HOUR);
    expect(life.newAlerts()).toEqual([]);
    expect(life.state.bucket.attempts).toBe(POLICY.limits.attemptBurst);
  });

  it('fruitless attempts empty it, are announced once, and go on at one in two minutes', () => {
    const life = createLife({
      policy: { retryIntervalMs: SECOND, activeRecoveryIntervalMs: SECOND },
      server: failing(UNREACHABLE),
    });
    life.pass(DUE + HOUR);
    const bound = POLICY.limits.attemptBurst + POLICY.maxAttemptsPerHour + 2;
    expect(life.attempts.length).toBeLessThanOrEqual(bound);
    expect(life.attempts.length).toBeGreaterThanOrEqual(30);
    expect(life.newAlerts().filter((kind) => kind === 'suspicious_refresh_rate')).toHaveLength(1);
  });
});

describe('A11: what a server that asks for patience gets', () => {
  it('F6: no more than the budget, whatever the intervals', () => {
    const life = createLife({
      policy: { retryIntervalMs: SECOND, activeRecoveryIntervalMs: 2 * SECOND, minRefreshIntervalMs: SECOND },
      server: failing({ class: 'rate_limited', code: 'slow_down' }),
    });
    life.pass(DUE + HOUR);
    expect(life.attempts.length).toBeGreaterThan(POLICY.limits.attemptBurst);
    expect(life.attempts.length).toBeLessThanOrEqual(POLICY.limits.attemptBurst + POLICY.maxAttemptsPerHour + 2);
    expect(life.state.failures).toBe(0);
  });
});

describe('F2 F4: what may have reached the server leaves a doubt', () => {
  it('a result that never comes is a failure in doubt, ended by the back-stop', () => {
    const life = createLife();
    life.pass(DUE + 78 * SECOND);
    expect(life.state.phase.kind).toBe('backing_off');
    expect(life.state.lastFailure?.code).toBe('outcome_unknown');
    expect(life.state.doubt?.fingerprint).toBe('r1');
    const tail = life.effects.filter(({ type }) => type === 'cancel_refresh' || type === 'close_attempt');
    expect(tail).toEqual([
      { type: 'cancel_refresh', attempt: 1 },
      { type: 'close_attempt', attempt: 1, journal: 'keep' },
    ]);
  });

  it('F4: a 5xx closes the journal only where nothing can have been rotated', () => {
    const journals = ([true, false] as const).map((rotates) => {
      const life = createLife({ policy: { rotates }, server: failing({ code: 'http_502', doubt: true }) });
      life.pass(DUE);
      return life.effects.flatMap((effect) => (effect.type === 'close_attempt' ? [effect.journal] : []));
    });
    expect(journals).toEqual([['keep'], ['empty']]);
  });

  it('a success, of whatever kind, ends the doubt', () => {
    const life = createLife({ server: failing({ code: 'timeout', doubt: true }) });
    life.pass(DUE);
    life.server = serving();
    life.pass(5 * MINUTE);
    expect(life.state).toMatchObject({ doubt: null, failures: 0, lastSucceededAt: START + DUE + 10 * SECOND });
  });

  it('F3: the first send after a lost answer follows once things have settled, outside the budget; later ones on schedule', () => {
    const life = createLife({ server: failing({ code: 'timeout', doubt: true }), policy: { settleMs: 20 * SECOND } });
    life.pass(DUE);
    expect(life.state.doubt).toEqual({
      fingerprint: 'r1',
      since: START + DUE,
      sends: 0,
      settlesAt: life.now.monotonicMs + 20 * SECOND,
    });
    const { attempts } = life.state.bucket;
    life.pass(20 * SECOND);
    expect(life.state.bucket.attempts).toBe(attempts);
    expect(life.state.doubt?.sends).toBe(1);
    life.pass(5 * MINUTE);
    expect(life.attempts.map((at) => (at - DUE) / SECOND)).toEqual([0, 20, 320]);
    expect(life.state.doubt?.sends).toBe(2);
  });

  it('F3: an orphaned lock of its tool leaves a doubt about what is sent: its refusal is a lost response', () => {
    const afterOrphan: LifeOptions['answer'] = (effect) =>
      effect.type === 'begin_attempt'
        ? { type: 'attempt_recorded', attempt: effect.attempt, afterOrphan: true }
        : undefined;
    const life = createLife({ server: failing({ class: 'terminal', code: 'invalid_grant' }), answer: afterOrphan });
    life.pass(DUE);
    expect(life.state.phase).toMatchObject({ kind: 'reauthorization_required', reason: 'lost_response' });
    const own = createLife({ server: () => 'hang', answer: afterOrphan, policy: { resultInStore: true } });
    own.pass(DUE);
    expect(own.state).toMatchObject({ phase: { stage: 'running' }, doubt: null });
    const open = createLife({ server: () => 'hang', answer: afterOrphan });
    open.pass(DUE);
    expect(open.state).toMatchObject({ phase: { guard: 'later' }, doubt: { fingerprint: 'r1', sends: 1 } });
  });

  it('F3 F78: an answer that refuses what may have been spent is a lost response, also after a restart', () => {
    const life = createLife({ server: failing({ code: 'http_502', doubt: true }) });
    life.pass(DUE);
    expect(life.effects.at(-1)).not.toMatchObject({ journal: 'empty' });
    life.server = failing({ class: 'terminal', code: 'invalid_grant' });
    life.restart(loaded(grant(1)));
    expect(life.state.doubt).toMatchObject({ fingerprint: 'r1', sends: 0 });
    life.pass(10 * SECOND);
    expect(life.state.phase).toMatchObject({ kind: 'reauthorization_required', reason: 'lost_response' });
    expect(life.state.lastFailure?.code).toBe('lost_response');
    const alerts = life.state.alerts.filter(({ alert }) => alert.kind === 'reauthorization_required');
    expect(alerts.map(({ alert }) => alert.code)).toEqual(['lost_response']);
    expect(life.effects).toContainEqual({ type: 'close_attempt', attempt: life.state.attempt, journal: 'empty' });
    life.restart(loaded(grant(1)));
    expect(life.state.phase).toMatchObject({ reason: 'lost_response' });
    life.dispatch(moved(grant(2, { issuedAt: life.now.wallMs })));
    expect(life.state).toMatchObject({ phase: { kind: 'fresh' }, doubt: null });
  });

  it('F67: a night without any answer stays in doubt, is never a lost response, and keeps the schedule', () => {
    const life = createLife({ server: failing({ code: 'timeout', doubt: true }) });
    life.pass(DUE + 8 * HOUR);
    expect(life.state).toMatchObject({ phase: { kind: 'recovering' }, doubt: { fingerprint: 'r1', sends: 2 } });
    expect(life.attempts.length).toBeLessThan(32);
    life.server = serving();
    life.pass(30 * MINUTE);
    expect(life.state).toMatchObject({ phase: { kind: 'fresh' }, doubt: null });
  });
});
