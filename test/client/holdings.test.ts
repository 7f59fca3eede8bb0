import { describe, expect, test } from 'vitest';
import type { PhaseEvent, TokenEvent } from '../../src/api/protocol.ts';
import { createHoldings } from '../../src/client/holdings.ts';

const NOON_MS = Date.UTC(2026, 10, 22, 12);

const token = (generation: number, changes: Partial<TokenEvent> = {}): TokenEvent => ({
  credential: 'claude',
  access_token: `at-${generation}`,
  token_type: 'Bearer',
  scheme: 'bearer',
  expires_at: new Date(NOON_MS + 60_000).toISOString(),
  generation,
  refreshable: true,
  durable: true,
  ...changes,
});

const phase = (changes: Partial<PhaseEvent> = {}): PhaseEvent => ({
  credential: 'claude',
  phase: 'fresh',
  reason: null,
  status: 'usable',
  refreshable: true,
  generation: 41,
  rejection_pending: false,
  remedy: null,
  ...changes,
});

function arrange() {
  const clock = { nowMs: NOON_MS };
  const holdings = createHoldings(() => clock.nowMs);
  holdings.takeToken(token(41));
  holdings.takePhase(phase());
  return { clock, holdings };
}

describe('a held token', () => {
  test('is given out until its very end, also when nobody says that it ended', () => {
    const { clock, holdings } = arrange();
    clock.nowMs = NOON_MS + 59_999;
    expect(holdings.token('claude').generation).toBe(41);
    clock.nowMs = NOON_MS + 60_000;
    expect(() => holdings.token('claude')).toThrow(/no usable token/);
    expect(holdings.valid('claude')).toBe(null);
  });

  test('without an expiry is given out for ever', () => {
    const { clock, holdings } = arrange();
    holdings.takeToken(token(42, { expires_at: null }));
    clock.nowMs += 1e12;
    expect(holdings.token('claude')).toMatchObject({ generation: 42, expiresAt: null });
  });

  test('is never replaced by an older generation that arrives late', () => {
    const { holdings } = arrange();
    expect(holdings.takeToken(token(42))?.generation).toBe(42);
    expect(holdings.takeToken(token(41))).toBe(null);
    expect(holdings.token('claude').generation).toBe(42);
  });

  test.each(['expired', 'rejected', 'none'] as const)('is given out no more once the daemon calls it %s', (status) => {
    const { holdings } = arrange();
    holdings.takePhase(phase({ status }));
    expect(holdings.valid('claude')).toBe(null);
  });

  test('that is stale is given out, and asked for', () => {
    const { holdings } = arrange();
    const needed: string[] = [];
    holdings.onNeed = (name) => needed.push(name);
    holdings.token('claude');
    holdings.markStale();
    expect([holdings.token('claude').stale, needed]).toEqual([true, ['claude']]);
  });

  test('is vouched for again by a connection that goes on, and dropped by a new beginning that does not name it', () => {
    const { holdings } = arrange();
    holdings.markStale();
    holdings.beginSnapshot();
    holdings.endSnapshot(true);
    expect(holdings.token('claude').stale).toBe(false);
    holdings.beginSnapshot();
    holdings.endSnapshot(false);
    expect([holdings.names(), holdings.valid('claude')]).toEqual([[], null]);
  });

  test('goes with its credential', () => {
    const { holdings } = arrange();
    holdings.takePhase(phase({ phase: 'removed', status: 'none' }));
    expect([holdings.names(), holdings.valid('claude')]).toEqual([[], null]);
  });
});

test('a phase is told once', () => {
  const { holdings } = arrange();
  expect(holdings.takePhase(phase())).toBe(null);
  expect(holdings.takePhase(phase({ rejection_pending: true }))).toMatchObject({ rejectionPending: true });
});
