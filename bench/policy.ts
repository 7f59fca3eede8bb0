/** The policy of a credential that a script refreshes, with the built-in limits. */
import { resolvePolicy } from '../src/config/resolve-policy.ts';
import type { Policy } from '../src/core/policy.ts';

/** @param name also the seed of its jitter, so that many are not due in one moment */
export const policyOf = (name: string): Policy =>
  resolvePolicy({
    name,
    format: 'token-response',
    refresh: { kind: 'command', argv: ['refresh'], cwd: '/', result: 'stdout', input: 'token', environment: {} },
    own: {},
    defaults: {},
    alerts: { kinds: [], reminderMs: null },
    hookTimeoutMs: null,
    window: null,
    machineId: '',
  });
