import { expect, test } from 'vitest';
import type { Alert } from '../../src/core/effect.ts';
import type { Event } from '../../src/core/event.ts';
import { createAlertSender } from '../../src/daemon/perform-alert.ts';
import { type AlertMessage, type AlertSink, PortError } from '../../src/daemon/ports.ts';
import { keptLog, manualClock } from './fakes.ts';

const ALERT: Alert = {
  id: 'a:first_failure:1',
  kind: 'first_failure',
  at: 1 as never,
  episodeStartedAt: 1 as never,
  failures: 1,
  code: 'timeout',
  expiresAt: null,
  target: null,
};

const refuses = (error: Error): AlertSink => ({ name: 'refuses', send: () => Promise.reject(error) });
const hangs: AlertSink = { name: 'hangs', send: () => new Promise(() => undefined) };

function accepting(): AlertSink & { readonly messages: AlertMessage[] } {
  const messages: AlertMessage[] = [];
  return { name: 'accepts', messages, send: async (message) => void messages.push(message) };
}

async function send(sinks: readonly AlertSink[]) {
  const events: Event[] = [];
  const log = keptLog();
  const sender = createAlertSender({
    sinks: () => sinks,
    remedy: () => 'freshd login a',
    standIns: () => [{ chain: 'any', credential: 'b' }],
    clock: manualClock(),
    log,
    report: (_name, event) => events.push(event),
    limitMs: 20,
  });
  await sender('a', ALERT);
  return { events, log };
}

test('an alert is delivered when one sink accepted it, whatever the others do', async () => {
  const sink = accepting();
  const refusal = new PortError('no', { code: 'sink_failed', remedy: 'look' });
  const { events, log } = await send([refuses(refusal), hangs, sink, refuses(new Error('sk-secret-1234567'))]);
  expect(events).toEqual([{ type: 'alert_delivered', kind: 'first_failure', id: ALERT.id }]);
  expect(sink.messages).toMatchObject([{ credential: 'a', alert: ALERT, title: expect.stringContaining('a') }]);
  expect(log.records.map(({ event, fields }) => [event, fields.sink, fields.code])).toEqual([
    ['alert_not_accepted', 'refuses', 'sink_failed'],
    ['internal_error', 'refuses', 'Error'],
    ['alert_not_accepted', 'hangs', 'timed_out'],
  ]);
  expect(JSON.stringify(log.records)).not.toContain('sk-secret');
});

test.each([[[]], [[hangs]]])('an alert that no sink accepted has failed', async (sinks) => {
  const { events } = await send(sinks);
  expect(events).toEqual([{ type: 'alert_failed', kind: 'first_failure', id: ALERT.id }]);
});
