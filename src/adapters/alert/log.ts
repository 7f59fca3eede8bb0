/**
 * The log sink: every alert is also a log record, whoever else hears of it.
 */
import type { AlertKind } from '../../core/policy.ts';
import type { AlertSink, LogLevel, LogPort } from '../../daemon/ports.ts';

/** Never refuses. */
export function createLogSink(log: LogPort): AlertSink {
  return {
    name: 'log',
    async send({ alert, credential, title, remedy }) {
      log.write(LEVEL[alert.kind], 'alert', {
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

/** `error` where a person must act, `info` for good news. */
const LEVEL: Readonly<Record<AlertKind, LogLevel>> = {
  first_failure: 'warn',
  escalated: 'warn',
  recovering: 'error',
  reauthorization_required: 'error',
  restored: 'info',
  suspicious_refresh_rate: 'warn',
  clock_skew: 'warn',
  rate_limited_past_expiry: 'warn',
  refresh_token_expiring: 'warn',
  delivery_failed: 'warn',
  delivery_restored: 'info',
};
