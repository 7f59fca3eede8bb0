/** Builds alert messages for the tests of the sinks. */
import { alertText } from '../../../src/core/alert-text.ts';
import type { Alert } from '../../../src/core/effect.ts';
import { epochMs } from '../../../src/core/token.ts';
import type { AlertMessage } from '../../../src/daemon/ports.ts';

const AT = epochMs(Date.UTC(2026, 10, 22, 2, 14, 7));

export function message(changes: Partial<Alert> = {}, remedy = 'claude /login'): AlertMessage {
  const alert: Alert = {
    id: 'claude-7-reauthorization_required',
    kind: 'reauthorization_required',
    at: AT,
    episodeStartedAt: AT,
    failures: 1,
    code: 'invalid_grant',
    expiresAt: epochMs(AT + 3_600_000),
    target: null,
    ...changes,
  };
  return {
    credential: 'claude',
    alert,
    ...alertText(alert, { credential: 'claude', remedy, standIns: [], now: alert.at }),
  };
}
