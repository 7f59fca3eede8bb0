import { expect, test } from 'vitest';
import type { Pulse, ServiceSign } from '../../src/core/progress.ts';
import { createLifeSigns } from '../../src/daemon/life-signs.ts';
import type { ServiceManagerPort } from '../../src/daemon/system-ports.ts';
import { keptLog, manualClock, stateOf } from './fakes.ts';

const WATCHDOG_MS = 60_000;

function arrange(watchdogMs: number | null = WATCHDOG_MS) {
  const clock = manualClock();
  const log = keptLog();
  const told: ServiceSign[] = [];
  let look: (() => void) | null = null;
  let everyMs = 0;
  let pulse: Pulse = null;
  const manager: ServiceManagerPort = {
    watchdogMs,
    tell: (sign) => told.push(sign),
    every(intervalMs, next) {
      [everyMs, look] = [intervalMs, next];
      return () => {
        look = null;
      };
    },
  };
  const state = stateOf('demo', clock);
  const daemon = { names: () => ['demo'], state: () => state, now: clock.now, pulse: () => pulse };
  return {
    signs: createLifeSigns({ manager, log }),
    daemon,
    log,
    told,
    kinds: () => told.splice(0).map(({ kind }) => kind),
    everyMs: () => everyMs,
    looks: (passMs: number) => {
      clock.pass(passMs);
      look?.();
    },
    isLooking: () => look !== null,
    wakeUpIn: (ms: number) => {
      const { monotonicMs } = clock.now();
      pulse = { lookedAt: monotonicMs, dueAt: monotonicMs + ms };
    },
  };
}

test('says that it is ready, with what comes next, and gives a sign of life at every look', () => {
  const { signs, daemon, told, kinds, everyMs, looks, wakeUpIn } = arrange();
  wakeUpIn(30_000);
  signs.ready(daemon);
  expect(told).toEqual([
    { kind: 'ready', status: '0 of 1 credential usable; nothing to refresh, the stores are watched' },
  ]);
  expect(everyMs()).toBe(15_000);
  looks(15_000);
  looks(15_000);
  expect(kinds()).toEqual(['ready', 'alive', 'alive']);
});

test('D4: gives none while the scheduler stands still, says so once, and gives them again when it goes on', () => {
  const { signs, daemon, log, kinds, looks, wakeUpIn } = arrange();
  wakeUpIn(10_000);
  signs.ready(daemon);
  looks(39_000);
  expect(kinds()).toEqual(['ready', 'alive']);
  looks(2_000);
  looks(15_000);
  expect(kinds()).toEqual(['stalled', 'stalled']);
  expect(log.of('scheduler_stalled')).toMatchObject([{ level: 'error', fields: { overdue_ms: 31_000 } }]);
  wakeUpIn(30_000);
  looks(15_000);
  expect(kinds()).toEqual(['alive']);
  expect(log.of('scheduler_recovered')).toHaveLength(1);
});

test('a stall is seen where no watchdog acts on it, too', () => {
  const { signs, daemon, log, looks, wakeUpIn } = arrange(null);
  wakeUpIn(0);
  signs.ready(daemon);
  looks(31_000);
  expect(log.of('scheduler_stalled')).toHaveLength(1);
});

test('a reload is told with its end; one that belongs to the start is not, nor is one to the end', () => {
  const { signs, daemon, kinds } = arrange();
  signs.reloading()();
  expect(kinds()).toEqual([]);
  signs.ready(daemon);
  const over = signs.reloading();
  expect(kinds()).toEqual(['ready', 'reloading']);
  over();
  expect(kinds()).toEqual(['ready']);
  signs.stopping(70_000);
  signs.reloading()();
  expect(kinds()).toEqual(['stopping']);
});

test('a reload that a stop overtakes does not say that all is ready', () => {
  const { signs, daemon, kinds } = arrange();
  signs.ready(daemon);
  const over = signs.reloading();
  signs.stopping(70_000);
  over();
  expect(kinds()).toEqual(['ready', 'reloading', 'stopping']);
});

test('a stop ends the looks, and asks for the time it needs; a scheduler that stands still asks for none', () => {
  const well = arrange();
  well.signs.ready(well.daemon);
  well.signs.stopping(70_000);
  expect(well.told.at(-1)).toEqual({ kind: 'stopping', withinMs: 70_000 });
  expect(well.isLooking()).toBe(false);

  const stalled = arrange();
  stalled.wakeUpIn(0);
  stalled.signs.ready(stalled.daemon);
  stalled.looks(60_000);
  stalled.signs.stopping(70_000);
  expect(stalled.told.at(-1)).toEqual({ kind: 'stopping', withinMs: null });
});
