/** A hook makes programs read what was published: it must not be there before it. */
import { expect, test } from 'vitest';
import { LIMITS } from '../../src/core/policy.ts';
import { daemonOnFakes } from './fake-daemon.ts';
import {
  deferred,
  type FakePublisher,
  fakeJournal,
  fakePublisher,
  fakeRefresh,
  fakeStore,
  managed,
  manualAlarm,
  manualClock,
  until,
} from './fakes.ts';

const HOUR_MS = 3_600_000;
const answer = () => ({
  kind: 'response' as const,
  response: { access_token: 'access-2', refresh_token: 'refresh-2', expires_in: 36_000 },
});

/** Notes what the others held when it was called. */
function watchingHook(follows: readonly string[], others: readonly FakePublisher[]) {
  const hook = Object.assign(fakePublisher('hook'), { follows });
  const seen: unknown[] = [];
  hook.act = async () => void seen.push(others.map(({ told }) => told.at(-1)));
  return { hook, seen };
}

test('a hook finds each new token in the files, and no token after a withdrawal', async () => {
  const clock = manualClock();
  const alarm = manualAlarm();
  const env = fakePublisher('env');
  const file = fakePublisher('file');
  const slow = deferred();
  const { hook, seen } = watchingHook(['a'], [env, file]);
  const store = fakeStore();
  const credential = managed('a', { store, publishers: [hook, env, file] }, { method: 'follow' });
  const sentinels: unknown[] = [];
  const sentinel = { set: async (_: string, down: unknown) => void sentinels.push(down) };
  const daemon = daemonOnFakes({ clock, alarm, credentials: [credential], sentinel });
  await daemon.start();
  expect(seen).toEqual([['access-1', 'access-1']]);
  file.act = () => slow.promise;
  clock.pass(HOUR_MS);
  alarm.ring();
  await until(() => file.told.length === 2 && sentinels.length === 2);
  expect(seen).toHaveLength(1);
  slow.resolve();
  await until(() => seen.length === 2);
  expect(seen[1]).toEqual([null, null]);
  await daemon.stop();
});

test("the hook of a chain finds the member's own token file too, although that waits for the journal", async () => {
  const clock = manualClock();
  const alarm = manualAlarm();
  const journal = fakeJournal();
  const emptied = deferred();
  const { empty } = journal;
  journal.empty = (name) => emptied.promise.then(() => empty(name));
  const file = fakePublisher('file');
  const env = fakePublisher('env');
  const { hook, seen } = watchingHook(['a', 'any'], [env, file]);
  const credential = managed('a', { refresh: fakeRefresh(answer), publishers: [file] });
  const targets = [env, hook].map(({ id }) => ({ id, of: null }));
  const spec = { name: 'any', members: [{ credential: 'a', settleMs: 0 }], targets };
  const chain = { spec: { ...spec, policy: { alerts: [], limits: LIMITS } }, publishers: [env, hook] };
  const daemon = daemonOnFakes({ clock, alarm, journal, credentials: [credential], chains: [chain] });
  await daemon.start();
  clock.pass(HOUR_MS - 60_000);
  alarm.ring();
  await until(() => env.told.at(-1) === 'access-2');
  expect([file.told.at(-1), seen]).toEqual(['access-1', [['access-1', 'access-1']]]);
  emptied.resolve();
  await until(() => seen.length === 2);
  expect(seen[1]).toEqual(['access-2', 'access-2']);
  await daemon.stop();
});
