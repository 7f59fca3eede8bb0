/**
 * What may be logged of an error that nobody expected.
 */

/** Name and place of a bug, without its message: a message may quote the data that it stumbled over. */
export function describeBug(error: unknown): { readonly code: string; readonly stack: string } {
  if (!(error instanceof Error)) return { code: typeof error, stack: '' };
  const frames = (error.stack ?? '').split('\n').filter((line) => line.startsWith('    at '));
  const stack = frames.map((line) => line.trim()).join(' < ');
  return { code: error.name, stack: stack.slice(0, STACK_CHARACTERS_MAX) };
}

// The log leaves out longer strings as a whole; the first frames are those that matter.
const STACK_CHARACTERS_MAX = 500;
