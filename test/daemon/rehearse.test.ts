import { expect, test } from 'vitest';
import { epochMs } from '../../src/core/token.ts';
import { rehearse } from '../../src/daemon/rehearse.ts';
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
