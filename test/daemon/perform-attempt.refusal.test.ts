/** What an attempt makes of a refusal: the store is watched without its lock, and looked at again under it. */
import { expect, test } from 'vitest';
import { PortError } from '../../src/daemon/ports.ts';
import { build, REFUSED, ROTATED } from './attempt-arrange.ts';
import { fingerprint } from './fakes.ts';

test('F8: a refusal of what another process rotated meanwhile is no verdict: its grant is adopted', async () => {
  const { begin, run, store, events } = build({ outcome: REFUSED });
  await begin();
  store.reading = ROTATED;
  await run();
  expect(events.at(-1)).toMatchObject({
    type: 'store_changed',
    attempt: 1,
    grant: { fingerprint: fingerprint('refresh-2') },
  });
});

test('F7: a refusal of what the store still holds is a verdict', async () => {
  const { begin, run, events } = build({ outcome: REFUSED });
  await begin();
  await run();
  expect(events.at(-1)).toMatchObject({ type: 'refresh_failed', failure: { code: 'invalid_grant' } });
});

test('F8 F41: a refusal is no verdict while the store cannot be read again, and no bug of ours', async () => {
  const { begin, run, store, events, log } = build({ outcome: REFUSED });
  await begin();
  store.trouble = new PortError('too many files are open', { code: 'too_many_files', remedy: 'raise the limit' });
  await run();
  expect(events.at(-1)).toMatchObject({
    type: 'refresh_failed',
    failure: { class: 'transient', code: 'too_many_files' },
  });
  expect(log.of('internal_error')).toEqual([]);
});

test('F8: a refusal is no verdict on a store that cannot be understood any more, nor on one that is gone or blanked', async () => {
  const readings = [
    [
      { kind: 'broken', detail: 'cut off' },
      { type: 'state_broken', reason: 'state_broken' },
    ],
    [
      { kind: 'blanked', detail: 'empty' },
      { type: 'state_broken', reason: 'store_blanked' },
    ],
    [{ kind: 'missing', detail: 'no such file' }, { type: 'token_missing' }],
  ] as const;
  const ended = readings.map(async ([reading, event]) => {
    const { begin, run, store, events } = build({ outcome: REFUSED });
    await begin();
    store.reading = reading;
    await run();
    expect(events.at(-1)).toMatchObject({ ...event, attempt: 1 });
  });
  await Promise.all(ended);
});

test('F8: where the store held nothing before, a refusal is a verdict', async () => {
  const { begin, run, store, events } = build({ outcome: REFUSED, policy: { mintsWithoutGrant: true } });
  store.reading = { kind: 'missing', detail: 'no such file' };
  await begin(1, null);
  await run();
  expect(events.at(-1)).toMatchObject({ type: 'refresh_failed', failure: { code: 'invalid_grant' } });
});

test('F8: while the store is watched after a refusal another process can lock it, and what that stores is adopted', async () => {
  const { begin, run, store, events, attempts } = build({ outcome: REFUSED });
  await begin();
  const { read } = store;
  let reads = 0;
  store.read = async () => {
    reads += 1;
    if (reads === 2) {
      expect(store.locked).toBe(false);
      const unlock = await store.lock(0, 'write');
      store.reading = ROTATED;
      await unlock();
    }
    return read();
  };
  await run();
  expect(events.at(-1)).toMatchObject({ type: 'store_changed', grant: { fingerprint: fingerprint('refresh-2') } });
  await attempts.close('a', { type: 'close_attempt', attempt: 1, journal: 'empty' });
  expect(store.locked).toBe(false);
});

test('F7 F8: the last look after a refusal is made under the lock, and not made while another process keeps it', async () => {
  const { begin, run, store, events, attempts } = build({ outcome: REFUSED });
  await begin();
  const { read, lock } = store;
  const looks: boolean[] = [];
  store.read = () => {
    looks.push(store.locked);
    return read();
  };
  await run();
  expect(looks.at(-1)).toBe(true);
  expect(looks.slice(0, -1)).not.toContain(true);
  expect(events.at(-1)).toMatchObject({ type: 'refresh_failed', failure: { code: 'invalid_grant' } });
  await attempts.close('a', { type: 'close_attempt', attempt: 1, journal: 'empty' });
  expect(store.locked).toBe(false);

  await begin(2);
  store.lock = () => Promise.reject(new PortError('another holds it', { code: 'store_busy', remedy: '' }));
  await run(2);
  expect(events.at(-1)).toMatchObject({ type: 'refresh_failed', failure: { class: 'transient', code: 'store_busy' } });
  store.lock = lock;
});

test('an attempt that is given up while its store is watched leaves no lock behind', async () => {
  const { begin, run, store, attempts } = build({ outcome: REFUSED });
  await begin();
  const running = run();
  await expect.poll(() => store.locked).toBe(false);
  await attempts.close('a', { type: 'close_attempt', attempt: 1, journal: 'keep' });
  await running;
  expect(store.locked).toBe(false);
});

test('F8: a store that can be read again within the poll is judged by what it holds', async () => {
  const { begin, run, store, events } = build({ outcome: REFUSED });
  await begin();
  const { read } = store;
  let reads = 0;
  store.read = async () => {
    reads += 1;
    if (reads === 1) throw new PortError('too many files are open', { code: 'too_many_files', remedy: '' });
    store.reading = ROTATED;
    return read();
  };
  await run();
  expect(events.at(-1)).toMatchObject({ type: 'store_changed', grant: { fingerprint: fingerprint('refresh-2') } });
});
