import { describe, expect, it } from 'vitest';
import { ALERT_KINDS } from '../../src/core/policy.ts';
import { epochMs } from '../../src/core/token.ts';
import {
  createLife,
  DAY,
  failing,
  failure,
  grant,
  HOUR,
  loaded,
  MINUTE,
  moved,
  SECOND,
  START,
  serving,
} from './life.ts';

const DUE = 7 * HOUR + 30 * MINUTE;
const UNREACHABLE = { code: 'unreachable', unsent: true };
const INVALID_GRANT = { class: 'terminal', code: 'invalid_grant' } as const;

describe('A8: each message once in an episode', () => {
  it('A8: first failure, third in a row, recovery begun, restored', () => {
    const life = createLife({ server: failing(UNREACHABLE) });
    const told: [number, string][] = [];
    for (let minute = 0; minute <= 120; minute += 5) {
      life.pass(minute === 0 ? DUE : 5 * MINUTE);
      told.push(...life.newAlerts().map((kind): [number, string] => [minute, kind]));
      if (minute === 100) life.server = serving();
    }
    expect(told).toEqual([
      [0, 'first_failure'],
      [10, 'escalated'],
      [25, 'recovering'],
      [120, 'restored'],
    ]);
  });

  it('A8: each is switchable; an episode that nobody heard of ends in silence', () => {
    const kinds = ['first_failure', 'escalated', 'recovering', 'restored'] as const;
    const told = kinds.map((kind) => {
      const life = createLife({
        server: failing(UNREACHABLE),
        policy: { alerts: ALERT_KINDS.filter((other) => other !== kind) },
      });
      life.pass(9 * HOUR);
      life.server = serving();
      life.pass(HOUR);
      return life.alerts;
    });
    expect(told).toEqual(kinds.map((kind) => kinds.filter((other) => other !== kind)));
    const silent = createLife({ server: failing(UNREACHABLE), policy: { alerts: ['restored'] } });
    silent.pass(9 * HOUR);
    silent.server = serving();
    silent.pass(HOUR);
    expect(silent.alerts).toEqual([]);
  });

  it('E3: a latch says one thing only, and again only where reminders are wanted', () => {
    const life = createLife({ server: failing(INVALID_GRANT) });
    life.pass(10 * DAY);
    expect(life.newAlerts()).toEqual(['reauthorization_required']);
    const reminded = createLife({ server: failing(INVALID_GRANT), policy: { reminderMs: DAY } });
    reminded.pass(DUE + 3 * DAY + HOUR);
    expect(reminded.newAlerts()).toEqual(Array.from({ length: 4 }, () => 'reauthorization_required'));
    const ids = reminded.effects.flatMap((effect) => (effect.type === 'send_alert' ? [effect.alert.id] : []));
    expect(new Set(ids).size).toBe(4);
  });

  it('E3: a login that comes to the same is asked for again, also when its access token had expired before', () => {
    const life = createLife({ server: failing(INVALID_GRANT) });
    life.pass(DAY);
    expect(life.newAlerts()).toEqual(['reauthorization_required']);
    life.dispatch(moved(grant(2)));
    life.pass(DAY);
    expect(life.newAlerts()).toEqual(['reauthorization_required']);
    // What was refused already is no new login.
    life.dispatch(moved(grant(2)));
    life.pass(DAY);
    expect(life.newAlerts()).toEqual([]);
    life.server = serving();
    life.dispatch(moved(grant(3)));
    life.pass(HOUR);
    expect(life.newAlerts()).toEqual(['restored']);
  });

  it('what was affected and how long it took is in the last message', () => {
    const life = createLife({ server: failing(UNREACHABLE) });
    life.pass(DUE + 20 * MINUTE);
    life.server = serving();
    life.pass(5 * MINUTE);
    const last = life.effects.findLast((effect) => effect.type === 'send_alert');
    expect(last).toEqual({
      type: 'send_alert',
      alert: {
        id: `mail:restored:${START + DUE + 25 * MINUTE}`,
        kind: 'restored',
        at: START + DUE + 25 * MINUTE,
        episodeStartedAt: START + DUE,
        failures: 0,
        code: 'unreachable',
        expiresAt: START + DUE + 25 * MINUTE + 8 * HOUR,
        target: null,
      },
    });
  });
});

