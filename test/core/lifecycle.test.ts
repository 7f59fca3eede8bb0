import { describe, expect, it } from 'vitest';
import { nextDeadline } from '../../src/core/lifecycle.ts';
import { readToken } from '../../src/core/view.ts';
import {
  answering,
  createLife,
  failing,
  grant,
  HOUR,
  loaded,
  MINUTE,
  missing,
  POLICY,
  SECOND,
  serving,
} from './life.ts';

const DUE = 7 * HOUR + 30 * MINUTE;

describe('a credential at rest', () => {
  it('A1 A2 F82: is refreshed half an hour before its token ends, and the new one is published once the lock is given back', () => {
    const life = createLife({ server: serving() });
    const { generation } = life.state;
    life.pass(DUE - 1);
    expect(life.attempts).toEqual([]);
    life.effects = [];
    life.pass(1);
    expect(life.attempts).toEqual([DUE]);
    expect(life.effects.map(({ type }) => type).filter((type) => type !== 'reread_store')).toEqual([
      'begin_attempt',
      'run_refresh',
      'record_answer',
      'persist_token',
      'close_attempt',
      'publish_token',
    ]);
    expect(readToken(life.state, life.now)).toEqual({
      kind: 'token',
      accessToken: 'secret-1001',
      tokenType: 'Bearer',
      scheme: 'bearer',
      generation: generation + 1,
      expiresAt: life.now.wallMs + 8 * HOUR,
      lifeLeftMs: 8 * HOUR,
      lifeMs: 8 * HOUR,
      refreshable: true,
      durable: true,
      rejectionPending: false,
    });
  });

  it('A2: at once when it is already inside the margin, or expired', () => {
    const starts = [20 * MINUTE, -MINUTE].map((leftMs) =>
      createLife({ first: loaded(grant(1, { issuedAt: null, lifeMs: leftMs })), server: serving() }),
    );
    expect(starts.map(({ attempts }) => attempts)).toEqual([[0], [0]]);
  });

  it('A2: the margin is capped by a third of the life', () => {
    const life = createLife({ first: loaded(grant(1, { lifeMs: 60 * SECOND })), server: serving() });
    life.pass(45 * SECOND);
    expect(life.attempts).toEqual([40 * SECOND]);
  });

  it('A15: margin, retry interval, number of retries, recovery interval and timeout are what the policy says', () => {
    const life = createLife({
      policy: {
        refreshMarginMs: HOUR,
        retryIntervalMs: 2 * MINUTE,
        maxRetries: 1,
        activeRecoveryIntervalMs: 4 * MINUTE,
        refreshTimeoutMs: 7 * SECOND,
        killGraceMs: 0,
      },
      server: failing({ code: 'unreachable', unsent: true }),
    });
    life.pass(8 * HOUR + 13 * MINUTE);
    const late = life.attempts.map((at) => (at - 7 * HOUR) / MINUTE);
    expect(late.slice(0, 3)).toEqual([0, 2, 4]);
    expect(late.slice(-4)).toEqual([62, 64, 68, 72]);
    life.server = () => 'hang';
    life.pass(3 * MINUTE);
    expect(nextDeadline(life.state, life.now)).toBeLessThanOrEqual(7 * SECOND + POLICY.limits.resultSlackMs);
  });

  it('B5: every token has a generation of its own, and generations only grow', () => {
    const life = createLife({ server: serving({ lifeMs: HOUR }) });
    const seen: number[] = [];
    for (let n = 0; n < 20; n += 1) {
      seen.push(life.state.generation);
      life.pass(40 * MINUTE);
    }
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
    expect(
      new Set(life.effects.flatMap((e) => (e.type === 'publish_token' ? [e.publication.generation] : []))).size,
    ).toBe(life.attempts.length + 1);
  });

  it('A9: a wake-up that comes hours late does what is due, once', () => {
    const life = createLife({ server: serving() });
    life.sleep({ wall: 20 * HOUR, monotonic: 20 * HOUR });
    expect(life.attempts).toEqual([20 * HOUR]);
    for (let n = 0; n < 5; n += 1) life.dispatch({ type: 'tick' });
    expect(life.attempts).toHaveLength(1);
  });
});

