import { describe, expect, it } from 'vitest';
import { initialState, remember } from '../../src/core/memory.ts';
import { epochMs, monotonicMs } from '../../src/core/token.ts';
import { describe as describeCredential, readToken } from '../../src/core/view.ts';
import {
  blanked,
  createLife,
  DAY,
  failing,
  failure,
  grant,
  HOUR,
  type Life,
  type LifeOptions,
  loaded,
  MINUTE,
  missing,
  moved,
  POLICY,
  SECOND,
  START,
  serving,
} from './life.ts';

const UNREACHABLE = { code: 'unreachable', unsent: true };
const INVALID_GRANT = { class: 'terminal', code: 'invalid_grant' } as const;

describe('a restart starts nothing that is not needed', () => {
  it('F34: a token that was stored but not published is published, and not refreshed', () => {
    const life = createLife();
    life.restart(loaded(grant(2, { issuedAt: START })));
    expect(life.state.phase.kind).toBe('fresh');
    expect(life.effects.map(({ type }) => type)).toEqual(['publish_token', 'set_sentinel']);
    expect(life.attempts).toEqual([]);
  });

  it('a token whose issue time only freshd knows keeps its plan', () => {
    const short = { issuedAt: null, expiry: { kind: 'known', expiresAt: epochMs(START + 90 * SECOND) } } as const;
    const life = createLife({ first: missing, policy: { mintsWithoutGrant: true }, server: serving(short) });
    expect(life.state.phase).toEqual({ kind: 'fresh', refreshAtLifeLeftMs: 30 * SECOND });
    const attempts = life.attempts.length;
    life.restart(loaded(grant(1001, short)));
    expect(life.state.phase).toEqual({ kind: 'fresh', refreshAtLifeLeftMs: 30 * SECOND });
    expect(life.attempts).toHaveLength(attempts);
  });

  it('F79: retries that were under way go on where they were', () => {
    const life = createLife({ server: failing(UNREACHABLE) });
    life.pass(7 * HOUR + 30 * MINUTE);
    const began = life.state.lastBeganAt ?? 0;
    life.restart(loaded(grant(1)));
    expect(life.state.phase).toEqual({ kind: 'backing_off', due: began + 5 * MINUTE - life.now.wallMs + HOUR });
    expect(life.newAlerts()).toEqual(['first_failure']);
    expect(life.state.failures).toBe(1);
  });
});

describe('a restart neither repeats an alert nor ends an episode', () => {
  for (const clean of [true, false]) {
    const how = clean ? 'a stop' : 'a crash';
    it(`E1: a latch outlives ${how} while its token is still valid`, () => {
      const life = createLife({ server: failing(INVALID_GRANT) });
      life.pass(7 * HOUR + 31 * MINUTE);
      expect(life.newAlerts()).toEqual(['reauthorization_required']);
      life.restart(loaded(grant(1)), { clean });
      expect(life.state.phase.kind).toBe('reauthorization_required');
      expect(readToken(life.state, life.now)).toMatchObject({ kind: 'token', refreshable: false });
      life.pass(DAY);
      expect(life.newAlerts()).toEqual([]);
      expect(life.attempts).toHaveLength(1);
      expect(readToken(life.state, life.now)).toMatchObject({ kind: 'unusable', code: 'reauthorization_required' });
    });
  }

  it('a rate-limited credential stays in its episode and keeps waiting', () => {
    const life = createLife({
      server: failing({ class: 'rate_limited', code: 'slow_down', retryAfterMs: 20 * MINUTE }),
    });
    life.pass(7 * HOUR + 30 * MINUTE);
    expect(life.newAlerts()).toEqual(['first_failure']);
    life.restart(loaded(grant(1)));
    expect(life.newAlerts()).toEqual([]);
    expect(life.state.episode?.endedAt).toBeNull();
    life.pass(19 * MINUTE);
    expect(life.attempts).toHaveLength(1);
    life.pass(2 * MINUTE);
    expect(life.attempts).toHaveLength(2);
  });

  it('F29: a missing script stays one episode, and is found again after the restart', () => {
    const obstacle = failure({ class: 'config', code: 'script_missing', origin: 'local', unsent: true });
    const life = createLife({
      server: failing(obstacle),
      answer: ({ type }) => (type === 'reread_store' ? { type: 'store_unchanged', obstacle } : undefined),
    });
    life.pass(7 * HOUR + 30 * MINUTE);
    expect(life.newAlerts()).toEqual(['reauthorization_required']);
    life.restart(loaded(grant(1)));
    life.pass(10 * MINUTE);
    expect(life.newAlerts()).toEqual([]);
    life.server = serving();
    life.dispatch({ type: 'store_unchanged', obstacle: null });
    life.pass(10 * SECOND);
    expect(life.newAlerts()).toEqual(['restored']);
  });

  it('a failing delivery is not called off before anything was delivered', () => {
    const life = createLife();
    life.answer = refusingToken('env');
    life.dispatch(moved(grant(2)));
    life.pass(MINUTE);
    expect(life.newAlerts()).toEqual(['delivery_failed']);
    life.restart(blanked);
    expect(life.newAlerts()).toEqual(['reauthorization_required']);
  });

  it('the end of the refresh token is announced at 7, 3 and 1 days, once each', () => {
    const given = grant(1, {
      expiry: { kind: 'never' },
      refreshTokenExpiresAt: epochMs(START + 8 * DAY),
    });
    const life = createLife({ first: loaded(given) });
    const seen: string[] = [];
    for (let hours = 0; hours < 8 * 24 + 12; hours += 6) {
      life.restart(loaded(given));
      life.pass(6 * HOUR);
      seen.push(...life.newAlerts());
    }
    expect(seen).toEqual(['refresh_token_expiring', 'refresh_token_expiring', 'refresh_token_expiring']);
  });

  it('an alert that no sink took is sent again under its id', () => {
    const ids: string[] = [];
    const life = createLife({
      server: failing(INVALID_GRANT),
      answer: (effect) => {
        if (effect.type !== 'send_alert') return undefined;
        ids.push(effect.alert.id);
        return { type: 'alert_failed', kind: effect.alert.kind, id: effect.alert.id };
      },
    });
    life.pass(7 * HOUR + 40 * MINUTE);
    life.restart(loaded(grant(1)));
    expect(ids.length).toBeGreaterThan(2);
    expect(new Set(ids).size).toBe(1);
  });
});

