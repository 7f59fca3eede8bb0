/**
 * The titles of all tests, with the rows that each cites, read from the sources.
 *
 * Rule: nothing is run and no test is loaded; a title is the literal that stands in the source, a suite's title stands before those of its tests.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { closing, type SourceFile, sourceFile } from '../test/tidy/source.ts';

export interface TestTitle {
  /** Relative to the checkout, with slashes. */
  readonly file: string;
  /** Suites and test, outermost first, as they stand in the source: `%s` and `${…}` are not filled in. */
  readonly title: string;
  /** Of the test, else of the nearest suite that has some: `F8`, `A10`, `I3`. */
  readonly rows: readonly string[];
}

/** Of every file below `folder` that ends in `.test.ts`, in the order of paths and lines. */
export function testTitles(folder: string): readonly TestTitle[] {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((name) => name.replaceAll('\\', '/'));
  return names
    .filter((name) => name.endsWith('.test.ts'))
    .sort()
    .flatMap((name) => titlesIn(`${folder}/${name}`, readFileSync(join(folder, name), 'utf8')));
}

export function titlesIn(file: string, text: string): readonly TestTitle[] {
  const calls = titledCalls(sourceFile(file, text));
  return calls
    .filter((call) => !call.isSuite)
    .map((call) => {
      const around = calls.filter((suite) => suite.isSuite && suite.start < call.start && suite.end > call.end);
      const titles = [...around, call].map(({ title }) => title);
      return { file, title: titles.join(' › '), rows: titles.map(rowsOf).findLast((rows) => rows.length > 0) ?? [] };
    });
}

interface TitledCall {
  readonly isSuite: boolean;
  readonly title: string;
  readonly start: number;
  readonly end: number;
}

function titledCalls({ text, code }: SourceFile): readonly TitledCall[] {
  return [...code.matchAll(CALL)].flatMap((match) => {
    let open = match.index + match[0].length - 1;
    // `test.each(rows)('title', …)`, also skipIf and its like: the last parentheses hold the title.
    for (let next = afterCall(code, open); code[next] === '('; next = afterCall(code, open)) open = next;
    const quote = /^\s*(['"`])/.exec(code.slice(open + 1));
    if (quote === null) return [];
    const begin = open + 1 + quote[0].length;
    const title = text.slice(begin, endOfLiteral(text, begin, quote[1] ?? '')).replace(/\\(.)/g, '$1');
    return [{ isSuite: match[1] === 'describe', title, start: match.index, end: closing(code, open) }];
  });
}

function afterCall(code: string, open: number): number {
  const after = closing(code, open) + 1;
  return after + (/^\s*/.exec(code.slice(after))?.[0].length ?? 0);
}

function endOfLiteral(text: string, begin: number, quote: string): number {
  let position = begin;
  while (position < text.length && text[position] !== quote) position += text[position] === '\\' ? 2 : 1;
  return position;
}

/** `F8: …`, `F33 F78: …`, `A4, F24, F26: …`. */
function rowsOf(title: string): readonly string[] {
  const cited = /^(?:[A-FI]\d+,? ?)+:/.exec(title)?.[0] ?? '';
  return cited.match(/[A-FI]\d+/g) ?? [];
}

const CALL = /(?<![\w$.])(describe|test|it)(?:\.\w+)*\s*\(/g;
