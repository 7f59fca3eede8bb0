import { expect, test } from 'vitest';
import { statusLine } from '../../src/core/status-line.ts';
import { createLife, failing, HOUR, missing } from './life.ts';

test('says how many can be read, and what comes next of all', () => {
  const life = createLife();
  const other = { ...createLife({ first: missing, policy: { method: 'follow' } }).state, name: 'other' };
  expect(statusLine([], life.now)).toBe('no credentials are configured');
  expect(statusLine([life.state], life.now)).toMatch(
    new RegExp(`^1 of 1 credential usable; next: refresh of ${life.state.name} at \\d\\d:\\d\\d UTC$`),
  );
  expect(statusLine([other, life.state], life.now)).toMatch(/^1 of 2 credentials usable; next: refresh of /);
  expect(statusLine([other], life.now)).toBe('0 of 1 credential usable; nothing to refresh, the stores are watched');
});

test('names what is nearest, and what kind of attempt it is', () => {
  const far = createLife();
  const near = createLife({
    policy: { refreshMarginMs: 2 * HOUR },
    server: failing({ code: 'unreachable', unsent: true }),
  });
  for (const life of [far, near]) life.pass(6 * HOUR);
  const retrying = { ...near.state, name: 'retrying' };
  expect(statusLine([far.state, retrying], near.now)).toMatch(/; next: retry of retrying at \d\d:\d\d UTC$/);
  expect(statusLine([retrying, far.state], near.now)).toMatch(/; next: retry of retrying at \d\d:\d\d UTC$/);
});
