import { describe, expect, it } from 'vitest';
import { explain } from '../../src/core/explain.ts';
import { nextAction } from '../../src/core/next-action.ts';
import { epochMs } from '../../src/core/token.ts';
import {
  answering,
  createLife,
  failing,
  grant,
  HOUR,
  type Life,
  loaded,
  MINUTE,
  missing,
  POLICY,
  SECOND,
  START,
  serving,
} from './life.ts';

const DUE = 7 * HOUR + 30 * MINUTE;
const UNREACHABLE = { code: 'unreachable', unsent: true };

/** The line that says what comes next. */
const next = (life: Life): string | undefined => explain(life.state, life.now).find((line) => line.startsWith('next'));

describe('what comes next, and why', () => {
  it('names the lead and the jitter in it', () => {
    const seed = seedFor(22 * SECOND);
    const life = createLife({ policy: { jitterPercent: 2, jitterSeed: seed } });
    const at = life.state.phase.kind === 'fresh' ? (life.state.phase.refreshAtLifeLeftMs ?? 0) : 0;
    life.pass(8 * HOUR - at - 41 * MINUTE);
    expect(next(life)).toBe('next refresh in 41 min: 30 min 22 s before expiry (22 s of jitter)');
  });

  it('names no jitter where there is none', () => {
    expect(next(createLife())).toBe('next refresh in 7 h 30 min: 30 min before expiry');
  });

  it('names the window that made it earlier', () => {
    const window = { cron: '0 9 * * *', timeZone: 'UTC', latestIn: () => START + 7 * HOUR };
    expect(next(createLife({ policy: { window } }))).toBe(
      'next refresh in 7 h: 1 h before expiry, in its window (0 9 * * *)',
    );
  });

  it('counts the retries', () => {
    const life = createLife({ server: failing(UNREACHABLE) });
    life.pass(DUE + MINUTE);
    expect(next(life)).toBe('next retry in 4 min: attempt 2 of 6, after unreachable');
    life.pass(HOUR);
    expect(next(life)).toBe('next recovery in 29 min: active recovery after unreachable');
  });

  it('says that a server asked for patience, and not that a token has expired', () => {
    const life = createLife({
      server: failing({ class: 'rate_limited', code: 'slow_down', retryAfterMs: 20 * MINUTE }),
    });
    life.pass(DUE);
    expect(next(life)).toBe('next retry in 20 min: after slow_down; the server wants to be left alone until then');
  });

  it('says that a refresh brought nothing new', () => {
    const life = createLife({ server: answering(grant(1)) });
    life.pass(DUE);
    expect(next(life)).toBe('next refresh in 15 min: the last refresh brought nothing new');
  });

  it('says who must act, and what is probed', () => {
    const life = createLife({ server: failing({ class: 'terminal', code: 'invalid_grant' }) });
    life.pass(DUE);
    expect(nextAction(life.state, life.now)).toMatchObject({
      what: 'store_check',
      why: 'a person must act (terminal: invalid_grant)',
    });
    const probed = createLife({ server: failing({ class: 'config', code: 'invalid_client' }) });
    probed.pass(DUE);
    expect(next(probed)).toBe('next probe in 6 h: only the server can tell whether its configuration was mended');
  });

  it('says what an attempt in flight waits for', () => {
    const life = createLife();
    life.pass(DUE);
    expect(nextAction(life.state, life.now)).toMatchObject({
      what: 'attempt_running',
      why: 'its result is due by then at the latest',
    });
  });

  it('says why nothing is planned', () => {
    const never = loaded(grant(1, { expiry: { kind: 'never' } }));
    expect(nextAction(createLife({ first: never }).state, createLife().now).why).toBe('the token has no expiry');
    const followed = createLife({ policy: { method: 'follow' } });
    expect(nextAction(followed.state, followed.now).why).toBe('this credential is only watched, not refreshed here');
    const absent = createLife({ first: missing });
    expect(nextAction(absent.state, absent.now).why).toBe('no such file');
    absent.dispatch({ type: 'stopping' });
    expect(nextAction(absent.state, absent.now)).toEqual({ what: 'none', inMs: null, why: 'the daemon is stopping' });
  });

  it('does not call a busy lock a failed attempt', () => {
    const life = createLife({ server: failing({ code: 'store_busy', unsent: true }) });
    life.pass(DUE);
    expect(next(life)).toBe('next retry in 10 s: after store_busy');
  });

  it('says that a stored token comes from the future', () => {
    const life = createLife();
    life.pass(SECOND);
    life.restart(loaded(grant(1, { issuedAt: START + HOUR })));
    expect(next(life)).toMatch(/^next attempt running/);
    const told = createLife({
      first: loaded(grant(2)),
      answer: ({ type }) => (type === 'begin_attempt' ? null : undefined),
    });
    told.dispatch({ type: 'refresh_requested', cause: 'operator', force: true });
    told.dispatch({ type: 'store_changed', grant: grant(3, { issuedAt: START + HOUR }), attempt: 1 });
    expect(next(told)).toBe('next refresh in 10 s: by its issue time this clock runs behind; a new token will tell');
  });
});

describe('the whole story', () => {
  it('of a credential that fails', () => {
    const life = createLife({ server: failing({ ...UNREACHABLE, detail: 'connect: refused by 127.0.0.1:9' }) });
    life.pass(8 * HOUR + MINUTE);
    expect(explain(life.state, life.now)).toEqual([
      'mail: token expired, phase recovering',
      'expired 1 min ago',
      'next recovery in 4 min: active recovery after unreachable',
      'last failure: unreachable (transient)',
      '  connect: refused by 127.0.0.1:9',
    ]);
  });

  it('of an assumed expiry, of none, and of a target that takes nothing', () => {
    const assumed = createLife({
      first: loaded(grant(1, { expiry: { kind: 'assumed', expiresAt: epochMs(START + HOUR) } })),
      server: serving(),
    });
    expect(explain(assumed.state, assumed.now)[1]).toBe('expires in 1 h (assumed: nobody stated an expiry)');
    const stuck = createLife({
      first: loaded(grant(1, { expiry: { kind: 'never' } })),
      answer: (effect) =>
        effect.type === 'publish_token'
          ? { type: 'publish_failed', target: 'env', revision: effect.revision, code: 'disk_full', remedy: 'make room' }
          : undefined,
    });
    expect(explain(stuck.state, stuck.now)).toEqual([
      'mail: token usable, phase fresh',
      'does not expire',
      'next store check in 33 s: the token has no expiry',
      'not delivered to env: disk_full; make room',
    ]);
  });
});

/** A seed whose jitter of 2 % of half an hour comes to about as much. */
function seedFor(wantedMs: number): number {
  for (let seed = 0; seed < 10_000; seed += 1) {
    const { state } = createLife({ policy: { jitterPercent: 2, jitterSeed: seed } });
    const { phase } = state;
    const at = phase.kind === 'fresh' ? (phase.refreshAtLifeLeftMs ?? 0) : 0;
    if (Math.round((at - POLICY.refreshMarginMs) / SECOND) * SECOND === wantedMs) return seed;
  }
  throw new Error('no such seed');
}
