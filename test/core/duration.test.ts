import { expect, test } from 'vitest';
import { durationText } from '../../src/core/duration.ts';

test.each([
  [0, '0 s'],
  [-5, '0 s'],
  [999, '1 s'],
  [59_000, '59 s'],
  [59_600, '1 min'],
  [60_000, '1 min'],
  [30 * 60_000 + 22_000, '30 min 22 s'],
  [-(30 * 60_000 + 22_000), '30 min 22 s'],
  [7 * 3_600_000 + 12 * 60_000 + 5_000, '7 h 12 min'],
  [3 * 3_600_000 + 20_000, '3 h'],
  [3 * 86_400_000 + 5_000, '3 d'],
  [400 * 86_400_000 + 4 * 3_600_000, '400 d 4 h'],
])('%i ms are shown as %s', (ms, text) => expect(durationText(ms)).toBe(text));
