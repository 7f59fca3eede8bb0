import { describe, expect, it } from 'vitest';
import { epochMs, type Fingerprint } from '../../src/core/token.ts';
import { readiness, readToken } from '../../src/core/view.ts';
import {
  answering,
  blanked,
  broken,
  createLife,
  DAY,
  failing,
  grant,
  HOUR,
  type Life,
  loaded,
  MINUTE,
  missing,
  moved,
  SECOND,
  START,
  serving,
} from './life.ts';

const DUE = 7 * HOUR + 30 * MINUTE;
const INVALID_GRANT = { class: 'terminal', code: 'invalid_grant' } as const;

/** Grants that were to be written into the store, in order. */
const stored = (life: Life): (string | null)[] =>
  life.effects.flatMap((effect) => (effect.type === 'persist_token' ? [effect.answer.grant.fingerprint] : []));

describe('D1 D2: broken state is one credential’s own trouble', () => {
  it('D1 F37: nothing is sent, the reason is said, and the token in hand is served', () => {
    const life = createLife();
    life.dispatch({ type: 'state_broken', reason: 'state_broken', detail: 'no access_token', attempt: null });
    expect(life.state.phase).toMatchObject({ kind: 'reauthorization_required', reason: 'state_broken' });
    expect(life.newAlerts()).toEqual(['reauthorization_required']);
    life.pass(7 * HOUR);
    expect(life.attempts).toEqual([]);
    expect(readToken(life.state, life.now)).toMatchObject({ kind: 'token', refreshable: false });
    expect(readiness(life.state, life.now)).toEqual({ ready: true, reason: null });
  });

  it('D2: it is back by itself when the store is', () => {
    const life = createLife({ server: serving() });
    life.dispatch(blanked);
    life.newAlerts();
    life.dispatch(moved(grant(1)));
    expect(life.state.phase.kind).toBe('fresh');
    expect(life.newAlerts()).toEqual(['restored']);
  });

  it('F70: a blanked store sends nothing, its token goes at its expiry, and both are back when it is', () => {
    const life = createLife();
    life.dispatch(blanked);
    life.pass(8 * HOUR - SECOND);
    expect(readToken(life.state, life.now)).toMatchObject({ kind: 'token', refreshable: false });
    life.pass(HOUR);
    expect(life.attempts).toEqual([]);
    expect(readToken(life.state, life.now)).toMatchObject({
      kind: 'unusable',
      code: 'reauthorization_required',
      reason: 'store_blanked',
    });
    const sentinel = life.effects.findLast((effect) => effect.type === 'set_sentinel');
    expect(sentinel).toMatchObject({
      down: { since: START + 8 * HOUR, reason: 'store_blanked', code: 'store_blanked' },
    });
    life.dispatch(moved(grant(2, { issuedAt: life.now.wallMs })));
    expect(readToken(life.state, life.now)).toMatchObject({ kind: 'token', refreshable: true });
    expect(life.effects.findLast((effect) => effect.type === 'set_sentinel')).toMatchObject({ down: null });
  });

  it('a missing store begins an episode only for a credential that is required', () => {
    const alerts = [false, true].map((optional) => createLife({ first: missing, policy: { optional } }).alerts);
    expect(alerts).toEqual([['first_failure'], []]);
  });

  it('a script that makes its first token by itself needs no store', () => {
    const life = createLife({ first: missing, policy: { mintsWithoutGrant: true }, server: serving() });
    expect(life.attempts).toEqual([0]);
    expect(readToken(life.state, life.now)).toMatchObject({ kind: 'token' });
    expect(life.newAlerts()).toEqual([]);
  });
});

