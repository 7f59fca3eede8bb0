/** A real daemon whose attempt journal is taken away, damaged, exchanged and barred under its hands, and between its lives. */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { expect, onTestFinished, test } from 'vitest';
import { createAttemptJournal } from '../../src/adapters/attempt-journal.ts';
import { SLOT_BYTES } from '../../src/adapters/journal-slot.ts';
import { configure, demo, eventually, is, refreshed, stored } from './arrange.ts';
import { journalEntry, type Ledger, startLedger } from './ledger.ts';
import { createWorkshop, type Workshop } from './workshop.ts';

interface Scene {
  readonly workshop: Workshop;
  readonly ledger: Ledger;
  readonly journal: string;
}

/** Tokens of two seconds, so that there is always a refresh under way soon. */
async function arrange(): Promise<Scene> {
  const ledger = await startLedger({ lifeSeconds: 2 });
  onTestFinished(() => ledger.server.close());
  const workshop = createWorkshop();
  const refresh = { oauth: { tokenEndpoint: ledger.server.tokenEndpoint, clientId: 'demo' } };
  configure(workshop, { demo: demo(ledger.server, { refresh }) });
  ledger.seed(workshop);
  return { workshop, ledger, journal: workshop.path('state/journal/demo.journal') };
}

const swapped = (bytes: Buffer) =>
  Buffer.concat([
    bytes.subarray(SLOT_BYTES, 2 * SLOT_BYTES),
    bytes.subarray(0, SLOT_BYTES),
    bytes.subarray(2 * SLOT_BYTES),
  ]);

/** What is done to the file while an answer is on its way. */
const DAMAGES: readonly (readonly [string, (path: string) => void])[] = [
  ['deleted', unlinkSync],
  ['emptied', (path) => truncateSync(path, 0)],
  ['cut off', (path) => truncateSync(path, 1000)],
  ['overwritten', (path) => writeFileSync(path, 'x'.repeat(3 * SLOT_BYTES))],
  ['swapped', (path) => writeFileSync(path, swapped(readFileSync(path)))],
  ['made 0400', (path) => chmodSync(path, 0o400)],
];

test('F37: whatever happens to its file while an answer is on its way, none is lost and nothing is sent twice', async () => {
  const { workshop, ledger, journal } = await arrange();
  const left = [...DAMAGES];
  const successors: number[] = [];
  ledger.onDecided((decision) => {
    successors.push(decision.successors);
    left.shift()?.[1](journal);
  });
  const daemon = await workshop.start().ready();
  // Two more, which go by what came after the last damage.
  await eventually(() => successors.length >= DAMAGES.length + 2);
  expect(await daemon.end('SIGTERM')).toBe(0);
  expect(new Set(successors)).toEqual(new Set([0]));
  expect(stored(workshop).refresh_token).toBe(ledger.current());
  // Of those, three leave nothing that can be understood; where all bytes were gone, they are not missed.
  const kept = readdirSync(workshop.path('state/journal')).filter((name) => name.includes('.broken-'));
  expect(daemon.records.filter(is('journal_set_aside')).map(({ path }) => path)).toEqual(
    kept.map((name) => workshop.path(`state/journal/${name}`)),
  );
  expect(kept.length).toBeGreaterThanOrEqual(2);
});

test.each<readonly [string, (path: string) => void, (path: string) => void]>([
  ['a directory', (path) => mkdirSync(path), rmdirSync],
  ['a symlink', (path) => symlinkSync('/dev/null', path), unlinkSync],
  ['a FIFO', (path) => void execFileSync('mkfifo', [path]), unlinkSync],
])(
  'F37 F41: while %s stands in its place nothing is sent, also by the next daemon, until that is gone',
  async (_, bar, unbar) => {
    const { workshop, ledger, journal } = await arrange();
    const first = await workshop.start().ready();
    await first.until(refreshed);
    await eventually(() => journalEntry(workshop.path('state')) === null);
    rmSync(journal);
    bar(journal);
    const isRefused = (why: string) => first.until(({ event, code }) => event === 'refresh_failed' && code === why);
    expect(await isRefused('journal_failed')).toMatchObject({
      class: 'transient',
      detail: expect.stringContaining(journal),
    });
    const sent = ledger.server.state().requests.token;
    await first.end('SIGKILL');

    const second = await workshop.start().ready();
    expect(await second.until(is('journal_unreadable'))).toMatchObject({
      code: 'journal_failed',
      remedy: expect.stringContaining(journal),
    });
    await second.until(({ event, code }) => event === 'refresh_failed' && code === 'left_run_alive');
    expect(ledger.server.state().requests.token).toBe(sent);
    unbar(journal);
    await second.until(refreshed);
    expect(await second.end('SIGTERM')).toBe(0);
    expect(stored(workshop).refresh_token).toBe(ledger.current());
  },
);

test.each([
  ['an attempt open', false],
  ['an answer that was replaced long ago', true],
] as const)(
  'F80 F72: a state directory from a backup that shows %s gives way to a newer store',
  async (_, isAnswered) => {
    const { workshop, ledger } = await arrange();
    const [state, backup] = [workshop.path('state'), workshop.path('backup')];
    const successors: number[] = [];
    let firstAnswer = '';
    ledger.onDecided((decision) => {
      successors.push(decision.successors);
      if (successors.length !== 1) return;
      firstAnswer = ledger.current();
      cpSync(`${state}/journal`, `${backup}/journal`, { recursive: true });
      cpSync(`${state}/credentials`, `${backup}/credentials`, { recursive: true });
    });
    const first = await workshop.start().ready();
    await eventually(() => successors.length >= 3);
    expect(await first.end('SIGTERM')).toBe(0);
    expect(stored(workshop).refresh_token).toBe(ledger.current());

    for (const part of ['journal', 'credentials']) rmSync(`${state}/${part}`, { recursive: true });
    cpSync(backup, state, { recursive: true });
    for (const part of ['journal', 'credentials']) chmodSync(`${state}/${part}`, 0o700);
    const entry = journalEntry(state);
    expect(entry).toMatchObject({ response: null });
    if (isAnswered && entry !== null) {
      const response = { access_token: 'at-old', refresh_token: firstAnswer, expires_in: 60 };
      await createAttemptJournal(`${state}/journal`).write('demo', { ...entry, response });
    }
    const second = await workshop.start().ready();
    await second.until(refreshed);
    await eventually(() => journalEntry(state) === null);
    expect(await second.end('SIGTERM')).toBe(0);
    expect(new Set(successors)).toEqual(new Set([0]));
    expect(stored(workshop).refresh_token).toBe(ledger.current());
  },
);
