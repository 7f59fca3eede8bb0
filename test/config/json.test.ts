import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { findJsonProblem } from '../../src/config/json.ts';
import { problemsOf } from './arrange.ts';

describe('where a JSON text is wrong', () => {
  test.each([
    ['{\n  "a": 1,\n}', 'line 2, column 9: expected no comma after the last item, got one; remove it'],
    [
      '{\n  // why\n  "a": 1\n}',
      'line 2, column 3: expected a key in double quotes, got a comment; comments are not allowed in JSON: remove it',
    ],
    [
      '{ "a": 1 /* b */ }',
      'line 1, column 10: expected a comma or }, got a comment; comments are not allowed in JSON: remove it',
    ],
    ['{ "a": 1', 'line 1, column 9: expected a comma or }, got the end of the file; the file is cut off: complete it'],
    ["{ 'a': 1 }", "line 1, column 3: expected a key in double quotes, got '; use double quotes"],
    ['{ "a" = 1 }', 'line 1, column 7: expected a colon, got =; correct it there'],
    [
      '{ "a": "b\nc" }',
      'line 1, column 8: expected a string on one line that ends with a double quote, got another; close it, and write \\ as \\\\',
    ],
    [
      '{ "a": 1, "a": 2 }',
      'line 1, column 11: expected each key once in an object, got one twice; remove or rename one',
    ],
    ['{ "__proto__": {} }', 'line 1, column 3: expected a key with a meaning, got one that has none; remove it'],
    ['', 'line 1, column 1: expected a value, got the end of the file; the file is cut off: complete it'],
    ['{} {}', 'line 1, column 4: expected the end of the file, got {; correct it there'],
    ['{ "a": tru }', 'line 1, column 8: expected a value, got something else; correct it there'],
  ])('%j', (text, message) => {
    expect(findJsonProblem(text)).toBe(message);
  });

  test('the file is named before the line', async () => {
    expect((await problemsOf('{ "credentials": sk-secret }'))[0]).toMatch(
      /^\/.*\/config\.json: line 1, column 18: expected a value, got something else/,
    );
  });

  test('exactly what JSON.parse refuses is found, in any mutilation of a JSON text', () => {
    const texts = fc.tuple(fc.json(), fc.nat(), fc.constantFrom('', ',', '"', '}', '\\', '0', 'e', '\n', '\u0001'));
    fc.assert(
      fc.property(texts, ([json, at, inserted]) => {
        const cut = at % (json.length + 1);
        const text = json.slice(0, cut) + inserted + json.slice(cut + 1);
        const problem = findJsonProblem(text);
        if (problem !== null && /each key once|at most 64 levels|a key with a meaning/.test(problem)) return;
        expect(problem === null, text).toBe(parses(text));
      }),
      { numRuns: 2000 },
    );
  });
});

function parses(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch (error) {
    return !(error instanceof SyntaxError);
  }
}
