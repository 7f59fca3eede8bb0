import { parse } from 'dotenv';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { quoteEnvValue } from '../../../src/adapters/publish/env-value.ts';
import { PortError } from '../../../src/daemon/ports.ts';

describe('quoteEnvValue', () => {
  test.each([
    ['sk-ant-oat01-Ab_9.~x+/y==', 'sk-ant-oat01-Ab_9.~x+/y=='],
    ['eyJhbGciOi.eyJzdWIi.sig-_', 'eyJhbGciOi.eyJzdWIi.sig-_'],
    ['2026-11-22T14:39:00Z', '2026-11-22T14:39:00Z'],
    ['1900000000', '1900000000'],
  ])('F45: %s needs no quotes', (value, quoted) => {
    expect(quoteEnvValue(value)).toBe(quoted);
  });

  test.each([
    ['', "''"],
    ['a b', "'a b'"],
    ['a#b', "'a#b'"],
    ['$HOME', "'$HOME'"],
    ['a`id`', "'a`id`'"],
    ['a\\b', "'a\\b'"],
    ['a"b', `'a"b'`],
    ['a!b', "'a!b'"],
    ['~root', "'~root'"],
    ['a:~root', "'a:~root'"],
    ['=ls', "'=ls'"],
    ["it's", `"it's"`],
    ['\ufeffé', "'\ufeffé'"],
    ['a\tb', "'a\tb'"],
  ])('F45: %j is quoted', (value, quoted) => {
    expect(quoteEnvValue(value)).toBe(quoted);
  });

  test.each([
    ['SECRET\nx', 'a line break'],
    ['SECRET\rx', 'a line break'],
    ['SECRET\0', 'a NUL'],
    ['SECRET\u001b[0m', 'a control character'],
    ['SECRET\ud800', 'a code point that is no character'],
    ['SECRET\uffff', 'a code point that is no character'],
    ['SECRET$\u007bHOME}', 'a dollar sign before a brace'],
    ['SECRET\\\\x', 'two backslashes in a row'],
    ['SECRET\\', 'a backslash at its end'],
    [`SECRET'"`, 'both kinds of quotes'],
    ["SECRET'$x", 'a single quote beside a dollar sign, backtick or backslash'],
  ])('F45: %j is refused by the kind of character, without the value', (value, contains) => {
    const refused = catchFrom(() => quoteEnvValue(value));
    expect(refused).toMatchObject({ code: 'value_not_representable' });
    expect(refused.message).toContain(contains);
    expect(refused.message).not.toContain('SECRET');
  });

  test('F45: any value is read back by dotenv, also between other quoted lines, or refused', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...`aZ09'"\`\\$#=~:!{}(); \t`), maxLength: 12 }), (value) => {
        let quoted: string;
        try {
          quoted = quoteEnvValue(value);
        } catch (error) {
          expect(error).toBeInstanceOf(PortError);
          return;
        }
        expect(parse(`B='x y'\nA=${quoted}\nC="x'y"\nD='z'\n`)).toEqual({ A: value, B: 'x y', C: "x'y", D: 'z' });
      }),
      { numRuns: 2000 },
    );
  });
});

function catchFrom(action: () => unknown): PortError {
  try {
    action();
  } catch (error) {
    if (error instanceof PortError) return error;
  }
  throw new Error('expected a PortError');
}
