import { expect, test } from 'vitest';
import { remember } from '../../src/core/memory.ts';
import { createMemoryKeeper } from '../../src/daemon/memory-keeper.ts';
import { PortError } from '../../src/daemon/ports.ts';
import { deferred, fakeMemory, keptLog, manualClock, stateOf, until } from './fakes.ts';

function build() {
  const clock = manualClock();
  const port = fakeMemory();
  const log = keptLog();
  const keeper = createMemoryKeeper({ port, remember, log });
  return { clock, port, log, keeper, state: stateOf('a', clock) };
}

test('what did not change is not saved again, although the clocks drift by a millisecond', async () => {
  const { clock, port, keeper, state } = build();
  keeper.note(state, clock.now());
  await keeper.flush();
  clock.pass(60_000);
  clock.jump(1);
  keeper.note(state, clock.now());
  await keeper.flush();
  expect(port.saves).toBe(1);
});

test('what was loaded and did not change is not written again', async () => {
  const { clock, port, keeper, state } = build();
  port.kept.set('a', JSON.parse(JSON.stringify(remember(state, clock.now()))));
  expect(await keeper.load('a')).toMatchObject({ generation: state.generation });
  keeper.note(state, clock.now());
  await keeper.flush();
  expect(port.saves).toBe(0);
  keeper.note({ ...state, attempt: 1 }, clock.now());
  await keeper.flush();
  expect(port.saves).toBe(1);
});

test('D1: a memory that cannot be read counts as none, is said, and is written anew', async () => {
  const { clock, port, log, keeper, state } = build();
  port.load = async () => {
    throw new Error('sk-secret-1234567');
  };
  expect(await keeper.load('a')).toBeNull();
  expect(log.of('memory_unreadable')).toMatchObject([{ level: 'warn', fields: { credential: 'a' } }]);
  expect(JSON.stringify(log.records)).not.toContain('sk-secret');
  keeper.note(state, clock.now());
  await keeper.flush();
  expect(port.saves).toBe(1);
});

test('a state that went back to what is on disk while another was being saved is saved again', async () => {
  const { clock, port, keeper, state } = build();
  keeper.note(state, clock.now());
  await keeper.flush();
  keeper.note({ ...state, attempt: 1 }, clock.now());
  keeper.note(state, clock.now());
  await keeper.flush();
  expect(port.kept.get('a')).toMatchObject({ attempt: 0 });
});

test('while one save is under way the latest state is the one that is saved next', async () => {
  const { clock, port, keeper, state } = build();
  const first = deferred();
  const save = port.save;
  port.save = async (credential, memory) => {
    await first.promise;
    await save(credential, memory);
  };
  for (let attempt = 1; attempt <= 5; attempt += 1) keeper.note({ ...state, attempt }, clock.now());
  first.resolve();
  await keeper.flush();
  expect(port.saves).toBe(2);
  expect(port.kept.get('a')).toMatchObject({ attempt: 5 });
});

test('F39: a save that fails is said once, and made good by the flush', async () => {
  const { clock, port, log, keeper, state } = build();
  const save = port.save;
  port.save = async () => {
    throw new PortError('no space', { code: 'disk_full', remedy: 'free space' });
  };
  keeper.note({ ...state, attempt: 1 }, clock.now());
  await until(() => log.records.length === 1);
  keeper.note({ ...state, attempt: 2 }, clock.now());
  await keeper.flush();
  expect(log.records).toMatchObject([{ event: 'memory_failed', fields: { credential: 'a', code: 'disk_full' } }]);
  port.save = save;
  await keeper.flush();
  expect(port.kept.get('a')).toMatchObject({ attempt: 2 });
  expect(log.of('memory_restored')).toHaveLength(1);
});