describe('what is asked for by readers and operators', () => {
  it('A7: a reader’s demand starts one refresh per generation', () => {
    const life = createLife({ server: answering(grant(1)) });
    life.pass(HOUR);
    for (let n = 0; n < 3; n += 1) life.dispatch({ type: 'refresh_requested', cause: 'min_valid', force: false });
    life.pass(HOUR);
    expect(life.attempts).toEqual([HOUR]);
  });

  it('an operator’s request is not needed while more than half of the whole life is left, also after a restart', () => {
    const life = createLife({ server: serving() });
    life.pass(3 * HOUR);
    life.dispatch({ type: 'refresh_requested', cause: 'operator', force: false });
    expect(life.attempts).toEqual([]);
    life.pass(2 * HOUR);
    life.restart(loaded(grant(1)));
    life.dispatch({ type: 'refresh_requested', cause: 'operator', force: false });
    expect(life.attempts).toHaveLength(1);
  });

  it('the floor holds for everybody', () => {
    const life = createLife({ server: serving() });
    for (let n = 0; n < 3; n += 1) life.dispatch({ type: 'refresh_requested', cause: 'operator', force: true });
    expect(life.attempts).toEqual([0]);
    life.pass(POLICY.minRefreshIntervalMs);
    expect(life.attempts).toEqual([0, POLICY.minRefreshIntervalMs]);
  });
});

describe('a stop', () => {
  it('F63: finishes an attempt in flight, and nothing is withdrawn', () => {
    const life = createLife();
    life.pass(DUE);
    life.dispatch({ type: 'stopping' });
    expect(life.state.phase.kind).toBe('refreshing');
    life.dispatch(serving()(life.state.attempt, life.now) as never);
    expect(life.state.phase).toEqual({ kind: 'stopped' });
    expect(nextDeadline(life.state, life.now)).toBeNull();
    expect(life.effects.filter(({ type }) => type === 'withdraw_token')).toEqual([]);
  });

  it('gives up an attempt that has sent nothing yet', () => {
    const life = createLife({ answer: ({ type }) => (type === 'begin_attempt' ? null : undefined) });
    life.pass(DUE);
    life.dispatch({ type: 'stopping' });
    expect(life.state.phase).toEqual({ kind: 'stopped' });
    expect(life.effects.at(-1)).toEqual({ type: 'close_attempt', attempt: 1, journal: 'empty' });
  });
});

describe('a lost answer wedges nothing', () => {
  it('waiting in line has no end, and is said when the token has been gone for long', () => {
    const life = createLife({ answer: ({ type }) => (type === 'begin_attempt' ? null : undefined) });
    life.pass(9 * HOUR);
    expect(life.effects.filter(({ type }) => type === 'begin_attempt')).toHaveLength(1);
    expect(life.newAlerts()).toEqual(['first_failure']);
  });

  it('a journal that does not answer is not waited for: the store is next', () => {
    const life = createLife({
      server: serving(),
      answer: ({ type }) => (type === 'record_answer' ? null : undefined),
    });
    life.pass(DUE + MINUTE);
    expect(life.state.phase.kind).toBe('fresh');
    expect(life.effects.filter(({ type }) => type === 'persist_token')).toHaveLength(1);
  });

  it('a store that does not answer leaves an answer that is written again', () => {
    const life = createLife({
      server: serving(),
      answer: ({ type }) => (type === 'persist_token' ? null : undefined),
    });
    life.pass(DUE + MINUTE);
    expect(life.state.unpersisted).toMatchObject({ code: 'timed_out', expected: 'r1' });
  });

  it('a credential whose store was not read yet waits, and takes nothing away', () => {
    const life = createLife({ first: { type: 'tick' } });
    expect(life.attempts).toEqual([]);
    expect(life.effects.map(({ type }) => type)).not.toContain('begin_attempt');
    life.dispatch(missing);
    expect(life.newAlerts()).toEqual(['first_failure']);
  });
});