const refusingToken =
  (target: string): LifeOptions['answer'] =>
  (effect) =>
    effect.type === 'publish_token' && effect.target === target
      ? { type: 'publish_failed', target, revision: effect.revision, code: 'disk_full', remedy: '' }
      : undefined;

/** The targets from which something was taken, in order. */
const withdrawnIn = (life: Life): readonly string[] =>
  life.effects.flatMap((effect) => (effect.type === 'withdraw_token' ? [effect.target] : []));

describe('what was published stays until it is known to be bad', () => {
  it('I8: a target that did not take the last token is emptied at the end of the one before', () => {
    const life = createLife({ targets: ['env', 'file'] });
    life.answer = refusingToken('env');
    life.dispatch(moved(grant(2, { lifeMs: 20 * HOUR })));
    life.answer = undefined;
    life.restart(missing);
    expect(withdrawnIn(life)).toEqual([]);
    life.pass(8 * HOUR);
    expect(withdrawnIn(life)).toEqual(['env']);
    life.pass(12 * HOUR);
    expect(withdrawnIn(life)).toEqual(['env', 'file']);
  });

  it('I8: a target of which no answer came before a crash is emptied when the earlier of both tokens ends', () => {
    const life = createLife({ answer: ({ type }) => (type === 'publish_token' ? null : undefined) });
    life.answer = undefined;
    life.pass(2 * MINUTE);
    life.answer = ({ type }) => (type === 'publish_token' ? null : undefined);
    life.dispatch(moved(grant(2, { lifeMs: 2 * HOUR })));
    life.answer = undefined;
    life.restart(missing);
    life.pass(HOUR);
    expect(withdrawnIn(life)).toEqual([]);
    life.pass(HOUR);
    expect(withdrawnIn(life)).toEqual(['env']);
  });

  it('I8: a target of which nothing is known is emptied at once when there is no token', () => {
    const life = createLife();
    life.restart(missing);
    expect(withdrawnIn(life)).toEqual([]);
    const stranger = createLife({ first: missing });
    expect(withdrawnIn(stranger)).toEqual(['env']);
  });

  it('F70: a store blanked while freshd was down takes nothing away before the expiry', () => {
    const life = createLife();
    life.restart(blanked);
    life.pass(7 * HOUR);
    expect(life.effects.filter(({ type }) => type === 'withdraw_token')).toEqual([]);
    life.pass(HOUR);
    expect(life.effects.filter(({ type }) => type === 'withdraw_token')).toHaveLength(1);
  });

  it('F84: a token that memory does not know gets a generation above all that can have been published', () => {
    const life = createLife();
    const memory = remember(life.state, life.now);
    const lost = life.state.generation + 40;
    const now = { wallMs: epochMs(START + HOUR), monotonicMs: monotonicMs(0) };
    const again = createLife({ memory, at: now, first: loaded(grant(3)) });
    expect(again.state.generation).toBeGreaterThan(lost);
    const same = createLife({ memory, at: now, first: loaded(grant(1)) });
    expect(same.state.generation).toBe(life.state.generation);
  });

  it('I10 F84: a generation that was given out and not remembered is not given to another token', () => {
    const life = createLife();
    const memory = remember(life.state, life.now);
    const given = life.state.generation + 1;
    const now = { wallMs: epochMs(START + HOUR), monotonicMs: monotonicMs(0) };
    const again = createLife({ memory, at: now, first: loaded(grant(1)) });
    again.dispatch(moved(grant(3, { issuedAt: START + HOUR })));
    expect(again.state.generation).toBeGreaterThan(given);
  });

  it('I10 F84: nor where the credential was latched before and after the restart', () => {
    const life = createLife({ server: failing(INVALID_GRANT) });
    life.pass(8 * HOUR);
    expect(life.state.phase.kind).toBe('reauthorization_required');
    const memory = remember(life.state, life.now);
    const given = life.state.generation + 1;
    const now = { wallMs: epochMs(life.now.wallMs + MINUTE), monotonicMs: monotonicMs(0) };
    const again = createLife({ memory, at: now, first: loaded(grant(1)) });
    expect(again.state.phase.kind).toBe('reauthorization_required');
    again.dispatch(moved(grant(3, { issuedAt: now.wallMs })));
    expect(again.state.generation).toBeGreaterThan(given);
  });

  it('a new generation starts at the epoch second', () => {
    expect(createLife().state.generation).toBe(START / 1000 + 1);
  });
});

