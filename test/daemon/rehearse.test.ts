import { expect, test } from 'vitest';
import { LIMITS } from '../../src/core/policy.ts';
import type { CredentialState } from '../../src/core/state.ts';
import { epochMs } from '../../src/core/token.ts';
import { rehearse, rehearseChain } from '../../src/daemon/rehearse.ts';
import {
  fakePublisher,
  fakeRefresh,
  fakeStore,
  fingerprint,
  managed,
  manualClock,
  tokens,
  WALL_START_MS,
} from './fakes.ts';

function build() {
  const store = fakeStore();
  const publisher = fakePublisher('envFile:/x#T');
  const refresh = fakeRefresh(() => ({ kind: 'stored' }));
  const credential = managed('a', { store, refresh, publishers: [publisher] });
  const say = async () => (await rehearse(credential, { now: manualClock().now, fingerprint })).lines.join('\n');
  return { store, publisher, refresh, say };
}

test('A18: a rehearsal says what would be published and when the next refresh would be, and does neither', async () => {
  const { store, publisher, refresh, say } = build();
  const text = await say();
  expect(text).toMatch(/would publish to envFile:\/x#T/);
  expect(text).toMatch(/next refresh in 50 min/);
  expect([publisher.told, refresh.requests, store.locks, store.writes]).toEqual([[], [], 0, []]);
  expect(text).not.toMatch(/access-1|refresh-1/);
});

test('an expired token would be refreshed at once; a missing program is said', async () => {
  const { store, refresh, say } = build();
  const expired = { kind: 'known', expiresAt: epochMs(WALL_START_MS - 1) } as const;
  store.reading = { kind: 'tokens', tokens: tokens({ expiry: expired }) };
  refresh.blocker = {
    class: 'config',
    code: 'script_missing',
    doubt: false,
    unsent: true,
    origin: 'local',
    retryAfterMs: null,
    detail: 'expected ./r.sh',
  };
  expect(await say()).toMatch(/would refresh at once \(expired\)[\s\S]*cannot be refreshed: script_missing: expected/);
});

test('a broken store is said to be broken, with what would be alerted', async () => {
  const { store, say } = build();
  store.reading = { kind: 'broken', detail: 'expected JSON' };
  expect(await say()).toMatch(/would alert: reauthorization_required/);
});

test('A18: of a chain it says who would be in use, what the others lack, and what would be published', async () => {
  const { store, publisher } = build();
  const options = { now: manualClock().now, fingerprint };
  store.reading = { kind: 'missing', detail: 'no file' };
  const states = new Map<string, CredentialState>();
  for (const [name, its] of Object.entries({ a: store, b: fakeStore() })) {
    const { state } = await rehearse(managed(name, { store: its }), options);
    if (state !== null) states.set(name, state);
  }
  const spec = {
    name: 'any',
    members: ['a', 'b'].map((credential) => ({ credential, settleMs: 10_000 })),
    targets: [{ id: publisher.id, of: null }],
    policy: { alerts: [], limits: LIMITS },
  };
  expect(rehearseChain(spec, states, options.now())).toEqual([
    'any: b is in use for 0 s',
    '  would publish to envFile:/x#T',
    '  instead of a: none (token_missing)',
    '  a: none (token_missing); skipped',
    '  b: in use',
  ]);
  expect(publisher.told).toEqual([]);
});
