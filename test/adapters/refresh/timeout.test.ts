import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, onTestFinished, test } from 'vitest';
import { endProcesses } from '../../../src/adapters/refresh/process-group.ts';
import { startTimeOf } from '../../../src/adapters/refresh/process-table.ts';
import { alive, failureOf, kill, requestFor, runningScript } from './running-script.ts';

/** Long enough for a script to write down its pids on a busy machine; the scripts themselves never end. */
const LIMITS = { timeoutMs: 1_500, killGraceMs: 200 };

describe('a run that does not end', () => {
  test('A4, F24: is ended at its timeout, with its child, before the result is told', async () => {
    const script = runningScript(['slow.sh'], LIMITS);
    const outcome = script.run();
    const pids = await script.pids();
    expect(alive(pids)).toEqual(pids);
    expect(failureOf(await outcome)).toMatchObject({
      class: 'transient',
      code: 'timeout',
      doubt: true,
      unsent: false,
    });
    expect(alive(pids)).toEqual([]);
    expect(script.spools()).toEqual([]);
    expect(script.logged).toEqual([
      {
        level: 'warn',
        event: 'refresh_script_ended',
        fields: { credential: 'demo', attempt: 1, code: 'timed_out', processes: 2, survivors: 0 },
      },
    ]);
  });

  test('A4, F26: a script and a child that ignore SIGTERM are killed after the grace', async () => {
    const script = runningScript(['ignores-term.sh'], LIMITS);
    const outcome = script.run();
    const pids = await script.pids();
    expect(failureOf(await outcome)).toMatchObject({ code: 'timeout', doubt: true });
    expect(alive(pids)).toEqual([]);
  });

  test('F77: a complete answer before the timeout is a success, and the run is still swept', async () => {
    const script = runningScript(['prints-then-hangs.sh'], LIMITS);
    const outcome = script.run();
    const pids = await script.pids();
    expect(await outcome).toMatchObject({ kind: 'response', response: { refresh_token: 'new-refresh-token' } });
    expect(alive(pids)).toEqual([]);
  });

  test('A4, F25: children in sessions of their own, without parent or environment, do not survive', async (context) => {
    if (process.platform !== 'linux') context.skip('setsid and /proc are needed; not here');
    const script = runningScript(['setsid-child.sh'], LIMITS);
    const request = requestFor('1');
    const outcome = script.run(request);
    const pids = await script.pids();
    expect(pids).toHaveLength(3);
    expect(alive(pids)).toEqual(pids);

    const strangers = [bystander({}), bystander({ FRESHD_RUN_ID: `${request.runId}0` })];
    expect(failureOf(await outcome)).toMatchObject({ code: 'timeout' });
    expect(alive(pids)).toEqual([]);
    expect(alive(strangers)).toEqual(strangers);
  });

  test('F25: the next run starts only when nothing of the former lives', async () => {
    const script = runningScript(['ignores-term.sh'], LIMITS);
    const first = script.run();
    const pids = await script.pids();
    expect(failureOf(await script.run(requestFor('2')))).toMatchObject({ code: 'script_still_running', unsent: true });
    await first;
    expect(alive(pids)).toEqual([]);
    const third = script.run(requestFor('3'));
    script.refresh.cancel(3);
    expect(failureOf(await third).code).toBe('cancelled');
  });

  test('a cancelled run is ended with all its processes', async () => {
    const script = runningScript(['ignores-term.sh']);
    const outcome = script.run();
    const pids = await script.pids();
    script.refresh.cancel(1);
    expect(failureOf(await outcome)).toMatchObject({ class: 'transient', code: 'cancelled', doubt: true });
    expect(alive(pids)).toEqual([]);
  });
});

test('F27: a script that prints for ever is ended', async () => {
  const script = runningScript(['floods.sh']);
  expect(failureOf(await script.run())).toMatchObject({ class: 'transient', code: 'output_too_large', doubt: true });
  expect(alive(script.started.map(({ pid }) => pid))).toEqual([]);
});

describe('a run that ended by itself', () => {
  test('F25: a child that holds stdout and stderr open neither delays the result nor is killed', async () => {
    const script = runningScript(['holds-the-pipe.sh']);
    expect(await script.run()).toMatchObject({ kind: 'response' });
    const pids = await script.pids();
    expect(alive(pids)).toEqual(pids);
  });

  test('F86: an agent that it started lives on', async (context) => {
    if (process.platform !== 'linux') context.skip('setsid is needed; not here');
    const script = runningScript(['forks-daemon.sh']);
    expect(await script.run()).toMatchObject({ kind: 'response' });
    const pids = await script.pids();
    expect(alive(pids)).toEqual(pids);
  });

  test('F25: also a run that failed is not swept', async () => {
    const script = runningScript(['fails-leaving-a-child.sh']);
    expect(failureOf(await script.run())).toMatchObject({ code: 'exit_1' });
    const pids = await script.pids();
    expect(alive(pids)).toEqual(pids);
  });
});

describe('endProcesses', () => {
  test('leaves alone who has got the pid of a run that is gone', async () => {
    const pid = bystander({});
    const ended = await endProcesses({ leader: { pid, startTime: '1' }, marker: 'FRESHD_RUN_ID=x', graceMs: 100 });
    expect(ended).toEqual({ processes: 0, survivors: [] });
    expect(alive([pid])).toEqual([pid]);
  });

  test('the identity of a process is its pid and its start time', (context) => {
    if (!existsSync('/proc/self/stat')) context.skip('/proc is needed; not here');
    const fields = readFileSync('/proc/self/stat', 'utf8').split(') ')[1]?.split(' ');
    expect(startTimeOf(process.pid)).toBe(fields?.[19]);
    expect(startTimeOf(999_999_999)).toBeNull();
  });
});

/** A process that is none of the run's. */
function bystander(environment: Record<string, string>): number {
  const child = spawn('sleep', ['300'], { env: { PATH: process.env.PATH, ...environment }, detached: true });
  onTestFinished(async () => {
    kill(pid);
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  });
  const pid = child.pid ?? Number.NaN;
  return pid;
}
