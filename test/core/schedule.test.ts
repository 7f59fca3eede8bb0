import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nextDeadline } from '../../src/core/lifecycle.ts';
import { initialState, remember } from '../../src/core/memory.ts';
import type { Policy, RefreshWindow } from '../../src/core/policy.ts';
import {
  hold,
  jitter,
  leadOf,
  lifeLeftMs,
  refilled,
  refreshAtLifeLeftMs,
  retryPhase,
} from '../../src/core/schedule.ts';
import type { CredentialState } from '../../src/core/state.ts';
import { epochMs, monotonicMs, type Now } from '../../src/core/token.ts';
import { tokenStatus } from '../../src/core/view.ts';
import { createLife, failing, grant, HOUR, type Life, loaded, MINUTE, POLICY, SECOND, START, serving } from './life.ts';

const NOW: Now = { wallMs: START, monotonicMs: monotonicMs(1e9) };

/** Any policy that the configuration admits, small values included. */
const policies: fc.Arbitrary<Policy> = fc
  .record({
    refreshMarginMs: fc.integer({ min: SECOND, max: 2 * HOUR }),
    retryIntervalMs: fc.integer({ min: 50, max: HOUR }),
    maxRetries: fc.integer({ min: 0, max: 12 }),
    activeRecoveryIntervalMs: fc.integer({ min: 100, max: 3 * HOUR }),
    minRefreshIntervalMs: fc.integer({ min: 50, max: MINUTE }),
    maxAttemptsPerHour: fc.integer({ min: 1, max: 600 }),
    jitterPercent: fc.integer({ min: 0, max: 50 }),
    jitterSeed: fc.integer({ min: 0, max: 0xffffffff }),
  })
  .map((some) => ({ ...POLICY, ...some }));

const lives = fc.integer({ min: SECOND, max: 60 * 24 * HOUR });

const heldToken = (lifeMs: number, generation = 7) => {
  const { token } = grant(1, { lifeMs });
  if (token === null) throw new Error('expected a token');
  return hold(token, generation, NOW);
};

const stateWith = (policy: Policy, about: Partial<CredentialState>): CredentialState => ({
  ...initialState({ name: 'mail', policy, targets: [], memory: null }, NOW),
  ...about,
});

describe('when the refresh is due', () => {
  it('jitter lies in [0, 1) and is the same for the same seed', () => {
    fc.assert(
      fc.property(fc.integer(), fc.integer(), (seed, n) => {
        const value = jitter(seed, n);
        expect(value).toBeGreaterThanOrEqual(0);
        expect(value).toBeLessThan(1);
        expect(jitter(seed, n)).toBe(value);
      }),
    );
  });

  it('jitter spreads: neighbouring generations and seeds share no tenth more often than chance allows', () => {
    const tenths = Array.from({ length: 10 }, () => 0);
    for (let n = 0; n < 2000; n += 1) {
      const tenth = Math.floor(10 * jitter(n % 50, n));
      tenths[tenth] = (tenths[tenth] ?? 0) + 1;
    }
    for (const count of tenths) expect(count).toBeGreaterThan(120);
  });

  it('A2: the lead is the margin capped by a third of the life, and jitter makes it earlier by less than its percentage', () => {
    fc.assert(
      fc.property(policies, lives, (policy, lifeMs) => {
        const { marginMs, jitterMs } = leadOf(policy, heldToken(lifeMs));
        expect(marginMs).toBe(Math.min(policy.refreshMarginMs, lifeMs / 3));
        expect(jitterMs).toBeGreaterThanOrEqual(0);
        expect(jitterMs).toBeLessThanOrEqual((marginMs * policy.jitterPercent) / 100);
      }),
    );
  });

  it('A2: it is due no later than expiry minus the capped lead, and never before half of the life has passed', () => {
    fc.assert(
      fc.property(policies, lives, (policy, lifeMs) => {
        const at = refreshAtLifeLeftMs(policy, heldToken(lifeMs));
        expect(at).toBeGreaterThanOrEqual(Math.min(policy.refreshMarginMs, lifeMs / 3));
        expect(at).toBeLessThanOrEqual(lifeMs / 2);
      }),
    );
  });

  /** Five minutes past every hour. */
  const hourly: RefreshWindow = {
    cron: '5 * * * *',
    timeZone: 'UTC',
    latestIn: (_, { from, to }) => {
      const last = Math.floor((to - 5 * MINUTE) / HOUR) * HOUR + 5 * MINUTE;
      return last > from ? last : null;
    },
  };

  it('A2: a window moves the refresh to its last moment before it is due, never past that, and never into the first half', () => {
    fc.assert(
      fc.property(policies, fc.oneof(lives, fc.integer({ min: MINUTE, max: 4 * HOUR })), (policy, lifeMs) => {
        const held = heldToken(lifeMs);
        const dueMs = lifeMs - (refreshAtLifeLeftMs(policy, held) ?? 0);
        const atMs = lifeMs - (refreshAtLifeLeftMs({ ...policy, window: hourly }, held) ?? 0);
        const preferred = hourly.latestIn(hourly, { from: START, to: START + dueMs });
        const isLate = preferred !== null && preferred - START > dueMs / 2;
        expect(atMs).toBeCloseTo(isLate ? preferred - START : dueMs, 3);
      }),
    );
  });

  it('a window that passed while nobody was there is not made up for', () => {
    const { token } = grant(1, { issuedAt: START - 40 * MINUTE, lifeMs: 90 * MINUTE });
    if (token === null) throw new Error('expected a token');
    const windowed = { ...POLICY, window: hourly };
    const heldAt = (wallMs: number) => hold(token, 7, { wallMs: epochMs(wallMs), monotonicMs: NOW.monotonicMs });
    const inTime = refreshAtLifeLeftMs(windowed, heldAt(START - 40 * MINUTE));
    expect([inTime, refreshAtLifeLeftMs(windowed, heldAt(START + 6 * MINUTE))]).toEqual([45 * MINUTE, 30 * MINUTE]);
  });

  it('with an issue time that nobody knows the lead is the margin', () => {
    const { token } = grant(1, { issuedAt: null, lifeMs: MINUTE });
    expect(token && leadOf(POLICY, hold(token, 1, NOW)).marginMs).toBe(POLICY.refreshMarginMs);
  });
});