describe('stamps from the future are dropped', () => {
  it('F48: after the clock was set back nothing waits for the time it showed', () => {
    const life = createLife({ server: failing({ class: 'config', code: 'invalid_client' }) });
    life.pass(8 * HOUR);
    const memory = remember(life.state, life.now);
    const early = { wallMs: epochMs(START - 365 * DAY), monotonicMs: monotonicMs(HOUR) };
    const state = initialState({ name: 'mail', policy: POLICY, targets: [], memory }, early);
    expect(state.lastBegan).toBeNull();
    expect(state.lastBeganAt).toBeNull();
    expect(state.bucket.refilledAt).toBe(early.monotonicMs);
    const probeDue = state.phase.kind === 'reauthorization_required' ? state.phase.probeDue : null;
    expect(probeDue).toBeLessThanOrEqual(early.monotonicMs + POLICY.limits.probeIntervalMs);
  });

  it('E1 F78: the memory of an earlier version, which kept a refusal with its latch, is understood', () => {
    const life = createLife({ server: failing({ code: 'http_502', doubt: true }) });
    life.pass(8 * HOUR);
    life.server = failing(INVALID_GRANT);
    life.pass(HOUR);
    const { refusal, ...memory } = remember(life.state, life.now);
    expect(refusal).toMatchObject({ fingerprint: 'r1', reason: 'lost_response' });
    const { reason, code, since } = memory.latch ?? {};
    const latch = { reason, code, since, fingerprint: 'r1', probeAt: null, local: false };
    const spoiled = { ...latch, reason: 'store_blanked', code: 'store_blanked', refusal: { reason, code } };
    for (const earlier of [latch, spoiled]) {
      const again = createLife({ memory: { ...memory, latch: earlier }, at: life.now, first: loaded(grant(1)) });
      again.pass(HOUR);
      expect(again.state).toMatchObject({ phase: { reason: 'lost_response' }, refusal });
      expect(again.attempts).toEqual([]);
    }
  });

  it('a memory that cannot be understood counts as none', () => {
    const now = { wallMs: START, monotonicMs: monotonicMs(0) };
    const fresh = initialState({ name: 'mail', policy: POLICY, targets: ['env'], memory: null }, now);
    for (const memory of [undefined, 7, 'x', [], {}, { generation: 'x' }, { generation: 1, attempt: 1, failures: 1 }]) {
      expect(initialState({ name: 'mail', policy: POLICY, targets: ['env'], memory }, now)).toEqual(fresh);
    }
  });
});

describe('D2: what was broken while freshd was down is said once and mends itself', () => {
  it('a store that is back ends the episode', () => {
    const life = createLife({ first: missing });
    expect(life.newAlerts()).toEqual(['first_failure']);
    life.restart(missing);
    expect(life.newAlerts()).toEqual([]);
    life.dispatch(moved(grant(1)));
    expect(life.newAlerts()).toEqual(['restored']);
    expect(describeCredential(life.state, life.now)).toMatchObject({ phase: 'fresh', status: 'usable', episode: null });
  });
});
