import { expect, test } from 'vitest';
import type { Effect } from '../../src/core/effect.ts';
import type { Event } from '../../src/core/event.ts';
import type { CredentialState, Step } from '../../src/core/state.ts';
import type { Now } from '../../src/core/token.ts';
import { createEngine, type Engine, type EngineOptions, type Transition } from '../../src/daemon/engine.ts';
import { keptLog, manualAlarm, manualClock, stateOf } from './fakes.ts';

const TICK: Event = { type: 'tick' };

/** An engine around a step that counts attempts, the first of which is its taking in; deadlines come from `delays`. */
function build(options: Partial<EngineOptions> = {}) {
  const clock = manualClock();
  const alarm = manualAlarm();
  const log = keptLog();
  const steps: string[] = [];
  const transitions: Transition[] = [];
  const performed: (readonly [string, readonly Effect[]])[] = [];
  const delays = new Map<string, number | null>();
  const engine: Engine = createEngine({
    step: (state, event): Step => {
      steps.push(`${state.name} ${event.type}`);
      return { state: { ...state, attempt: state.attempt + 1 }, effects: [{ type: 'reread_store' }] };
    },
    nextDeadline: (state) => delays.get(state.name) ?? 60_000,
    clock,
    alarm,
    log,
    perform: (credential, effects) => performed.push([credential, effects]),
    observe: (transition) => transitions.push(transition),
    ...options,
  });
  const add = (...names: string[]) => {
    for (const name of names) engine.add(stateOf(name, clock), TICK);
    for (const past of [steps, transitions, performed]) past.length = 0;
  };
  return { engine, clock, alarm, log, steps, transitions, performed, delays, add };
}

test('the new state, its effects and its observation are there when dispatch returns', () => {
  const { engine, performed, transitions, add } = build();
  add('a');
  engine.dispatch('a', TICK);
  expect(engine.state('a')?.attempt).toBe(2);
  expect(performed).toEqual([['a', [{ type: 'reread_store' }]]]);
  expect(transitions.map(({ before, after }) => [before.attempt, after.attempt])).toEqual([[1, 2]]);
});

test('a dispatch from within a dispatch waits for its turn, and runs before the outer one returns', () => {
  const built = build();
  built.add('a', 'b');
  let depth = 0;
  let depthMax = 0;
  built.engine.onStep((name, state) => {
    depth += 1;
    depthMax = Math.max(depthMax, depth);
    if (name === 'a' && state.attempt === 2) built.engine.dispatch('b', TICK);
    depth -= 1;
  });
  built.engine.dispatch('a', TICK);
  expect(built.steps).toEqual(['a tick', 'b tick']);
  expect(depthMax).toBe(1);
});

test('one alarm stands at the earliest deadline, and a wake-up ticks only what is due', () => {
  const { engine, clock, alarm, steps, delays, add } = build();
  delays.set('soon', 5_000).set('later', 12_000);
  add('later', 'soon');
  expect(alarm.delayMs).toBe(5_000);
  clock.pass(5_000);
  alarm.ring();
  expect(steps).toEqual(['soon tick']);
  expect(alarm.delayMs).toBe(5_000);
  clock.pass(7_000);
  alarm.ring();
  expect(steps).toEqual(['soon tick', 'soon tick', 'later tick']);
  expect(engine.names()).toEqual(['later', 'soon']);
});

test('an alarm that rings early is set again, and nothing is ticked', () => {
  const { clock, alarm, steps, delays, add } = build();
  delays.set('a', 10_000);
  add('a');
  clock.pass(9_999);
  alarm.ring();
  expect(steps).toEqual([]);
  expect(alarm.delayMs).toBe(1);
});

test('F22: the alarm never sleeps longer than 30 s, however far the next deadline is', () => {
  const { clock, alarm, steps, delays, add } = build();
  delays.set('a', 60 * 24 * 3_600_000);
  add('a');
  expect(alarm.delayMs).toBe(30_000);
  clock.pass(30_000);
  alarm.ring();
  expect(alarm.delayMs).toBe(30_000);
  expect(steps).toEqual([]);
});

test.each([28_800_000, -3_600_000])(
  'F47, F48, F49: a jump of the wall clock by %i ms is told to everybody before anything else',
  (byMs) => {
    const { engine, clock, alarm, log, steps, delays, add } = build();
    delays.set('a', 10_000);
    add('a', 'b');
    clock.jump(byMs);
    clock.pass(10_000);
    alarm.ring();
    expect(steps).toEqual(['a clock_jumped', 'b clock_jumped', 'a tick']);
    expect(log.of('clock_jumped')).toEqual([
      { level: 'warn', event: 'clock_jumped', fields: { by_ms: byMs, credentials: 2 } },
    ]);
    engine.dispatch('b', TICK);
    expect(steps).toHaveLength(4);
  },
);

test('a jump is seen by an event that comes before the alarm', () => {
  const { engine, clock, steps, add } = build();
  add('a', 'b');
  clock.jump(5_000);
  engine.dispatch('b', TICK);
  expect(steps).toEqual(['a clock_jumped', 'b clock_jumped', 'b tick']);
});

test('clocks that differ by less than 2 s are no jump', () => {
  const { engine, clock, steps, add } = build();
  add('a');
  clock.jump(1_900);
  engine.dispatch('a', TICK);
  expect(steps).toEqual(['a tick']);
});

