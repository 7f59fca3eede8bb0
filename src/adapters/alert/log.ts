/**
 * The log sink: every alert is also a log record, whoever else hears of it.
 */
import type { AlertSink, LogPort } from '../../daemon/ports.ts';
import { severity } from './severity.ts';

/** Never refuses. */
export function createLogSink(log: LogPort): AlertSink {
  return {
    name: 'log',
    async send({ alert, credential, title, remedy }) {
      log.write(severity(alert.kind), 'alert', {
        credential,
        kind: alert.kind,
        id: alert.id,
        code: alert.code,
        failures: alert.failures,
        target: alert.target,
        title,
        remedy,
      });
    },
  };
}
