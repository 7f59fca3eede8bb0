import { describe, expect, it } from 'vitest';
import type { Policy } from '../../src/core/policy.ts';
import { readToken, rejectionOutcome, tokenStatus } from '../../src/core/view.ts';
import {
  createLife,
  failing,
  grant,
  HOUR,
  type Life,
  type LifeOptions,
  loaded,
  MINUTE,
  SECOND,
  serving,
} from './life.ts';

const UNREACHABLE = { code: 'unreachable', unsent: true };

/** A credential at rest for ten minutes: past the first, quick one. */
function settled(options: LifeOptions = {}): Life {
  const life = createLife(options);
  life.pass(10 * MINUTE);
  life.effects = [];
  return life;
}

function report(life: Life, peer = 'p', generation = life.state.generation) {
  const before = life.state;
  const event = { type: 'rejection_reported', generation, peer } as const;
  life.dispatch(event);
  return rejectionOutcome(before, life.state, event, life.now);
}

const withdrawals = (life: Life): number => life.effects.filter(({ type }) => type === 'withdraw_token').length;

describe('A6: a consumer that got a 401 starts a refresh', () => {
  it('A6 B2: at once, for the current generation, and the new one is published', () => {
    const life = settled({ server: serving() });
    const { generation } = life.state;
    report(life);
    expect(life.attempts).toEqual([10 * MINUTE]);
    expect(readToken(life.state, life.now)).toMatchObject({ generation: generation + 1, rejectionPending: false });
  });

  it('a thousand reports start one refresh', () => {
    const life = settled();
    const outcomes = Array.from({ length: 1000 }, (_, n) => report(life, `p${n}`).outcome);
    expect(outcomes.slice(0, 2)).toEqual(['refresh_started', 'joined']);
    expect(new Set(outcomes.slice(1))).toEqual(new Set(['joined']));
    expect(life.attempts).toHaveLength(1);
    expect(readToken(life.state, life.now)).toMatchObject({ kind: 'token', rejectionPending: true });
  });

  it('a report of an older generation, or of one that never was, changes nothing', () => {
    const life = settled();
    const { generation } = life.state;
    expect(report(life, 'p', generation - 1)).toEqual({ outcome: 'superseded' });
    expect(report(life, 'p', generation + 1)).toEqual({ outcome: 'ignored' });
    expect(life.state.rejection).toBeNull();
  });

  it('goes past the wait of a retry, but not past the floor', () => {
    const life = settled({ server: failing(UNREACHABLE) });
    life.pass(7 * HOUR + 20 * MINUTE + SECOND);
    expect(report(life)).toEqual({ outcome: 'scheduled', inMs: 9 * SECOND });
    life.pass(9 * SECOND);
    expect(life.attempts).toHaveLength(2);
  });

  it('a refresh that is owed is still made when the file was only touched meanwhile', () => {
    const life = settled({ server: failing(UNREACHABLE) });
    life.pass(7 * HOUR + 20 * MINUTE + SECOND);
    report(life);
    life.dispatch({ type: 'store_changed', grant: grant(1), attempt: null });
    life.pass(9 * SECOND);
    expect(life.attempts).toHaveLength(2);
  });

  it('waits for a busy lock, and is still owed then', () => {
    const life = settled({ server: failing({ code: 'store_busy', unsent: true }) });
    report(life);
    expect(life.state.rejection?.refresh).toBe('owed');
    life.server = serving();
    life.pass(10 * SECOND);
    expect(life.state.rejection).toBeNull();
  });
});

describe('B3: a token is taken away only when two reports agree and nothing can replace it', () => {
  it('F69: one spurious 401 while the endpoint is down for an hour takes nothing away', () => {
    const life = settled({ server: failing(UNREACHABLE) });
    report(life);
    life.pass(HOUR);
    expect(withdrawals(life)).toBe(0);
    expect(readToken(life.state, life.now)).toMatchObject({ kind: 'token', rejectionPending: false });
  });

  it('F69: confirmed, it is withdrawn, stays withdrawn while others try, and is back after the hold', () => {
    const life = settled({ server: failing(UNREACHABLE), policy: { rejectionHoldMs: 12 * MINUTE } });
    report(life);
    life.pass(4 * SECOND);
    report(life);
    expect(withdrawals(life)).toBe(0);
    life.pass(SECOND);
    report(life);
    expect(withdrawals(life)).toBe(1);
    expect(tokenStatus(life.state, life.now)).toBe('rejected');
    const publications = () => life.effects.filter(({ type }) => type === 'publish_token').length;
    life.pass(12 * MINUTE - SECOND);
    expect(life.attempts.length).toBeGreaterThan(2);
    expect(publications()).toBe(0);
    life.pass(SECOND);
    expect(publications()).toBe(1);
    expect(tokenStatus(life.state, life.now)).toBe('usable');
  });

  it('F69: reports after the hold start no second refresh for the same generation', () => {
    const life = settled({ server: serving({ token: null }) });
    report(life);
    life.pass(5 * MINUTE);
    const attempts = life.attempts.length;
    expect(life.state.rejection).toBeNull();
    expect(report(life).outcome).toBe('scheduled');
    expect(life.attempts).toHaveLength(attempts);
  });

  it('while a person must act a report starts nothing, and two withdraw the token', () => {
    const life = settled({ server: failing({ class: 'terminal', code: 'invalid_grant' }) });
    life.dispatch({ type: 'refresh_requested', cause: 'operator', force: true });
    expect(report(life)).toEqual({ outcome: 'not_refreshable' });
    life.pass(5 * SECOND);
    report(life, 'q');
    expect(life.attempts).toHaveLength(1);
    expect(readToken(life.state, life.now)).toMatchObject({ kind: 'unusable', code: 'reauthorization_required' });
    life.pass(MINUTE);
    expect(readToken(life.state, life.now)).toMatchObject({ kind: 'token', refreshable: false });
  });

  it('a refresh that Retry-After puts off keeps nobody waiting longer than the hold', () => {
    const life = settled({ server: failing({ class: 'rate_limited', code: 'slow_down', retryAfterMs: 6 * HOUR }) });
    life.dispatch({ type: 'refresh_requested', cause: 'operator', force: true });
    expect(report(life)).toEqual({ outcome: 'scheduled', inMs: 6 * HOUR });
    expect(readToken(life.state, life.now)).toMatchObject({ rejectionPending: true });
    life.pass(MINUTE);
    expect(readToken(life.state, life.now)).toMatchObject({ kind: 'token', rejectionPending: false });
  });
});

