/**
 * Every row of tools/rows.ts is cited by a test, or says why not; every citation names a row.
 *
 * The mutants show that the check can say no: a checker that passes everything is worthless.
 */
import { describe, expect, test } from 'vitest';
import { citationProblems, MARKS } from '../tools/fault-document.ts';
import { FAULT_ROWS, LESSON_ROWS } from '../tools/rows.ts';
import { testTitles, titlesIn } from '../tools/test-titles.ts';

test('every row is cited by a test or says why not, and every citation names a row', () => {
  expect(citationProblems(testTitles('test'), MARKS)).toEqual([]);
});

test('the table has the faults F1 to F86 and the lessons A1 to E6, each once and in order', () => {
  const numbers = (letter: string, count: number) =>
    Array.from({ length: count }, (_, index) => `${letter}${index + 1}`);
  expect(FAULT_ROWS.map(({ id }) => id)).toEqual(numbers('F', 86));
  expect(LESSON_ROWS.map(({ id }) => id)).toEqual([
    ...numbers('A', 18),
    ...numbers('B', 5),
    ...numbers('C', 4),
    ...numbers('D', 5),
    ...numbers('E', 6),
  ]);
});

describe('what the check rejects', () => {
  const marks = { rows: ['F1', 'F2', 'F3'], later: { F2: 'not built' }, partly: { F3: 'half' } };
  const cite = (...rows: string[]) =>
    rows.map((row) => ({ file: 'a.test.ts', title: `${row}: it holds`, rows: [row] }));

  test('nothing, where all fits', () => {
    expect(citationProblems(cite('F1', 'F3', 'I12'), marks)).toEqual([]);
  });

  test.each([
    ['a row that became empty', cite('F3'), /^F1: expected a test/],
    ['a mark on a row that has tests', cite('F1', 'F2', 'F3'), /^F2: .*take it out of LATER/],
    ['a row that is shown in part, and now not at all', cite('F1'), /^F3: expected a test/],
    ['a fault that does not exist', cite('F1', 'F3', 'F87'), /cites F87; there is no such row/],
    ['an invariant that does not exist', cite('F1', 'F3', 'I13'), /cites I13; there is no such row/],
  ])('%s', (_, tests, problem) => {
    expect(citationProblems(tests, marks)).toEqual([expect.stringMatching(problem)]);
  });

  test('a mark on a row that does not exist', () => {
    const problems = citationProblems(cite('F1', 'F3'), { ...marks, later: { F2: 'not built', F9: 'no row' } });
    expect(problems).toEqual(['F9: is marked, and there is no such row']);
  });
});

describe('titles as they stand in a source', () => {
  const rowsOf = (text: string) => titlesIn('a.test.ts', text).map(({ rows }) => rows);

  test.each([
    ['one row', `test('F8: adopts', () => {});`, ['F8']],
    ['several rows', `it('F33 F78: lost', () => {});`, ['F33', 'F78']],
    ['with commas', `test('A4, F24, F26: ends', () => {});`, ['A4', 'F24', 'F26']],
    ['behind a table', `test.each([['F1: no title', f(1)]])('F4: %i', () => {});`, ['F4']],
    ['behind a condition and a table', `test.skipIf(a)('F5: skips', () => {});`, ['F5']],
    ['in a template, on a line of its own', 'test(\n  `F6: x`,\n  () => {});', ['F6']],
    ['in a suite', `describe('F7: all of it', () => { test('one', () => {}); });`, ['F7']],
    ['of its own in a suite', `describe('F7: all', () => { test('F9: one', () => {}); });`, ['F9']],
    ['after a suite', `describe('F7: all', () => { x(); });\ntest('none', () => {});`, []],
    ['only mentioned', `test('shows F8 somewhere', () => {});`, []],
  ])('a row is found %s', (_, text, rows) => {
    expect(rowsOf(text)).toEqual([rows]);
  });

  test('a comment and a string are no tests', () => {
    expect(rowsOf(`// test('F8: no', f);\nconst a = "test('F8: no', f)";`)).toEqual([]);
  });

  test('the suite stands before the test', () => {
    const [only] = titlesIn('a.test.ts', `describe('a store', () => { test('is \\'read\\'', () => {}); });`);
    expect(only?.title).toBe(`a store › is 'read'`);
  });
});