describe('F8: another process was faster', () => {
  it('F8: what the store holds at the begin of an attempt is adopted, and nothing is sent', () => {
    const life = createLife({
      answer: (effect, now) =>
        effect.type === 'begin_attempt'
          ? { type: 'store_changed', grant: grant(2, { issuedAt: now.wallMs }), attempt: effect.attempt }
          : undefined,
    });
    life.pass(DUE);
    expect(life.attempts).toEqual([]);
    expect(life.state).toMatchObject({ phase: { kind: 'fresh' }, grant: 'r2', episode: null });
  });

  it('F8: what it holds after invalid_grant is adopted, without an alert, and the attempt is closed', () => {
    const life = createLife({
      server: (attempt, now) => ({
        type: 'store_changed',
        grant: grant(2, { issuedAt: now.wallMs }),
        attempt,
      }),
    });
    life.pass(DUE);
    expect(life.state).toMatchObject({ phase: { kind: 'fresh' }, grant: 'r2', superseded: ['r1'] });
    expect(life.effects.filter(({ type }) => type === 'close_attempt')).toEqual([
      { type: 'close_attempt', attempt: 1, journal: 'empty' },
    ]);
    expect(life.newAlerts()).toEqual([]);
  });

  it('I11: a reading that belongs to another attempt is nothing', () => {
    const life = createLife();
    life.pass(DUE);
    const { phase } = life.state;
    life.dispatch({ type: 'store_changed', grant: grant(2), attempt: 0 });
    life.dispatch(moved(grant(2)));
    expect(life.state).toMatchObject({ phase, grant: 'r1' });
  });
});

describe('F80: what is copied over a store is no rotation', () => {
  it('F80: a refresh token that was already replaced is refused, and said', () => {
    const life = createLife({ server: serving() });
    life.pass(DUE);
    life.newAlerts();
    life.dispatch(moved(grant(1)));
    expect(life.state.phase).toMatchObject({ kind: 'reauthorization_required', code: 'superseded_grant' });
    expect(life.newAlerts()).toEqual(['reauthorization_required']);
    expect(readToken(life.state, life.now)).toMatchObject({ kind: 'token', generation: life.state.generation });
  });

  it('F80 F78: one that was in doubt or refused is not sent again from a backup, also when its file was gone in between', () => {
    for (const ending of [{ code: 'http_502', doubt: true }, INVALID_GRANT]) {
      const life = createLife({ server: failing(ending) });
      life.pass(DUE);
      life.dispatch(missing);
      life.dispatch(moved(grant(2, { issuedAt: life.now.wallMs })));
      expect(life.state.phase.kind).toBe('fresh');
      const attempts = life.attempts.length;
      life.dispatch(moved(grant(1)));
      expect(life.state.lastFailure?.code).toBe('superseded_grant');
      life.pass(HOUR);
      expect(life.attempts).toHaveLength(attempts);
    }
  });

  it('F80: the login of another account is taken over when an operator asks for it', () => {
    const other = grant(2, { account: 'bob' });
    const life = createLife({
      first: loaded(grant(1, { account: 'alice' })),
      answer: (effect) =>
        effect.type === 'begin_attempt' ? { type: 'store_changed', grant: other, attempt: effect.attempt } : undefined,
    });
    life.dispatch(moved(other));
    life.pass(HOUR);
    expect(life.state).toMatchObject({ grant: 'r1', account: 'alice', phase: { code: 'account_changed' } });
    life.dispatch({ type: 'refresh_requested', cause: 'operator', force: false });
    expect(life.state).toMatchObject({ grant: 'r2', account: 'bob', phase: { kind: 'fresh' } });
  });
});

describe('F8: a store that holds a refresh token alone', () => {
  it.each([
    { rotates: false, attempts: 1 },
    // Of one that rotates, another tool may have brought the next; two daemons would drive each other on for ever.
    { rotates: true, attempts: 0 },
  ])(
    'F8: another one there is a login, and used at once, where it never rotates: $rotates',
    ({ rotates, attempts }) => {
      const life = createLife({ server: serving(), policy: { rotates } });
      life.dispatch(moved(grant(1, { token: null })));
      expect(life.attempts).toHaveLength(0);
      life.dispatch(moved(grant(2, { token: null })));
      life.pass(MINUTE);
      expect(life.attempts).toHaveLength(attempts);
      expect(readToken(life.state, life.now).kind).toBe('token');
    },
  );
});

