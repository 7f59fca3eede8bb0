import { expect, test } from 'vitest';
import { ALERT_KINDS, type AlertKind } from '../../src/core/policy.ts';
import type { AlertMessage } from '../../src/daemon/ports.ts';
import { createSocketNotices } from '../../src/daemon/socket-notices.ts';
import { keptLog, manualClock } from './fakes.ts';

const PATH = '/run/freshd/freshd.sock';
const REMADE = { path: PATH, code: null, remedy: null };
const TAKEN = { path: PATH, code: 'socket_path_taken', remedy: 'remove what stands there' };

function build(alertKinds: readonly AlertKind[] = ALERT_KINDS) {
  const clock = manualClock();
  const messages: AlertMessage[] = [];
  const sink = { name: 'accepts', send: async (message: AlertMessage) => void messages.push(message) };
  const settings = () => ({ sinks: [sink], alertKinds });
  return { clock, messages, removed: createSocketNotices({ settings, clock, log: keptLog(), limitMs: 20 }) };
}

test('F59: a person is told that the socket was removed and made again, with what to do about it', () => {
  const { messages, removed } = build();
  removed(REMADE);
  expect(messages).toMatchObject([
    {
      credential: '*',
      alert: { kind: 'delivery_restored', code: 'socket_removed', target: `socket:${PATH}` },
      title: 'freshd: the socket was removed, and is there again',
      remedy: 'keep cleaners of temporary files out of its folder',
    },
  ]);
  expect(messages[0]?.text.split('\n')).toEqual([
    'What: somebody removed its socket; it was made again',
    `Where: ${PATH}`,
    'Next: readers connect again by themselves',
    'Do: keep cleaners of temporary files out of its folder',
  ]);
});

test('F59: a cleaner that comes every minute is told of once in six hours, a socket that stays away and comes back at once', () => {
  const { clock, messages, removed } = build();
  for (let minute = 0; minute < 5 * 60; minute += 1) {
    removed(REMADE);
    clock.pass(60_000);
  }
  expect(messages).toHaveLength(1);
  clock.pass(3_600_000);
  removed(REMADE);
  removed(TAKEN);
  removed(REMADE);
  expect(messages.map(({ alert }) => [alert.kind, alert.code])).toEqual([
    ['delivery_restored', 'socket_removed'],
    ['delivery_restored', 'socket_removed'],
    ['delivery_failed', 'socket_path_taken'],
    ['delivery_restored', 'socket_removed'],
  ]);
  expect(messages[2]).toMatchObject({ remedy: 'remove what stands there' });
});

test('a kind that is switched off is not told', () => {
  const { messages, removed } = build(['delivery_restored']);
  removed(TAKEN);
  expect(messages).toEqual([]);
});
