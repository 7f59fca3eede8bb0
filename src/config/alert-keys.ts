/**
 * The switch of each kind of alert: its key in config.json and what it says.
 *
 * Rule: one row per AlertKind; the compiler refuses a missing one.
 */
import { ALERT_KINDS, type AlertKind } from '../core/policy.ts';

export interface AlertSwitch {
  readonly key: string;
  readonly doc: string;
}

export const ALERT_SWITCHES = {
  first_failure: { key: 'alertOnFirstFailure', doc: 'The first attempt of an episode failed.' },
  escalated: { key: 'alertOnEscalation', doc: 'Three attempts in a row failed.' },
  recovering: { key: 'alertOnRecovering', doc: 'The retries are used up; active recovery begins.' },
  reauthorization_required: {
    key: 'alertOnReauthorizationRequired',
    doc: 'Only a person can go on; the alert names the command.',
  },
  restored: { key: 'alertOnRecoverySuccess', doc: 'A good token is back after an alert.' },
  suspicious_refresh_rate: {
    key: 'alertOnSuspiciousRefreshRate',
    doc: 'Something causes refreshes so often that the budget is used up.',
  },
  clock_skew: { key: 'alertOnClockSkew', doc: "This machine's clock and the server's disagree by more than a minute." },
  rate_limited_past_expiry: {
    key: 'alertOnRateLimitedPastExpiry',
    doc: 'The server asks to wait until after the token has expired.',
  },
  refresh_token_expiring: {
    key: 'alertOnRefreshTokenExpiring',
    doc: 'The refresh token itself ends in 7, 3 or 1 days.',
  },
  delivery_failed: { key: 'alertOnDeliveryFailed', doc: 'A publication target does not take the token.' },
  delivery_restored: { key: 'alertOnDeliveryRestored', doc: 'That target takes it again.' },
} as const satisfies Readonly<Record<AlertKind, AlertSwitch>>;

export type AlertKey = (typeof ALERT_SWITCHES)[AlertKind]['key'];

export const ALERT_KEYS: readonly AlertKey[] = ALERT_KINDS.map((kind) => ALERT_SWITCHES[kind].key);