describe('F16: an answer that the store does not take', () => {
  const diskFull = (attempt: number) => ({ type: 'persist_failed', attempt, code: 'disk_full', winner: null }) as const;

  it('F16: is served, said to be not durable, and written again until it is; its predecessor is never sent', () => {
    const life = createLife({
      server: serving({ lifeMs: HOUR }),
      answer: (effect) => (effect.type === 'persist_token' ? diskFull(effect.attempt) : undefined),
    });
    life.pass(DUE);
    const { generation } = life.state;
    expect(readToken(life.state, life.now)).toMatchObject({ kind: 'token', generation, durable: false });
    expect(readiness(life.state, life.now)).toEqual({ ready: false, reason: 'not_durable' });
    life.effects = [];
    life.pass(3 * MINUTE);
    expect(life.effects.filter(({ type }) => type === 'persist_token').length).toBeGreaterThan(4);
    life.pass(2 * HOUR);
    expect(life.attempts).toHaveLength(1);
    expect(life.newAlerts()).toEqual(['first_failure']);
    expect(life.state.episode?.code).toBe('disk_full');
    life.answer = undefined;
    life.pass(2 * MINUTE);
    expect(life.attempts).toHaveLength(2);
    expect(life.state).toMatchObject({ unpersisted: null, superseded: ['r1', 'r1001'] });
    expect(life.newAlerts()).toEqual(['restored']);
  });

  it('F16: the old content, read once more meanwhile, does not come back', () => {
    const life = createLife({
      server: serving(),
      answer: (effect) => (effect.type === 'persist_token' ? diskFull(effect.attempt) : undefined),
    });
    life.pass(DUE);
    const { held } = life.state;
    life.dispatch(moved(grant(1)));
    expect(life.state.held).toBe(held);
    expect(life.state.unpersisted).not.toBeNull();
  });

  it('F16 D2: a store that could not be read meanwhile is usable again once it has taken the answer', () => {
    const life = createLife({
      server: serving(),
      answer: (effect) => (effect.type === 'persist_token' ? diskFull(effect.attempt) : undefined),
    });
    life.pass(DUE);
    life.dispatch(broken);
    expect(life.state.phase).toMatchObject({ kind: 'reauthorization_required', reason: 'state_broken' });
    life.answer = undefined;
    life.pass(2 * MINUTE);
    expect(life.state).toMatchObject({ phase: { kind: 'fresh' }, unpersisted: null, grant: 'r1001' });
    expect(life.newAlerts().at(-1)).toBe('restored');
    life.pass(9 * HOUR);
    expect(life.attempts.length).toBeGreaterThan(1);
  });

  it('F72: when another wrote the store meanwhile, the store wins', () => {
    const life = createLife({
      server: serving(),
      answer: (effect) =>
        effect.type === 'persist_token'
          ? { type: 'persist_failed', attempt: effect.attempt, code: 'store_changed', winner: grant(5) }
          : undefined,
    });
    life.dispatch({ type: 'refresh_requested', cause: 'operator', force: true });
    expect(life.state).toMatchObject({ grant: 'r5', unpersisted: null, held: { token: { fingerprint: 'a5' } } });
    expect(life.effects.filter(({ type }) => type === 'close_attempt')).toEqual([
      { type: 'close_attempt', attempt: 1, journal: 'set_aside' },
    ]);
  });
});

describe('who only watches', () => {
  it('follow: nothing is refreshed; at expiry it is said once, and a new token ends that', () => {
    const life = createLife({ policy: { method: 'follow' } });
    life.pass(10 * HOUR);
    expect(life.attempts).toEqual([]);
    expect(life.newAlerts()).toEqual(['first_failure']);
    expect(life.state.phase.kind).toBe('absent');
    expect(readToken(life.state, life.now)).toMatchObject({ code: 'temporarily_unavailable', reason: 'expired' });
    life.dispatch(moved(grant(2, { issuedAt: life.now.wallMs })));
    expect(life.newAlerts()).toEqual(['restored']);
  });

  it('an optional one expires in silence', () => {
    const life = createLife({ policy: { method: 'follow', optional: true } });
    life.pass(10 * HOUR);
    expect(life.newAlerts()).toEqual([]);
  });
});

describe('the store is watched', () => {
  it('A9: it is looked at every storeCheck, also when an answer was lost', () => {
    const life = createLife({
      first: loaded(grant(1, { expiry: { kind: 'never' } })),
      answer: ({ type }) => (type === 'reread_store' ? null : undefined),
    });
    life.pass(HOUR);
    const looks = life.effects.filter(({ type }) => type === 'reread_store').length;
    expect(looks).toBeGreaterThanOrEqual(55);
    expect(looks).toBeLessThanOrEqual(61);
  });

  it('the looks at many stores are spread over the interval, from the start and again after a jump', () => {
    const due = Array.from({ length: 100 }, (_, index) => {
      const policy = { jitterPercent: 10, jitterSeed: Math.imul(index + 1, 0x9e3779b1) >>> 0 };
      const life = createLife({ first: loaded(grant(1, { expiry: { kind: 'never' } })), policy });
      const atStart = life.state.storeCheckDue - life.now.monotonicMs;
      life.sleep({ wall: HOUR, monotonic: 0 });
      life.pass(HOUR);
      return { atStart, later: life.state.storeCheckDue - life.now.monotonicMs };
    });
    const seconds = (key: 'atStart' | 'later') => new Set(due.map((one) => Math.floor(one[key] / SECOND))).size;
    expect(seconds('atStart')).toBeGreaterThan(20);
    expect(seconds('later')).toBeGreaterThan(30);
  });

  it('remembers no more superseded refresh tokens than it may', () => {
    const life = createLife({ server: serving({ lifeMs: MINUTE }) });
    life.pass(10 * HOUR);
    expect(life.attempts.length).toBeGreaterThan(100);
    expect(life.state.superseded).toHaveLength(64);
  });
});