describe('B1: what nothing here can replace', () => {
  const key = (policy: Partial<Policy> = {}) =>
    settled({
      first: loaded(grant(1, { expiry: { kind: 'never' } })),
      policy: { method: 'static', rejectionHoldMs: 30 * MINUTE, ...policy },
    });

  it('B1: a static key that two reports agree on is withheld for its hold, and a person is told once', () => {
    const life = key();
    expect(report(life)).toEqual({ outcome: 'not_refreshable' });
    life.pass(5 * SECOND);
    report(life);
    expect(withdrawals(life)).toBe(1);
    expect(readToken(life.state, life.now)).toMatchObject({ kind: 'unusable', reason: 'rejected' });
    life.pass(30 * MINUTE);
    expect(tokenStatus(life.state, life.now)).toBe('usable');
    expect(life.newAlerts()).toEqual(['first_failure']);
  });

  it('B1 E3: consumers that go on complaining of it are not announced each time', () => {
    const life = key();
    for (let hours = 0; hours < 5; hours += 1) {
      report(life);
      life.pass(5 * SECOND);
      report(life);
      life.pass(HOUR);
    }
    life.restart(loaded(grant(1, { expiry: { kind: 'never' } })));
    expect(life.newAlerts()).toEqual(['first_failure']);
    life.pass(6 * HOUR);
    expect(life.newAlerts()).toEqual(['restored']);
  });

  it('the hold of a static key is what its policy says', () => {
    const life = key({ rejectionHoldMs: 10 * SECOND });
    report(life);
    life.pass(5 * SECOND);
    report(life);
    life.pass(10 * SECOND);
    expect(tokenStatus(life.state, life.now)).toBe('usable');
  });
});

describe('F68: a consumer that refuses every token is its own fault', () => {
  it('F68: it is not believed for an hour, then for two, and an alert says so once', () => {
    const life = settled({ server: serving() });
    report(life);
    expect(report(life)).toEqual({ outcome: 'ignored' });
    expect(life.attempts).toHaveLength(1);
    expect(life.newAlerts()).toEqual(['suspicious_refresh_rate']);
    life.pass(HOUR - SECOND);
    expect(report(life)).toEqual({ outcome: 'ignored' });
    life.pass(SECOND);
    report(life);
    expect(life.attempts).toHaveLength(2);
    report(life);
    life.pass(2 * HOUR - SECOND);
    expect(report(life)).toEqual({ outcome: 'ignored' });
    expect(life.newAlerts()).toEqual([]);
  });

  it('F68: under ever new names the budget bounds the rotations, and the others keep their token', () => {
    const life = settled({ server: serving() });
    for (let n = 0; n < 24 * 60; n += 1) {
      report(life, `p${n}`);
      life.pass(MINUTE);
    }
    expect(life.attempts.length).toBeLessThanOrEqual(24 * life.state.policy.maxAttemptsPerHour + 6);
    expect(readToken(life.state, life.now)).toMatchObject({ kind: 'token' });
    expect(life.state.peers.length).toBeLessThanOrEqual(life.state.policy.limits.peersMax);
    expect(withdrawals(life)).toBe(0);
  });

  it('two generations refused within a minute make the next rejection wait, and an alert says so', () => {
    const life = settled({ server: serving() });
    report(life, 'a');
    life.pass(10 * SECOND);
    report(life, 'b');
    life.pass(10 * SECOND);
    expect(report(life, 'c').outcome).toBe('scheduled');
    expect(life.newAlerts()).toEqual(['suspicious_refresh_rate']);
    life.pass(4 * MINUTE);
    expect(life.attempts).toHaveLength(2);
    life.pass(MINUTE);
    expect(life.attempts).toHaveLength(3);
  });
});