describe('when a retry is due', () => {
  it('A3: all retries fit before expiry, unless the floor forbids it, and none comes later than the interval says', () => {
    fc.assert(
      fc.property(policies, lives, (policy, lifeMs) => {
        const held = heldToken(lifeMs);
        const leadMs = refreshAtLifeLeftMs(policy, held) ?? 0;
        const began = NOW.monotonicMs + lifeMs - leadMs;
        let at = began;
        for (let failures = 1; failures <= policy.maxRetries; failures += 1) {
          const now = { wallMs: epochMs(START + at - NOW.monotonicMs), monotonicMs: monotonicMs(at) };
          const state = stateWith(policy, { held, failures, attempt: failures, lastBegan: monotonicMs(at) });
          const { kind, due } = retryPhase(state, now);
          expect(kind).toBe('backing_off');
          expect(due - at).toBeLessThanOrEqual(policy.retryIntervalMs);
          at = due;
        }
        expect(at).toBeLessThanOrEqual(NOW.monotonicMs + lifeMs);
      }),
    );
  });

  it('F79: no wait spans the expiry', () => {
    fc.assert(
      fc.property(
        policies,
        lives,
        fc.integer({ min: 0, max: 20 }),
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        (policy, lifeMs, failures, part) => {
          const held = heldToken(lifeMs);
          const passedMs = lifeMs * part;
          const now = { wallMs: epochMs(START + passedMs), monotonicMs: monotonicMs(NOW.monotonicMs + passedMs) };
          const left = lifeLeftMs(held, now) ?? 0;
          const state = stateWith(policy, {
            held,
            failures: Math.min(failures, policy.maxRetries + 1),
            lastBegan: now.monotonicMs,
          });
          expect(retryPhase(state, now).due - now.monotonicMs).toBeLessThanOrEqual(left);
        },
      ),
    );
  });
});

describe('the budget', () => {
  it('holds whole attempts, never more than the burst, and refills at its rate', () => {
    fc.assert(
      fc.property(
        policies,
        fc.integer({ min: 0, max: 6 }),
        fc.array(fc.integer({ min: 0, max: HOUR }), { maxLength: 20 }),
        (policy, attempts, waits) => {
          let state = stateWith(policy, { bucket: { attempts, refilledAt: NOW.monotonicMs } });
          let at = NOW.monotonicMs as number;
          for (const wait of waits) {
            at += wait;
            state = { ...state, bucket: refilled(state, { wallMs: epochMs(at), monotonicMs: monotonicMs(at) }) };
            expect(Number.isInteger(state.bucket.attempts)).toBe(true);
          }
          const earned = ((at - NOW.monotonicMs) * policy.maxAttemptsPerHour) / HOUR;
          expect(state.bucket.attempts).toBeLessThanOrEqual(Math.min(6, attempts + earned + 1e-6));
          expect(state.bucket.attempts).toBeGreaterThanOrEqual(Math.min(6, Math.floor(attempts + earned - 1e-6)));
        },
      ),
    );
  });
});

/** Drives a credential by its own deadlines alone; the builder checks after every step that the next one lies ahead. */
function liveThrough(life: Life, ms: number): void {
  life.pass(ms);
  expect(nextDeadline(life.state, life.now)).toBeGreaterThan(0);
  for (const value of [life.state.failures, life.state.rateLimitDoublings, life.state.bucket.attempts]) {
    expect(Number.isSafeInteger(value)).toBe(true);
  }
}

/** The most attempts in any hour. */
const busiestHour = (attempts: readonly number[]): number =>
  Math.max(0, ...attempts.map((from) => attempts.filter((at) => at >= from && at < from + HOUR).length));

const longestSilence = (attempts: readonly number[], end: number): number =>
  Math.max(...attempts.map((at, index) => (attempts[index + 1] ?? end) - at));