describe('answers without progress', () => {
  it('F66 F19: the same token while it is usable is no failure, and asked for at half of what is left', () => {
    const life = createLife({ server: answering(grant(1)), policy: { refreshMarginMs: 4.5 * MINUTE } });
    life.pass(8 * HOUR - SECOND);
    expect(life.attempts.map((at) => Math.round((8 * HOUR - at) / SECOND))).toEqual([270, 135, 68, 34, 17, 7]);
    expect(life.state).toMatchObject({ failures: 0, episode: null });
    life.pass(3 * SECOND);
    expect(life.newAlerts()).toEqual([]);
    life.pass(10 * SECOND);
    expect(life.newAlerts()).toContain('first_failure');
  });

  it('F14 F19: a new refresh token is kept although no access token came with it', () => {
    const life = createLife({ server: answering(grant(1, { token: null, refreshSerial: 9 })) });
    life.pass(DUE);
    expect(life.state).toMatchObject({
      grant: 'r9',
      superseded: ['r1'],
      failures: 0,
      held: { generation: life.state.generation },
    });
    expect(stored(life)).toEqual(['r9']);
  });

  it('F19: nor the same token with a new refresh token, which is stored', () => {
    const life = createLife({ server: answering(grant(1, { refreshSerial: 9 })) });
    const { generation } = life.state;
    life.pass(DUE);
    expect(life.state).toMatchObject({ grant: 'r9', generation, failures: 0, episode: null });
    expect(stored(life)).toEqual(['r9']);
  });

  it('F19: the same token once more, after it was rejected, is a failure', () => {
    const life = createLife({ server: answering(grant(1)) });
    life.dispatch({ type: 'rejection_reported', generation: life.state.generation, peer: 'p' });
    expect(life.attempts).toHaveLength(1);
    expect(life.state).toMatchObject({ failures: 1, phase: { kind: 'backing_off' } });
    expect(life.newAlerts()).toEqual(['first_failure']);
  });

  it('F18: a token that is expired on arrival is not published, and the attempt is no progress', () => {
    const late = grant(2, { issuedAt: START - DAY });
    const life = createLife({ server: answering(late) });
    const { generation } = life.state;
    life.pass(DUE);
    expect(life.state).toMatchObject({ grant: 'r2', generation, failures: 0, episode: null });
    expect(stored(life)).toEqual(['r2']);
    life.pass(HOUR);
    expect(life.state.failures).toBeGreaterThan(0);
    expect(life.state.generation).toBe(generation);
  });

  it('F20: a token that is not valid yet takes over when it is', () => {
    const life = createLife({
      server: (attempt, now) =>
        answering(grant(2, { issuedAt: now.wallMs, notBefore: epochMs(now.wallMs + 10 * MINUTE) }))(attempt, now),
    });
    const { generation } = life.state;
    life.pass(DUE + 9 * MINUTE);
    expect(life.state).toMatchObject({ generation, grant: 'r2', held: { token: { fingerprint: 'a1' } } });
    life.pass(MINUTE);
    expect(life.state).toMatchObject({
      generation: generation + 1,
      incoming: null,
      held: { token: { fingerprint: 'a2' } },
    });
    expect(life.attempts).toHaveLength(1);
  });

  it('F20: with nothing to serve, one that is valid in years only does not end the attempts', () => {
    const life = createLife({
      first: missing,
      policy: { mintsWithoutGrant: true },
      server: (attempt, now) =>
        answering(grant(2, { issuedAt: now.wallMs, lifeMs: 9 * DAY, notBefore: epochMs(now.wallMs + 8 * DAY) }))(
          attempt,
          now,
        ),
    });
    life.pass(2 * HOUR);
    expect(life.attempts.length).toBeGreaterThan(5);
    expect(life.newAlerts()).toContain('first_failure');
  });

  it('F20: a clock that runs behind the server’s makes no hot loop', () => {
    const life = createLife({
      server: (attempt, now) => serving({ issuedAt: now.wallMs + 20 * MINUTE, lifeMs: HOUR })(attempt, now),
    });
    life.pass(DUE + HOUR);
    expect(life.attempts.length).toBeLessThan(4);
  });

  it('F20 F48: a stored token from the future is refreshed once at the start', () => {
    const life = createLife({ first: loaded(grant(1, { issuedAt: START + HOUR })), server: serving() });
    expect(life.attempts).toEqual([0]);
    life.pass(HOUR);
    expect(life.attempts).toHaveLength(1);
  });

  it('F21: a token that lives 30 s is refreshed within its life, and not in a hot loop', () => {
    const life = createLife({
      first: missing,
      policy: { mintsWithoutGrant: true },
      server: serving({ lifeMs: 30 * SECOND }),
    });
    life.pass(10 * MINUTE);
    expect(life.attempts.length).toBeGreaterThanOrEqual(29);
    expect(life.attempts.length).toBeLessThanOrEqual(31);
    expect(life.newAlerts()).toEqual([]);
  });

  it('F21: nor one that lives a minute, when nobody states its issue time', () => {
    const life = createLife({
      first: missing,
      policy: { mintsWithoutGrant: true, resultInStore: true },
      server: (attempt, now) => ({
        type: 'refresh_succeeded',
        attempt,
        answer: {
          grant: {
            ...grant(attempt),
            token: {
              accessToken: 'secret',
              tokenType: 'Bearer',
              fingerprint: `b${attempt}` as Fingerprint,
              obtainedAt: null,
              notBefore: null,
              expiry: { kind: 'known', expiresAt: epochMs(now.wallMs + MINUTE) },
            },
          },
          response: null,
        },
      }),
    });
    life.pass(10 * MINUTE);
    expect(life.attempts.length).toBeLessThanOrEqual(16);
  });

  it('F22: a token that lives 60 days is refreshed on its last one', () => {
    const life = createLife({
      first: loaded(grant(1, { lifeMs: 60 * DAY })),
      policy: { storeCheckMs: DAY },
      server: serving(),
    });
    life.pass(60 * DAY);
    expect(life.attempts).toEqual([60 * DAY - 30 * MINUTE]);
  });

  it('F17 F73: an assumed expiry plans a refresh, and never withdraws or alerts', () => {
    const life = createLife({
      first: loaded(grant(1, { expiry: { kind: 'assumed', expiresAt: epochMs(START + HOUR) } })),
      server: answering(grant(1, { expiry: { kind: 'assumed', expiresAt: epochMs(START + HOUR) } })),
    });
    life.pass(3 * DAY);
    expect(life.attempts.length).toBeGreaterThan(3);
    expect(life.attempts.length).toBeLessThan(200);
    expect(life.effects.filter(({ type }) => type === 'withdraw_token')).toEqual([]);
    expect(life.newAlerts()).toEqual([]);
    expect(readToken(life.state, life.now)).toMatchObject({ kind: 'token', expiresAt: null });
  });

  it('F73: while refreshes fail for days no token is withdrawn on the strength of an assumption, nor called expired', () => {
    const life = createLife({
      first: loaded(grant(1, { expiry: { kind: 'assumed', expiresAt: epochMs(START + HOUR) } })),
      server: failing({ code: 'unreachable', unsent: true }),
    });
    life.pass(3 * DAY);
    const alerts = life.effects.flatMap((effect) => (effect.type === 'send_alert' ? [effect.alert.expiresAt] : []));
    expect(new Set(alerts)).toEqual(new Set([null]));
    expect(life.effects.filter(({ type }) => type === 'withdraw_token')).toEqual([]);
    expect(readToken(life.state, life.now)).toMatchObject({ kind: 'token' });
  });

  it('E1: a terminal failure after an answer without progress is still one episode', () => {
    const life = createLife({ server: answering(grant(1)) });
    life.pass(DUE);
    life.server = failing(INVALID_GRANT);
    life.pass(HOUR);
    expect(life.newAlerts()).toEqual(['reauthorization_required']);
  });
});
