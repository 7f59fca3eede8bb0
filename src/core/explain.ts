/** The whole story of a credential for a person. No secrets. */
import { durationText } from './duration.ts';
import { lifeLeftMs } from './schedule.ts';
import type { CredentialState } from './state.ts';
import type { Now } from './token.ts';
import { describe } from './view.ts';

/** The whole story of one credential at `now`, a line each. */
export function explain(state: CredentialState, now: Now): string[] {
  const view = describe(state, now);
  const lines = [`${view.credential}: token ${view.status}, phase ${view.phase}`];
  const left = state.held === null ? null : lifeLeftMs(state.held, now);
  if (left !== null) {
    const assumed = view.expiryAssumed ? ' (assumed: nobody stated an expiry)' : '';
    lines.push(left > 0 ? `expires in ${durationText(left)}${assumed}` : `expired ${durationText(left)} ago${assumed}`);
  } else if (state.held !== null) lines.push('does not expire');
  const { what, inMs, why } = view.next;
  lines.push(`next ${what.replace('_', ' ')}${inMs === null ? '' : ` in ${durationText(inMs)}`}: ${why}`);
  if (view.lastFailure !== null) lines.push(`last failure: ${view.lastFailure.code} (${view.lastFailure.class})`);
  if (view.lastFailure?.detail) lines.push(`  ${view.lastFailure.detail}`);
  for (const { target, status, code, remedy } of view.publications) {
    if (status === 'failed') lines.push(`not delivered to ${target}: ${code}; ${remedy}`);
  }
  return lines;
}
