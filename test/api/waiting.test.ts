import { describe, expect, test } from 'vitest';
import { createWaiting, WAITERS_MAX } from '../../src/api/waiting.ts';
import { createTestTimers } from './arrange.ts';
import { createFakeDaemon } from './fake-daemon.ts';

function arrange() {
  const daemon = createFakeDaemon();
  daemon.load('claude', null);
  daemon.load('mail', null);
  const timers = createTestTimers();
  return { daemon, timers, waiting: createWaiting(daemon, timers) };
}

const never = (): boolean => false;
const stays = (): void => undefined;

describe('readers that wait', () => {
  test('have a limit, on one subscription, and free their place when they end', async () => {
    const { daemon, timers, waiting } = arrange();
    const waits = Array.from({ length: WAITERS_MAX }, () => waiting.wait('claude', 30_000, never, stays));
    expect(waits).not.toContain(null);
    expect(waiting.wait('mail', 30_000, never, stays)).toBeNull();
    expect(daemon.listeners).toBe(1);
    timers.expire(30_000);
    await Promise.all(waits);
    expect(waiting.wait('mail', 30_000, never, stays)).not.toBeNull();
  });

  test('are asked only after steps of their own credential', async () => {
    const { daemon, waiting } = arrange();
    const asked: string[] = [];
    const claude = waiting.wait('claude', 30_000, () => asked.push('claude') > 0, stays);
    void waiting.wait('mail', 30_000, () => asked.push('mail') > 0, stays);
    daemon.dispatch('claude', { type: 'tick' });
    await claude;
    expect(asked).toEqual(['claude']);
  });

  test('end when they leave, and all at once when the daemon stops', async () => {
    const { daemon, timers, waiting } = arrange();
    let leave = stays;
    const gone = waiting.wait('claude', 30_000, never, (how) => {
      leave = how;
    });
    leave();
    leave();
    await gone;
    const others = ['claude', 'mail'].map((name) => waiting.wait(name, 30_000, never, stays));
    waiting.close();
    await Promise.all(others);
    expect([timers.pending, daemon.listeners]).toEqual([[], 0]);
    await waiting.wait('claude', 30_000, never, stays);
  });
});
