import { expect, test } from 'vitest';
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
  const run = () => reconcile(credential, { journal, leftRuns, clock, log, fingerprint, bootId: 'boot-1' });
  return { clock, journal, leftRuns, log, store, run };
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

test('a damaged journal is said, and keeps nobody from starting', async () => {
  const { run, journal, log } = build(entry());
  journal.read = async () => {
    throw new PortError('damaged', { code: 'journal_failed', remedy: 'remove it' });
  };
  expect(await run()).toBeNull();
  expect(log.of('journal_unreadable')).toMatchObject([{ level: 'error', fields: { code: 'journal_failed' } }]);
});

test('F72: what was set aside comes with the first event, beside an attempt that was under way with it', async () => {
  const { journal, leftRuns, clock, log, store } = build(
    entry({ fingerprint: fingerprint('refresh-2'), found: fingerprint('refresh-1') }),
  );
  journal.setAsides.set('a', entry({ response: DATED }));
  const tools = { journal, leftRuns, clock, log, fingerprint, bootId: 'boot-1' };
  const event = await createReconciler(tools).firstEvent(managed('a', { store }));
  expect(event).toMatchObject({
    type: 'token_loaded',
    journal: { fingerprint: fingerprint('refresh-2'), found: fingerprint('refresh-1'), answer: null },
    setAside: { response: DATED, grant: { fingerprint: fingerprint('refresh-2') } },
  });
});

test('a first event carries what the journal showed, whatever the store held', () => {
  const open = { attempt: 7, fingerprint: null, beganAt: tokens().obtainedAt ?? (0 as never), answer: null };
  const missing = { type: 'token_missing', detail: '', attempt: null } as const;
  expect(withJournal(missing, { journal: open, setAside: null })).toEqual({ ...missing, journal: open });
  expect(withJournal(missing, { journal: null, setAside: null })).toEqual(missing);
});