describe('a sink that takes nothing', () => {
  it('is tried again under the same ids, ever more seldom, and the list does not grow', () => {
    const life = createLife({
      server: failing(UNREACHABLE),
      answer: (effect) =>
        effect.type === 'send_alert'
          ? { type: 'alert_failed', kind: effect.alert.kind, id: effect.alert.id }
          : undefined,
    });
    life.pass(DUE + DAY);
    const ids = life.effects.flatMap((effect) => (effect.type === 'send_alert' ? [effect.alert.id] : []));
    expect(new Set(ids).size).toBe(3);
    expect(ids.length).toBeLessThan(3 * 35);
    expect(life.state.alerts).toHaveLength(3);
  });

  it('is given what was never accepted again when its answer is lost', () => {
    const life = createLife({
      server: failing(INVALID_GRANT),
      answer: ({ type }) => (type === 'send_alert' ? null : undefined),
    });
    life.pass(DUE + 2 * MINUTE + SECOND);
    const ids = life.effects.flatMap((effect) => (effect.type === 'send_alert' ? [effect.alert.id] : []));
    expect(ids).toHaveLength(3);
    expect(new Set(ids).size).toBe(1);
  });
});

describe('before the refresh token itself ends', () => {
  it('7, 3 and 1 days, once each, also when its end wanders by seconds with every answer', () => {
    const end = START + 8 * DAY;
    let wander = 0;
    const life = createLife({
      first: loaded(grant(1, { refreshTokenExpiresAt: epochMs(end) })),
      server: (attempt, now) => {
        wander = (wander + 7919) % 3000;
        return serving({ refreshTokenExpiresAt: epochMs(end + wander - 1500) })(attempt, now);
      },
    });
    life.pass(8 * DAY);
    expect(life.attempts.length).toBeGreaterThan(20);
    expect(life.newAlerts()).toEqual(Array.from({ length: 3 }, () => 'refresh_token_expiring'));
  });

  it('a refresh token that ends when it is idle is warned of from its last use, also over a restart', () => {
    const life = createLife({ policy: { refreshTokenIdleMs: 8 * DAY }, server: serving() });
    life.pass(3 * DAY);
    expect([life.newAlerts(), life.attempts.length > 5]).toEqual([[], true]);
    life.server = failing({ code: 'unreachable', unsent: true });
    const lastUse = life.state.lastSucceededAt;
    expect(life.state.refreshTokenExpiresAt).toBe((lastUse ?? 0) + 8 * DAY);
    life.pass(4 * DAY);
    const { grant: fingerprint } = life.state;
    life.restart(
      loaded({ ...grant(1, { issuedAt: null }), token: null, fingerprint: fingerprint ?? grant(1).fingerprint }),
    );
    life.pass(4 * DAY);
    expect(life.newAlerts().filter((kind) => kind === 'refresh_token_expiring')).toHaveLength(3);
  });

  it('an end that is stated counts more than the idle time', () => {
    const stated = epochMs(START + 2 * DAY);
    const life = createLife({
      first: loaded(grant(1, { refreshTokenExpiresAt: stated })),
      policy: { refreshTokenIdleMs: 90 * DAY },
    });
    expect(life.state.refreshTokenExpiresAt).toBe(stated);
  });

  it('a later end is warned of anew', () => {
    const life = createLife({
      first: loaded(grant(1, { refreshTokenExpiresAt: epochMs(START + DAY) })),
      server: serving({ refreshTokenExpiresAt: epochMs(START + 10 * DAY) }),
    });
    expect(life.newAlerts()).toEqual(['refresh_token_expiring']);
    life.pass(2 * DAY);
    expect(life.newAlerts()).toEqual([]);
    life.pass(2 * DAY);
    expect(life.newAlerts()).toEqual(['refresh_token_expiring']);
  });

  it('a token found with two days left is warned of once at once, and once more on the last', () => {
    const life = createLife({
      first: loaded(grant(1, { expiry: { kind: 'never' }, refreshTokenExpiresAt: epochMs(START + 2 * DAY) })),
    });
    expect(life.effects.findLast((effect) => effect.type === 'send_alert')).toMatchObject({
      alert: { code: '2_days' },
    });
    life.pass(2 * DAY);
    expect(life.newAlerts()).toHaveLength(2);
  });
});

describe('A8: nobody is told of what is no trouble', () => {
  it('an attempt that runs longer than a retry takes is not called a trouble while it runs', () => {
    const policy = { retryIntervalMs: 10 * SECOND, refreshTimeoutMs: MINUTE };
    const life = createLife({ server: () => 'hang', policy, first: loaded(grant(9, { lifeMs: -MINUTE })) });
    life.pass(30 * SECOND);
    expect([life.state.phase.kind, life.newAlerts()]).toEqual(['refreshing', []]);
  });

  it('an attempt that our own stop ended is no failure of the credential', () => {
    const life = createLife({ server: () => 'hang' });
    life.pass(DUE);
    life.dispatch({ type: 'stopping' });
    const { attempt } = life.state;
    life.dispatch({ type: 'refresh_failed', attempt, failure: failure({ code: 'cancelled' }) });
    expect([life.state.phase.kind, life.state.failures, life.newAlerts()]).toEqual(['stopped', 0, []]);
  });
});