describe('A5 A11 I6: an always-failing credential over 24 virtual hours', () => {
  const servers = fc.constantFrom(
    failing({ code: 'unreachable', unsent: true }),
    failing({ code: 'http_503', doubt: true }),
    failing({ class: 'rate_limited', code: 'slow_down' }),
    failing({ class: 'not_auth', code: 'http_403' }),
  );

  it('never rests for long, and never hurries', { timeout: 120_000 }, () => {
    fc.assert(
      fc.property(policies, servers, fc.integer({ min: SECOND, max: 2 * HOUR }), (policy, server, lifeMs) => {
        const life = createLife({
          policy: { ...policy, storeCheckMs: HOUR },
          first: loaded(grant(1, { lifeMs })),
          server,
        });
        liveThrough(life, 24 * HOUR);
        const perHour = POLICY.limits.attemptBurst + Math.max(30, policy.maxAttemptsPerHour) + 2;
        expect(busiestHour(life.attempts)).toBeLessThanOrEqual(perHour);
        const restMs = Math.max(
          policy.activeRecoveryIntervalMs,
          policy.retryIntervalMs,
          2 * MINUTE,
          policy.minRefreshIntervalMs,
        );
        expect(life.attempts[0]).toBeLessThanOrEqual(lifeMs);
        expect(longestSilence(life.attempts, 24 * HOUR)).toBeLessThanOrEqual(restMs + 1);
        expect(tokenStatus(life.state, life.now)).toBe('expired');
        expect(life.state.alerts.length).toBeLessThanOrEqual(8);
      }),
      { numRuns: 60 },
    );
  });

  it('F21: tokens of any life, once they come, are never refreshed faster than the floor, and never run out', {
    timeout: 120_000,
  }, () => {
    fc.assert(
      fc.property(policies, fc.integer({ min: 90 * SECOND, max: 4 * HOUR }), (policy, lifeMs) => {
        const life = createLife({
          policy: {
            ...policy,
            storeCheckMs: HOUR,
            minRefreshIntervalMs: Math.min(policy.minRefreshIntervalMs, 20 * SECOND),
          },
          first: loaded(grant(1, { lifeMs })),
          server: serving({ lifeMs }),
        });
        liveThrough(life, 6 * HOUR);
        expect(life.attempts.length).toBeLessThanOrEqual((6 * HOUR) / (lifeMs / 2) + 1);
        expect(life.effects.some(({ type }) => type === 'withdraw_token')).toBe(false);
        expect(life.newAlerts()).toEqual([]);
      }),
      { numRuns: 60 },
    );
  });
});

describe('memory', () => {
  const anything = fc.oneof(
    fc.constant('tick' as const),
    fc.constant('fail' as const),
    fc.constant('serve' as const),
    fc.constant('limit' as const),
    fc.constant('refuse' as const),
    fc.constant('report' as const),
    fc.constant('operator' as const),
    fc.constant('jump' as const),
  );

  it('says after a restart what it said before, whatever has happened', { timeout: 60_000 }, () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(anything, fc.integer({ min: 0, max: 3 * HOUR })), { maxLength: 12 }), (story) => {
        const life = createLife({ server: serving({ lifeMs: HOUR }) });
        for (const [what, ms] of story) {
          happen(life, what);
          life.pass(ms);
        }
        const before = remember(life.state, life.now);
        const memory: unknown = JSON.parse(JSON.stringify(before));
        const again = initialState({ name: 'mail', policy: POLICY, targets: ['env'], memory }, life.now);
        const sent = (alerts: typeof before.alerts) =>
          alerts.map(({ alert, status }) => ({ alert, status: status === 'sent' ? 'sent' : 'failed' }));
        const after = remember(again, life.now);
        expect({ ...after, alerts: sent(after.alerts) }).toEqual({ ...before, alerts: sent(before.alerts) });
        expect(JSON.stringify(before)).not.toContain('secret');
      }),
      { numRuns: 200 },
    );
  });
});

function happen(
  life: Life,
  what: 'tick' | 'fail' | 'serve' | 'limit' | 'refuse' | 'report' | 'operator' | 'jump',
): void {
  switch (what) {
    case 'tick':
      life.dispatch({ type: 'tick' });
      return;
    case 'fail':
      life.server = failing({ code: 'timeout', doubt: true });
      return;
    case 'serve':
      life.server = serving({ lifeMs: HOUR });
      return;
    case 'limit':
      life.server = failing({ class: 'rate_limited', code: 'slow_down', retryAfterMs: 2 * HOUR });
      return;
    case 'refuse':
      life.server = failing({ class: 'terminal', code: 'invalid_grant' });
      return;
    case 'report':
      life.dispatch({ type: 'rejection_reported', generation: life.state.generation, peer: 'p' });
      return;
    case 'operator':
      life.dispatch({ type: 'refresh_requested', cause: 'operator', force: true });
      return;
    case 'jump':
      life.sleep({ wall: 2 * HOUR, monotonic: SECOND });
  }
}
