import { expect, test } from 'vitest';
import type { Event } from '../../src/core/event.ts';
import { type JournalEntry, PortError } from '../../src/daemon/ports.ts';
import { createReconciler, reconcile, withJournal } from '../../src/daemon/reconcile.ts';
import {
  fakeJournal,
  fakeLeftRuns,
  fakeStore,
  fingerprint,
  keptLog,
  managed,
  manualClock,
  tokens,
  until,
  WALL_START_MS,
} from './fakes.ts';

const RESPONSE = { access_token: 'access-2', refresh_token: 'refresh-2', expires_in: 3_600 };
const DATED = { ...RESPONSE, obtained_at: '2026-11-01T00:00:00.000Z' };
const PROCESS = { pid: 4711, startTime: '1' };

const entry = (changes: Partial<JournalEntry> = {}): JournalEntry => ({
  attempt: 7,
  fingerprint: fingerprint('refresh-1'),
  account: null,
  runId: 'run-0',
  process: PROCESS,
  bootId: 'boot-1',
  beganAt: WALL_START_MS,
  response: null,
  ...changes,
});

function build(left: JournalEntry | null, policy: Parameters<typeof managed>[2] = {}) {
  const [clock, journal, leftRuns, log] = [manualClock(), fakeJournal(), fakeLeftRuns(), keptLog()];
  if (left !== null) journal.entries.set('a', left);
  const store = fakeStore();
  const credential = managed('a', { store }, policy);
  const tools = { journal, leftRuns, clock, log, fingerprint, bootId: 'boot-1' };
  const run = () => reconcile(credential, tools, () => undefined);
  const reconciler = createReconciler(tools);
  const late: Event[] = [];
  const first = () => reconciler.firstEvent(credential, (event) => late.push(event));
  return { clock, journal, leftRuns, log, store, run, reconciler, first, late };
}

test('an empty journal asks nobody anything', async () => {
  const { run, leftRuns } = build(null);
  expect(await run()).toBeNull();
  expect(leftRuns.asked).toEqual([]);
});

test('F33: an answer in the journal is what it holds, and no process is looked for', async () => {
  const { run, leftRuns } = build(entry({ response: DATED }));
  const open = await run();
  expect(open).toMatchObject({ attempt: 7, fingerprint: fingerprint('refresh-1'), beganAt: WALL_START_MS });
  expect(open?.answer).toMatchObject({ response: DATED, grant: { fingerprint: fingerprint('refresh-2') } });
  expect(leftRuns.asked).toEqual([]);
});

test('F71: what still runs gets the rest of its time, and its answer is in the journal before anything else', async () => {
  const { run, leftRuns, journal, clock } = build(entry());
  leftRuns.answer = async () => ({ isOver: true, response: RESPONSE });
  clock.pass(20_000);
  const open = await run();
  expect(leftRuns.asked).toEqual([{ runId: 'run-0', process: PROCESS, waitMs: 40_000, graceMs: 5_000 }]);
  expect(open?.answer).toMatchObject({ response: DATED, grant: { fingerprint: fingerprint('refresh-2') } });
  expect(journal.entries.get('a')?.response).toEqual(DATED);
});

test.each([
  ['another boot', { bootId: 'boot-0' }, { process: null, waitMs: 0 }],
  ['an attempt that has used its time', { beganAt: WALL_START_MS - 600_000 }, { process: PROCESS, waitMs: 0 }],
  ['a clock that was set back', { beganAt: WALL_START_MS + 600_000 }, { process: PROCESS, waitMs: 60_000 }],
])('after %s nobody waits longer than an attempt may take', async (_name, changes, asked) => {
  const { run, leftRuns } = build(entry(changes));
  expect(await run()).toMatchObject({ answer: null });
  expect(leftRuns.asked).toMatchObject([asked]);
});

test('F15: an answer without a refresh token goes with the stored one, if that is what was sent', async () => {
  const response = { access_token: 'access-2', expires_in: 60 };
  const same = await build(entry({ response })).run();
  expect(same?.answer?.grant.fingerprint).toBe(fingerprint('refresh-1'));
  const other = build(entry({ response }));
  other.store.reading = { kind: 'tokens', tokens: tokens({ refreshToken: 'refresh-9' }) };
  expect(await other.run()).toMatchObject({ answer: null });
});

test('with `result: store` the store alone is asked', async () => {
  const { run, leftRuns } = build(entry(), { resultInStore: true });
  leftRuns.answer = async () => ({ isOver: true, response: RESPONSE });
  expect(await run()).toMatchObject({ attempt: 7, answer: null });
  expect(leftRuns.asked).toHaveLength(1);
});

