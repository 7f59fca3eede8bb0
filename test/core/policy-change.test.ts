import { describe, expect, it } from 'vitest';
import { readToken } from '../../src/core/view.ts';
import { createLife, failing, HOUR, MINUTE, missing, POLICY, serving } from './life.ts';

const DUE = 7 * HOUR + 30 * MINUTE;
const UNREACHABLE = { code: 'unreachable', unsent: true };

const change = (policy: Partial<typeof POLICY>, targets: readonly string[] = ['env']) =>
  ({ type: 'policy_changed', policy: { ...POLICY, ...policy }, targets }) as const;

describe('a changed policy', () => {
  it('plans anew at once', () => {
    const life = createLife({ server: serving() });
    life.dispatch(change({ refreshMarginMs: HOUR }));
    life.pass(7 * HOUR);
    expect(life.attempts).toEqual([7 * HOUR]);
  });

  it('F63: waits until the attempt in flight has closed; its answer is persisted', () => {
    const life = createLife();
    life.pass(DUE);
    life.dispatch(change({ retryIntervalMs: MINUTE }, ['env', 'file']));
    expect(life.state.policy.retryIntervalMs).toBe(POLICY.retryIntervalMs);
    const answer = serving()(life.state.attempt, life.now);
    if (answer !== 'hang') life.dispatch(answer);
    expect(life.state).toMatchObject({ nextPolicy: null, policy: { retryIntervalMs: MINUTE } });
    expect(life.state.deliveries.map(({ target, status }) => [target, status])).toEqual([
      ['env', 'done'],
      ['file', 'done'],
    ]);
    expect(life.effects.filter(({ type }) => type === 'persist_token')).toHaveLength(1);
  });

  it('makes a wait shorter, never longer', () => {
    const life = createLife({ server: failing(UNREACHABLE) });
    life.pass(DUE);
    life.dispatch(change({ retryIntervalMs: HOUR }));
    life.pass(5 * MINUTE);
    expect(life.attempts).toHaveLength(2);
    life.dispatch(change({ retryIntervalMs: MINUTE }));
    life.pass(MINUTE);
    expect(life.attempts).toHaveLength(3);
  });

  it('from watching to refreshing: an expired token is refreshed at once', () => {
    const life = createLife({ policy: { method: 'follow' }, server: serving() });
    life.pass(9 * HOUR);
    expect(life.state.phase.kind).toBe('absent');
    life.dispatch(change({ method: 'script' }));
    expect(life.attempts).toEqual([9 * HOUR]);
    expect(readToken(life.state, life.now)).toMatchObject({ kind: 'token' });
  });

  it('from refreshing to watching: retries end, and the expiry is said', () => {
    const life = createLife({ server: failing(UNREACHABLE) });
    life.pass(DUE);
    life.dispatch(change({ method: 'follow' }));
    expect(life.state.phase).toEqual({ kind: 'fresh', refreshAtLifeLeftMs: null });
    life.pass(2 * HOUR);
    expect(life.attempts).toHaveLength(1);
    expect(life.state.phase.kind).toBe('absent');
  });

  it('does not wake a credential whose store holds nothing', () => {
    const life = createLife({ first: missing, server: serving() });
    life.dispatch(change({ retryIntervalMs: MINUTE }));
    life.pass(HOUR);
    expect(life.attempts).toEqual([]);
  });

  it('fewer retries put a credential that used them up into recovery', () => {
    const life = createLife({ server: failing(UNREACHABLE) });
    life.pass(DUE + 11 * MINUTE);
    expect(life.state).toMatchObject({ failures: 3, phase: { kind: 'backing_off' } });
    life.dispatch(change({ maxRetries: 1 }));
    expect(life.state).toMatchObject({ failures: 2, phase: { kind: 'recovering' } });
  });
});