test('D1: a throw from step is logged without its message, marks that credential, and the others go on', () => {
  let isBroken = true;
  const step = (state: CredentialState): Step => {
    if (state.name === 'bad' && isBroken) throw new TypeError('cannot read sk-secret-1234567');
    return { state: { ...state, attempt: state.attempt + 1 }, effects: [] };
  };
  const { engine, clock, alarm, log, performed, add } = build({ step });
  add('bad', 'good');
  log.records.length = 0;
  engine.dispatch('bad', TICK);
  engine.dispatch('good', TICK);
  expect(engine.fault('bad')).toBe('TypeError');
  expect(engine.fault('good')).toBeNull();
  expect(engine.state('bad')?.attempt).toBe(0);
  expect(engine.state('good')?.attempt).toBe(2);
  expect(performed.map(([name]) => name)).toEqual(['good']);
  const [record] = log.of('step_threw');
  expect(record).toMatchObject({ level: 'error', fields: { credential: 'bad', cause: 'tick', code: 'TypeError' } });
  expect(record?.fields.stack).toContain('engine.test');
  expect(JSON.stringify(log.records)).not.toContain('sk-secret');

  isBroken = false;
  clock.pass(30_000);
  alarm.ring();
  expect(engine.fault('bad')).toBeNull();
  expect(engine.state('bad')?.attempt).toBe(1);
});

test('what a store was found to hold is told again after a step that threw, until a later reading is taken in', () => {
  let isBroken = true;
  const seen: string[] = [];
  const { engine, clock, alarm } = build({
    step: (state, { type }) => {
      seen.push(type);
      if (isBroken && type !== 'tick') throw new TypeError('bug');
      return { state, effects: [] };
    },
  });
  const missing: Event = { type: 'token_missing', detail: '', attempt: null };
  engine.add(stateOf('a', clock), missing);
  for (const broken of [true, false, false]) {
    isBroken = broken;
    clock.pass(60_000);
    alarm.ring();
  }
  expect(seen).toEqual(['token_missing', 'token_missing', 'token_missing', 'tick']);
  isBroken = true;
  engine.dispatch('a', missing);
  isBroken = false;
  engine.dispatch('a', { type: 'state_broken', reason: 'state_broken', detail: '', attempt: null });
  clock.pass(60_000);
  alarm.ring();
  expect(seen.slice(4)).toEqual(['token_missing', 'state_broken', 'tick']);
});

test.each([0, -5, Number.NaN, null])(
  'I9: a deadline of %s is reported as a bug, and neither spins nor sleeps for ever',
  (delayMs) => {
    const { engine, alarm, log, delays, add } = build({
      nextDeadline: (state) => (state.attempt === 1 ? 1_000 : delayMs),
    });
    delays.set('a', 1_000);
    add('a');
    engine.dispatch('a', TICK);
    expect(engine.fault('a')).toBe('deadline_broken');
    expect(log.of('deadline_broken')).toHaveLength(1);
    alarm.ring();
    expect(alarm.delayMs).toBe(30_000);
  },
);

test('a stopped credential has no deadline, and the alarm is left alone', () => {
  const stopped = (state: CredentialState): Step => ({ state: { ...state, phase: { kind: 'stopped' } }, effects: [] });
  const nextDeadline = (state: CredentialState, _now: Now) => (state.phase.kind === 'stopped' ? null : 1_000);
  const { engine, clock, alarm, log, add } = build({ step: stopped, nextDeadline });
  add('a');
  engine.dispatch('a', TICK);
  clock.pass(1_000);
  alarm.ring();
  expect(alarm.delayMs).toBeNull();
  expect(log.records).toEqual([]);
});

test('a listener that throws harms neither the step nor the other events', () => {
  const { engine, log, steps, add } = build();
  add('a');
  engine.onStep(() => {
    throw new Error('listener');
  });
  engine.dispatch('a', TICK);
  engine.dispatch('a', TICK);
  expect(steps).toHaveLength(2);
  expect(log.of('listener_threw')).toHaveLength(2);
});

test('an event for a credential that was removed is dropped', () => {
  const { engine, steps, add } = build();
  add('a', 'b');
  engine.remove('a');
  engine.dispatch('a', TICK);
  expect(steps).toEqual([]);
  expect(engine.names()).toEqual(['b']);
});

test('ten thousand credentials: a wake-up looks at what is due and at nothing else', () => {
  const { clock, alarm, steps, delays, add } = build();
  for (let index = 0; index < 10_000; index += 1) delays.set(`c${index}`, 20_000 + index);
  delays.set('c77', 100);
  add(...delays.keys());
  clock.pass(100);
  alarm.ring();
  expect(steps).toEqual(['c77 tick']);
});

test('D4: the pulse is overdue as soon as the alarm does not ring, however many events are stepped meanwhile', () => {
  const { engine, clock, alarm, delays, add } = build();
  expect(engine.pulse()).toBeNull();
  delays.set('a', 5_000).set('b', 3_600_000);
  add('a', 'b');
  const begun = clock.now().monotonicMs;
  expect(engine.pulse()).toEqual({ lookedAt: begun, dueAt: begun + 5_000 });
  clock.pass(5_000);
  alarm.ring();
  expect(engine.pulse()?.dueAt).toBe(begun + 10_000);
  // No ring from here on: a deadline that every event moves ahead does not hide it.
  delays.set('a', 3_600_000);
  for (let minute = 0; minute < 5; minute += 1) {
    clock.pass(60_000);
    engine.dispatch('a', TICK);
  }
  expect(engine.pulse()?.dueAt).toBe(begun + 35_000);
  alarm.ring();
  expect(engine.pulse()?.dueAt).toBe(clock.now().monotonicMs + 30_000);
});

test('D4: where nothing is waited for, nothing is overdue, nor just after something is again', () => {
  const { engine, clock, alarm, add } = build();
  add('a');
  engine.remove('a');
  alarm.ring();
  expect(engine.pulse()).toBeNull();
  clock.pass(3_600_000);
  add('b');
  expect(engine.pulse()?.dueAt).toBe(clock.now().monotonicMs + 30_000);
  engine.close();
  expect(engine.pulse()).toBeNull();
});
