import { expect, test } from 'vitest';
import { nearestName } from '../../src/api/nearest.ts';

test.each([
  ['cluade', ['claude', 'codex'], 'claude'],
  ['anth', ['mail', 'anthropic'], 'anthropic'],
  // A slip of a finger in a long name is no wish for the short one that it begins with.
  ['claude-wrok', ['claude', 'claude-work'], 'claude-work'],
  ['amil', ['a', 'mail'], 'mail'],
  ['nothing', ['mail', 'claude'], null],
])('%s means, of %j, %j', (wanted, names, meant) => {
  expect(nearestName(wanted, names)).toBe(meant);
});
