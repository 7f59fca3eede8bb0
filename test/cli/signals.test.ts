import { expect, test } from 'vitest';
import type { CommandIo } from '../../src/cli/command.ts';
import { relaySignals } from '../../src/cli/exec/signals.ts';

test('a signal that comes before the program has started reaches it when it has, and once', async () => {
  const send = new Map<string, () => void>();
  const onSignal: CommandIo['onSignal'] = (name, listener) => {
    send.set(name, listener);
    return () => send.delete(name);
  };
  const relay = await relaySignals({ onSignal } as CommandIo, { isShared: false });
  send.get('SIGTERM')?.();
  expect(relay.isEnding).toBe(true);
  const first: string[] = [];
  relay.deliverTo((name) => first.push(name));
  send.get('SIGHUP')?.();
  expect(first).toEqual(['SIGTERM', 'SIGHUP']);
  const second: string[] = [];
  relay.deliverTo((name) => second.push(name));
  expect(second).toEqual([]);
  relay.close();
  expect(send.size).toBe(0);
});
