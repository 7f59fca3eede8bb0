/**
 * How many texts that only look like a failure of a token the classifier sees through.
 *
 * Rule: the same texts as in the tests, one figure over all; `npm test` names each that is misjudged.
 */
import { readFileSync } from 'node:fs';
import { classifyFailure, type FailureContext } from '../src/core/classify-failure.ts';
import type { Finding } from './table.ts';

interface Negative {
  readonly context: FailureContext;
  readonly http_status: number | null;
  readonly body_or_stderr: string;
  readonly expected: string;
}

export function measureClassifier(): readonly Finding[] {
  const lines = readFileSync('test/fixtures/failures/negatives.jsonl', 'utf8').trim().split('\n');
  const negatives = lines.map((line) => JSON.parse(line) as Negative);
  const right = negatives.filter(({ context, http_status: httpStatus, body_or_stderr: text, expected }) => {
    return classifyFailure({ context, httpStatus, text }).class === expected;
  }).length;
  const share = right / negatives.length;
  return [
    {
      what: `texts that only look like a failure, judged rightly (${right} of ${negatives.length})`,
      figure: `${(100 * share).toFixed(1)} %`,
      // Of misjudged ones; one would be one too many.
      ratio: 1 - share,
      ratioMax: 0,
    },
  ];
}
