/** Real processes, left behind as a killed daemon leaves them: in a session of their own, printing into spools of another owner. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, openSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { createLeftRuns } from '../../../src/adapters/refresh/left-runs.ts';
import { startTimeOf } from '../../../src/adapters/refresh/process-table.ts';

const ANSWER = { access_token: 'access-2', refresh_token: 'refresh-2', expires_in: 60 };
const RUN = { runId: 'run-1', process: null, waitMs: 0, graceMs: 200 };

function place() {
  const spoolDirectory = mkdtempSync(join(tmpdir(), 'freshd-left-'));
  onTestFinished(() => rmSync(spoolDirectory, { recursive: true, force: true }));
  const spool = join(spoolDirectory, 'run-1.999999999-1.stdout');
  const logged: unknown[] = [];
  const left = createLeftRuns({ spoolDirectory, log: (...record) => logged.push(record) });
  return { spoolDirectory, spool, left, logged };
}

/** @returns the leader of a run that does this */
function leave(spool: string, script: string) {
  const stdout = openSync(spool, 'a', 0o600);
  const child = spawn('/bin/sh', ['-c', script], {
    detached: true,
    stdio: ['ignore', stdout, 'ignore'],
    env: { PATH: process.env.PATH, FRESHD_RUN_ID: 'run-1' },
  });
  const pid = child.pid ?? 0;
  return { leader: { pid, startTime: startTimeOf(pid) }, exit: once(child, 'exit') };
}

/** States of the processes of that group, as `ps` sees them; who is dead and only not yet collected does not count. */
function membersOf(group: number): readonly string[] {
  const all = execFileSync('ps', ['-A', '-o', 'pgid=', '-o', 'stat='], { encoding: 'utf8' }).trim().split('\n');
  const own = all.map((line) => line.trim().split(/\s+/)).filter(([pgid]) => Number(pgid) === group);
  return own.map(([, state = '']) => state).filter((state) => !state.startsWith('Z'));
}

test('F33: what a script had printed when the daemon was killed is its answer', async () => {
  const { left, spool } = place();
  writeFileSync(spool, JSON.stringify(ANSWER));
  expect(await left.settle(RUN)).toEqual({ isOver: true, response: ANSWER });
});

test.each(['', '{"access_token": "acc', '{"error": "invalid_grant"}', 'refreshed'])(
  'F30: %j is no answer',
  async (text) => {
    const { left, spool } = place();
    writeFileSync(spool, text);
    expect(await left.settle(RUN)).toEqual({ isOver: true, response: null });
  },
);

test.each([
  ['noted', true],
  ['found by its run id alone', false],
])('F71: a script that still runs, %s, is waited for, and its answer taken', async (_how, isNoted) => {
  const { left, spool } = place();
  const { leader, exit } = leave(spool, `sleep 0.3; printf '%s' '${JSON.stringify(ANSWER)}'`);
  const settled = await left.settle({ ...RUN, process: isNoted ? leader : null, waitMs: 20_000 });
  expect(settled).toEqual({ isOver: true, response: ANSWER });
  await exit;
});

test.each([
  ['noted', true],
  ['found by its run id alone', false],
])('F71: a script that has no time left, %s, is ended with its group before anything else', async (_how, isNoted) => {
  const { left, spool } = place();
  const { leader, exit } = leave(spool, 'sleep 600 & wait');
  await expect.poll(() => membersOf(leader.pid).length).toBe(2);
  const settled = await left.settle({ ...RUN, process: isNoted ? leader : null });
  expect(settled).toEqual({ isOver: true, response: null });
  const [, signal] = await exit;
  expect(signal).toBe('SIGTERM');
  expect(membersOf(leader.pid)).toEqual([]);
});

test('a pid that belongs to somebody else by now is left alone', async () => {
  const { left } = place();
  const stranger = { pid: process.pid, startTime: '1' };
  expect(await left.settle({ ...RUN, process: stranger, waitMs: 20_000 })).toEqual({ isOver: true, response: null });
});

test('without a spool directory nothing was printed, and there is nothing to sweep', async () => {
  const { logged } = place();
  const left = createLeftRuns({ spoolDirectory: '/nowhere/spool', log: (...record) => logged.push(record) });
  expect(await left.settle(RUN)).toEqual({ isOver: true, response: null });
  left.sweep();
  expect(logged).toEqual([]);
});

test('a sweep removes what was left', () => {
  const { left, spool, spoolDirectory, logged } = place();
  writeFileSync(spool, 'left');
  left.sweep();
  expect(readdirSync(spoolDirectory)).toEqual([]);
  expect(logged).toEqual([['info', 'stale_spools_removed', { files: 1 }]]);
});