test('F37: a damaged journal is said, keeps nobody from starting, and leaves it open what was sent', async () => {
  const { run, journal, log } = build(entry());
  journal.read = async () => {
    throw new PortError('damaged', { code: 'journal_damaged', remedy: 'remove it' });
  };
  expect(await run()).toMatchObject({ fingerprint: null, answer: null, isIllegible: true });
  expect(log.of('journal_unreadable')).toMatchObject([{ level: 'error', fields: { code: 'journal_damaged' } }]);
});

test('I1 F33: a journal that cannot be read at the start keeps everything from being sent until it can', async () => {
  const { first, late, journal, reconciler, log } = build(entry({ response: DATED }));
  const { read } = journal;
  let reads = 0;
  journal.read = async (name) => {
    reads += 1;
    if (reads === 1) throw new PortError('too many files are open', { code: 'journal_failed', remedy: '' });
    return read(name);
  };
  expect(await first()).toMatchObject({ type: 'token_loaded', grant: { fingerprint: fingerprint('refresh-1') } });
  expect(reconciler.isReconciling('a')).toBe(true);
  await until(() => late.length === 1);
  expect(late).toMatchObject([{ type: 'token_loaded', journal: { attempt: 7, answer: { response: DATED } } }]);
  expect(log.of('journal_unreadable')).toHaveLength(1);
  expect(reconciler.isReconciling('a')).toBe(false);
});

test('F72: what was set aside comes with the first event, beside an attempt that was under way with it', async () => {
  const { journal, first } = build(entry({ fingerprint: fingerprint('refresh-2'), found: fingerprint('refresh-1') }));
  journal.setAsides.set('a', entry({ response: DATED }));
  expect(await first()).toMatchObject({
    type: 'token_loaded',
    journal: { fingerprint: fingerprint('refresh-2'), found: fingerprint('refresh-1'), answer: null },
    setAside: { response: DATED, grant: { fingerprint: fingerprint('refresh-2') } },
  });
});

test('F71: what survives its end keeps the rest waiting until it is gone; the store is told at once', async () => {
  const { first, late, leftRuns, reconciler, log } = build(entry());
  let isOver = false;
  leftRuns.answer = async () => ({ isOver, response: null });
  expect(await first()).toEqual({ type: 'token_loaded', grant: expect.objectContaining({ hasRefreshToken: true }) });
  expect(reconciler.isReconciling('a')).toBe(true);
  expect(log.of('left_run_survives')).toMatchObject([{ level: 'error', fields: { credential: 'a', attempt: 7 } }]);
  await until(() => leftRuns.asked.length >= 2);
  expect(late).toEqual([]);
  isOver = true;
  await until(() => !reconciler.isReconciling('a'));
  expect(late).toMatchObject([{ type: 'token_loaded', journal: { attempt: 7, answer: null } }]);
  expect(log.of('left_run_over')).toHaveLength(1);
  await reconciler.finished();
});

test('F71: an answer is not kept waiting by what survives; only sending is', async () => {
  const { first, leftRuns, reconciler } = build(entry());
  let isOver = false;
  leftRuns.answer = async () => ({ isOver, response: RESPONSE });
  expect(await first()).toMatchObject({ journal: { answer: { response: DATED } } });
  expect(reconciler.isReconciling('a')).toBe(true);
  isOver = true;
  await until(() => !reconciler.isReconciling('a'));
});

test('what the journal showed is not lost when the store cannot be read at first, nor for want of a disk', async () => {
  const { first, late, leftRuns, journal, store, log } = build(entry());
  leftRuns.answer = async () => ({ isOver: true, response: RESPONSE });
  journal.trouble = new PortError('full', { code: 'journal_failed', remedy: '' });
  store.trouble = new PortError('EIO', { code: 'io_error', remedy: '' });
  expect(await first()).toMatchObject({ type: 'store_unchanged' });
  store.trouble = null;
  await until(() => late.length === 1);
  expect(late).toMatchObject([{ type: 'token_loaded', journal: { attempt: 7, answer: { response: DATED } } }]);
  expect(log.of('journal_unreadable')).toHaveLength(1);
});

test('a first event carries what the journal showed, whatever the store held', () => {
  const open = { attempt: 7, fingerprint: null, beganAt: tokens().obtainedAt ?? (0 as never), answer: null };
  const missing = { type: 'token_missing', detail: '', attempt: null } as const;
  expect(withJournal(missing, { journal: open, setAside: null })).toEqual({ ...missing, journal: open });
  expect(withJournal(missing, { journal: null, setAside: null })).toEqual(missing);
});
