import { describe, expect, it } from 'vitest';
import {
  describe as describeCredential,
  readiness,
  readToken,
  requestOutcome,
  tokenStatus,
} from '../../src/core/view.ts';
import {
  blanked,
  createLife,
  failing,
  grant,
  HOUR,
  type Life,
  type LifeOptions,
  loaded,
  MINUTE,
  missing,
  SECOND,
  START,
  serving,
} from './life.ts';

const DUE = 7 * HOUR + 30 * MINUTE;
const UNREACHABLE = { code: 'unreachable', unsent: true };

/** Drives a fresh credential to each phase, with and without a usable token. */
const SITUATIONS: Readonly<Record<string, () => Life>> = {
  fresh: () => createLife(),
  refreshing: () => after(DUE, {}),
  'refreshing, expired': () => after(8 * HOUR + SECOND, {}),
  backing_off: () => after(DUE, { server: failing(UNREACHABLE) }),
  recovering: () => after(8 * HOUR - SECOND, { server: failing(UNREACHABLE) }),
  'recovering, expired': () => after(8 * HOUR, { server: failing(UNREACHABLE) }),
  terminal: () => after(DUE, { server: failing({ class: 'terminal', code: 'invalid_grant' }) }),
  'terminal, expired': () => after(8 * HOUR, { server: failing({ class: 'terminal', code: 'invalid_grant' }) }),
  blanked: () => told(createLife(), blanked),
  'missing, still held': () => told(createLife(), missing),
  missing: () => createLife({ first: missing }),
  'followed, expired': () => after(8 * HOUR, { policy: { method: 'follow' } }),
};

function after(ms: number, options: LifeOptions): Life {
  const life = createLife(options);
  life.pass(ms);
  return life;
}

function told(life: Life, event: Parameters<Life['dispatch']>[0]): Life {
  life.dispatch(event);
  return life;
}

describe('what a reader is told', () => {
  it.each([
    ['fresh', 'fresh', 'usable', 'token'],
    ['refreshing', 'refreshing', 'expiring', 'token'],
    ['refreshing, expired', 'refreshing', 'expired', 'temporarily_unavailable'],
    ['backing_off', 'backing_off', 'expiring', 'token'],
    ['recovering', 'recovering', 'expiring', 'token'],
    ['recovering, expired', 'recovering', 'expired', 'temporarily_unavailable'],
    ['terminal', 'reauthorization_required', 'expiring', 'token, not refreshable'],
    ['terminal, expired', 'reauthorization_required', 'expired', 'reauthorization_required'],
    ['blanked', 'reauthorization_required', 'usable', 'token, not refreshable'],
    ['missing, still held', 'absent', 'usable', 'token, not refreshable'],
    ['missing', 'absent', 'none', 'temporarily_unavailable'],
    ['followed, expired', 'absent', 'expired', 'temporarily_unavailable'],
  ])('%s: phase %s, status %s, answer %s', (situation, phase, status, answer) => {
    const { state, now } = SITUATIONS[situation]?.() ?? createLife();
    const read = readToken(state, now);
    const given = read.kind === 'unusable' ? read.code : read.refreshable ? 'token' : 'token, not refreshable';
    expect([describeCredential(state, now).phase, tokenStatus(state, now), given]).toEqual([phase, status, answer]);
    if (read.kind === 'unusable' && read.code === 'temporarily_unavailable') {
      expect(read.retryAfterMs).toBeGreaterThanOrEqual(0);
    }
    expect(readiness(state, now).ready).toBe(read.kind === 'token');
  });

  it('no description holds a token', () => {
    for (const arrange of Object.values(SITUATIONS)) {
      const { state, now } = arrange();
      expect(JSON.stringify(describeCredential(state, now))).not.toContain('secret');
    }
  });
});

describe('what an operator is told', () => {
  it('why the last attempt was made, also when it is over; of one before the start only when', () => {
    const life = createLife({ server: serving() });
    const lastAttempt = () => describeCredential(life.state, life.now).lastAttempt;
    expect(lastAttempt()).toBeNull();
    life.pass(DUE);
    expect(lastAttempt()).toEqual({ attempt: 1, beganAt: START + DUE, reason: 'due' });
    life.restart(loaded(grant(2)));
    expect(lastAttempt()).toEqual({ attempt: 1, beganAt: START + DUE, reason: null });
  });

  const ask = (life: Life, force = false) => {
    const before = life.state;
    life.dispatch({ type: 'refresh_requested', cause: 'operator', force });
    return requestOutcome(before, life.state, life.now);
  };

  it('started, joined, not needed, not possible', () => {
    const life = createLife();
    expect(ask(life)).toEqual({ outcome: 'not_needed' });
    expect(ask(life, true)).toEqual({ outcome: 'refresh_started' });
    expect(ask(life, true)).toEqual({ outcome: 'joined' });
    expect(ask(createLife({ policy: { method: 'follow' } }), true)).toEqual({ outcome: 'not_refreshable' });
  });

  it('when, where the floor holds it back', () => {
    const life = createLife({ server: serving() });
    ask(life, true);
    life.pass(4 * SECOND);
    expect(ask(life, true)).toEqual({ outcome: 'scheduled', inMs: 6 * SECOND });
  });
});
