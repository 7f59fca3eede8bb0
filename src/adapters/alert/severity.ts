/**
 * How urgent each kind of alert is; every sink says it in its own words.
 *
 * Rule: one row per kind; the compiler refuses a missing one.
 */
import type { AlertMessage } from '../../daemon/ports.ts';

export type Severity = 'error' | 'warn' | 'info';
type Kind = AlertMessage['alert']['kind'];

/** `error` where a person must act, `info` for good news. */
const SEVERITIES: Readonly<Record<Kind, Severity>> = {
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
  test: 'info',
};

export const severity = (kind: Kind): Severity => SEVERITIES[kind];
