import { describe, expect, it } from 'vitest';
import { lifeLeftMs } from '../../src/core/schedule.ts';
import { readToken, tokenStatus } from '../../src/core/view.ts';
import { createLife, DAY, failing, HOUR, MINUTE, SECOND, serving } from './life.ts';

const DUE = 7 * HOUR + 30 * MINUTE;
const UNREACHABLE = { code: 'unreachable', unsent: true };

describe('a jump forward counts as elapsed', () => {
  it('F47 F49: the expired token is withdrawn and refreshed in the same step', () => {
    const life = createLife({ server: serving() });
    life.effects = [];
    life.sleep({ wall: 10 * HOUR, monotonic: SECOND });
    expect(life.attempts).toEqual([SECOND]);
    expect(tokenStatus(life.state, life.now)).toBe('usable');
  });

  it('F49: without network it is tried at the floor for two minutes, uncounted and unannounced, then as ever', () => {
    const life = createLife({ server: failing(UNREACHABLE) });
    life.sleep({ wall: 10 * HOUR, monotonic: SECOND });
    life.pass(2 * MINUTE - SECOND);
    expect(life.attempts).toHaveLength(12);
    expect(life.state).toMatchObject({ failures: 0, episode: null });
    expect(life.state.bucket.attempts).toBe(6);
    life.pass(SECOND);
    expect(life.state.failures).toBe(1);
    life.pass(4 * MINUTE);
    expect(life.attempts).toHaveLength(13);
    expect(life.newAlerts()).toEqual(['first_failure']);
  });

  it('F49: what may have been sent is counted all the same', () => {
    const life = createLife({ server: failing({ code: 'timeout', doubt: true }) });
    life.sleep({ wall: 10 * HOUR, monotonic: SECOND });
    life.pass(MINUTE);
    // The second is the guarded send.
    expect(life.attempts).toHaveLength(2);
    expect(life.state.failures).toBe(2);
  });

  it('F50 F51: an attempt in flight keeps its own deadline, and ends in doubt when that passes', () => {
    const life = createLife();
    life.pass(DUE);
    life.sleep({ wall: 8 * HOUR, monotonic: SECOND });
    expect(life.state.phase.kind).toBe('refreshing');
    life.pass(2 * MINUTE);
    expect(life.state.lastFailure?.code).toBe('outcome_unknown');
    expect(life.state.doubt?.fingerprint).toBe('r1');
  });

  it('F47: a clock set ten years ahead and back makes one attempt, not many', () => {
    const life = createLife({ server: serving({ lifeMs: 8 * HOUR }) });
    life.sleep({ wall: 3650 * DAY, monotonic: SECOND });
    life.sleep({ wall: -3650 * DAY, monotonic: SECOND });
    life.pass(HOUR);
    expect(life.attempts).toHaveLength(1);
    expect(tokenStatus(life.state, life.now)).toBe('usable');
  });

  it('Retry-After that was slept through is over', () => {
    const life = createLife({ server: failing({ class: 'rate_limited', code: 'slow_down', retryAfterMs: 3 * HOUR }) });
    life.pass(DUE);
    life.sleep({ wall: 3 * HOUR, monotonic: SECOND });
    expect(life.attempts).toHaveLength(2);
  });
});

describe('a jump backward gives no life again', () => {
  for (const byMs of [-HOUR, -365 * DAY]) {
    it(`F48: set back by ${-byMs / HOUR} h, the token is refreshed when its life on the monotonic clock says so`, () => {
      const life = createLife({ server: serving() });
      life.pass(HOUR);
      life.sleep({ wall: byMs, monotonic: 0 });
      const { held } = life.state;
      expect(held && lifeLeftMs(held, life.now)).toBe(7 * HOUR);
      life.pass(6 * HOUR + 30 * MINUTE);
      expect(life.attempts).toEqual([DUE]);
    });
  }

  it('F48: and it is gone when that life is over', () => {
    const life = createLife({ server: failing(UNREACHABLE) });
    life.sleep({ wall: -HOUR, monotonic: 0 });
    life.pass(8 * HOUR - 1);
    expect(readToken(life.state, life.now)).toMatchObject({ kind: 'token' });
    life.pass(1);
    expect(readToken(life.state, life.now)).toMatchObject({ kind: 'unusable' });
  });

  it('an occurrence announced by a clock that ran ahead does not silence the next', () => {
    const life = createLife({ server: failing({ class: 'rate_limited', code: 'slow_down', retryAfterMs: HOUR }) });
    life.sleep({ wall: 365 * DAY, monotonic: 0 });
    expect(life.newAlerts()).toContain('rate_limited_past_expiry');
    life.sleep({ wall: -364 * DAY, monotonic: 0 });
    life.pass(2 * HOUR);
    expect(life.newAlerts()).toContain('rate_limited_past_expiry');
  });
});
