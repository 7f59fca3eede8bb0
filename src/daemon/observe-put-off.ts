/**
 * Attempts that are put off at each floor for one reason (a script that survives, a lock, a full disk), maybe for hours.
 *
 * Rule: the first is told, and what comes of it in the end; what happens again and again between them is not.
 */
import { isPutOff } from '../core/failing.ts';
import type { Transition } from './engine.ts';

/** `begun`: an attempt of which the beginning was held back gets under way after all. */
export type Worth = 'told' | 'held_back' | 'begun';

/** @returns what a transition of the phase is worth; to be asked for each, in order */
export function createPutOffFilter(): (transition: Transition) => Worth {
  /** Why the last attempt of a credential was put off. */
  const reasons = new Map<string, string>();
  return ({ credential, before, after }) => {
    const reason = reasons.get(credential);
    if (after.phase.kind === 'refreshing') {
      if (reason === undefined) return 'told';
      if (after.phase.stage === 'recording') return 'held_back';
      reasons.delete(credential);
      return 'begun';
    }
    if (before.phase.kind !== 'refreshing') return 'told';
    const code = after.phase.kind === 'fresh' ? null : (after.lastFailure?.code ?? null);
    if (code === null || before.phase.stage !== 'recording' || !isPutOff(code)) {
      reasons.delete(credential);
      return 'told';
    }
    reasons.set(credential, code);
    return code === reason ? 'held_back' : 'told';
  };
}
