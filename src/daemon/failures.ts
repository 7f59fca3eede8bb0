/**
 * Failures that the shell itself concludes; those of scripts and servers are classified where they are read.
 */
import type { Failure } from '../core/failure.ts';

/** Nothing was sent; another try may well succeed. */
export function unsent(code: string, detail: string): Failure {
  return { ...base(code, detail), unsent: true };
}

/** It cannot work as it is set up here; nothing was sent. */
export function misconfigured(code: string, detail: string): Failure {
  return { ...unsent(code, detail), class: 'config' };
}

/** Something may have been sent, and whether the server rotated is not known. */
export function inDoubt(code: string, detail: string): Failure {
  return { ...base(code, detail), doubt: true };
}

/** It ran and is over, without an answer that could be used; nothing of ours was sent. */
export function fruitless(code: string, detail: string): Failure {
  return base(code, detail);
}

const base = (code: string, detail: string): Failure => ({
  class: 'transient',
  code,
  doubt: false,
  unsent: false,
  origin: 'local',
  retryAfterMs: null,
  detail,
});
