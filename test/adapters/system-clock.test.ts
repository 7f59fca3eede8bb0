import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createAlarm, systemClock } from '../../src/adapters/system-clock.ts';
import type { AlarmPort } from '../../src/daemon/ports.ts';
import { bundleProgram } from './child-program.ts';

const YEAR_MS = 365 * 86_400_000;

describe('the clock', () => {
  test('has whole milliseconds, and a monotonic part that never steps back', () => {
    let last = systemClock.now();
    for (let reading = 0; reading < 1000; reading += 1) {
      const now = systemClock.now();
      expect(Number.isInteger(now.wallMs) && Number.isInteger(now.monotonicMs)).toBe(true);
      expect(now.monotonicMs).toBeGreaterThanOrEqual(last.monotonicMs);
      last = now;
    }
  });

  test('does not move its monotonic part when the wall clock is set', () => {
    vi.useFakeTimers();
    const before = systemClock.now();
    vi.setSystemTime(before.wallMs + YEAR_MS);
    const after = systemClock.now();
    expect(after.wallMs - before.wallMs).toBe(YEAR_MS);
    expect(after.monotonicMs).toBe(before.monotonicMs);
    vi.useRealTimers();
  });
});

describe('the alarm on real timers', () => {
  test.each([-5, 0, 1, 2, 20])('rings for a delay of %i ms', async (delayMs) => {
    const alarm = createAlarm();
    await new Promise<void>((resolve) => alarm.set(delayMs, resolve));
  });

  test('rings once, and can be set again from its own ring', async () => {
    const alarm = createAlarm();
    let rings = 0;
    await new Promise<void>((resolve) => {
      const ring = (): void => {
        rings += 1;
        if (rings === 5) resolve();
        else alarm.set(1, ring);
      };
      alarm.set(1, ring);
    });
    expect(rings).toBe(5);
  });

  test('F51: after a standstill it rings when what arrived meanwhile was heard', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'freshd-alarm-'));
    const server = createServer();
    try {
      const alarm = createAlarm();
      server.listen(join(directory, 'socket'));
      const client = connect(join(directory, 'socket'));
      const [socket] = await once(server, 'connection');
      const order: string[] = [];
      const heard = once(socket, 'data').then(() => order.push('heard'));
      const rang = new Promise<void>((resolve) => alarm.set(10, resolve)).then(() => order.push('rang'));
      client.write('an answer');
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50);
      await Promise.all([heard, rang]);
      expect(order).toEqual(['heard', 'rang']);
      client.destroy();
    } finally {
      server.close();
      rmSync(directory, { recursive: true });
    }
  });

  test('a bug in its ring ends the process rather than the schedule', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'freshd-alarm-'));
    try {
      const program = await bundleProgram(
        directory,
        `import { createAlarm } from './adapters/system-clock.ts';
         createAlarm().set(Number(process.argv[2]), () => { throw new Error('a bug'); });
         setTimeout(() => console.log('lives on'), 20_000);`,
      );
      for (const delay of ['0', '20']) {
        const run = spawnSync(process.execPath, [program, delay], { encoding: 'utf8' });
        expect({ status: run.status, stdout: run.stdout }).toEqual({ status: 1, stdout: '' });
        expect(run.stderr).toContain('a bug');
      }
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});

describe('the alarm on set clocks', () => {
  let alarm: AlarmPort;
  let rung: string[];
  const ring = (name: string) => () => void rung.push(name);

  beforeEach(() => {
    vi.useFakeTimers();
    alarm = createAlarm();
    rung = [];
  });
  afterEach(() => {
    alarm.clear();
    vi.useRealTimers();
  });

  test('does not ring before its time', async () => {
    alarm.set(10_000, ring('a'));
    await vi.advanceTimersByTimeAsync(9_990);
    expect(rung).toEqual([]);
    await vi.advanceTimersByTimeAsync(20);
    expect(rung).toEqual(['a']);
  });

  test('setting it replaces the former, earlier or later, also for the same moment', async () => {
    alarm.set(5_000, ring('a'));
    alarm.set(10_000, ring('b'));
    alarm.set(10_000, ring('c'));
    await vi.advanceTimersByTimeAsync(20_000);
    expect(rung).toEqual(['c']);
    alarm.set(10_000, ring('d'));
    alarm.set(5_000, ring('e'));
    await vi.advanceTimersByTimeAsync(20_000);
    expect(rung).toEqual(['c', 'e']);
  });

  test('a cleared one does not ring, and leaves no timer', async () => {
    alarm.set(10_000, ring('a'));
    alarm.clear();
    alarm.clear();
    expect(vi.getTimerCount()).toBe(0);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(rung).toEqual([]);
  });

  test('is one: a thousand settings leave one job and its back-stop', () => {
    for (let delayMs = 1; delayMs <= 1000; delayMs += 1) alarm.set(delayMs * 20, ring('a'));
    expect(vi.getTimerCount()).toBe(2);
  });

  test('F22: sleeps 30 s at most, however far the deadline', async () => {
    for (const delayMs of [60 * 86_400_000, 2 ** 40, Number.POSITIVE_INFINITY]) {
      rung = [];
      alarm.set(delayMs, ring('a'));
      await vi.advanceTimersByTimeAsync(29_990);
      expect(rung).toEqual([]);
      await vi.advanceTimersByTimeAsync(300);
      expect(rung).toEqual(['a']);
    }
  });

  test('F47: rings in time although the wall clock is set ahead', async () => {
    alarm.set(10_000, ring('a'));
    vi.setSystemTime(Date.now() + YEAR_MS);
    await vi.advanceTimersByTimeAsync(10_300);
    expect(rung).toEqual(['a']);
  });

  test('F48: rings in time although the wall clock is set back by a year', async () => {
    alarm.set(10_000, ring('a'));
    await vi.advanceTimersByTimeAsync(5_000);
    vi.setSystemTime(Date.now() - YEAR_MS);
    await vi.advanceTimersByTimeAsync(5_300);
    expect(rung).toEqual(['a']);
  });
});
