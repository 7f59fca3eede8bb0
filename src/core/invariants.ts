/**
 * What must be true after every step.
 *
 * Rule: only what is cheap enough for production; the model walk of the tests checks the rest by accounts of its own.
 */
import type { CredentialState } from './state.ts';
import type { Now } from './token.ts';

/** Proof to the compiler that a switch is complete. */
export function unreachable(value: never): never {
  throw new Error(`unreachable: ${typeof value === 'object' ? Object.keys(value as object).join() : String(value)}`);
}

/** A programmer's error: the state contradicts itself. Never holds a secret. */
export function assert(condition: boolean, invariant: string): asserts condition {
  if (!condition) throw new Error(`invariant broken: ${invariant}`);
}

export function assertInvariants(state: CredentialState, next: { readonly deadlineMs: number | null }, now: Now): void {
  const { policy, phase, held } = state;
  const { deadlineMs } = next;
  if (phase.kind === 'stopped') {
    assert(deadlineMs === null, 'I9: stopped waits for nothing');
    return;
  }
  assert(deadlineMs !== null && deadlineMs > 0, 'I9: the next deadline exists and lies in the future');
  assert(Number.isFinite(deadlineMs), 'I9: the next deadline is a number');
  assert(state.failures <= policy.maxRetries + 1, 'I12: failures saturate');
  assert(
    state.bucket.attempts >= 0 && state.bucket.attempts <= policy.limits.attemptBurst,
    'I12: the budget is bounded',
  );
  assert(state.superseded.length <= policy.limits.supersededMax, 'I12: superseded fingerprints are bounded');
  assert(state.peers.length <= policy.limits.peersMax, 'I12: remembered peers are bounded');
  assert(held === null || held.generation === state.generation, 'I10: what is held is the newest generation');
  assert(
    phase.kind !== 'refreshing' || state.unpersisted === null,
    'I1: nothing is sent while a successor is not stored',
  );
  assert(
    state.grant === null || !policy.rotates || isSendable(state, phase.kind),
    'I1: a superseded refresh token is not sent',
  );
  assert(state.lastBegan === null || state.lastBegan <= now.monotonicMs, 'I6: an attempt began in the past');
}

function isSendable(state: CredentialState, phase: CredentialState['phase']['kind']): boolean {
  return phase !== 'refreshing' || state.grant === null || !state.superseded.includes(state.grant);
}
