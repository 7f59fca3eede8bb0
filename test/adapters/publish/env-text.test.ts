import { parse } from 'dotenv';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { editEnv, findAssignments, removeFromEnv } from '../../../src/adapters/publish/env-text.ts';

const setToken = (text: string, value: string | null = 'new'): string => editEnv(text, new Map([['TOKEN', value]]));

describe('editEnv', () => {
  test('A14: other lines, comments and their order stay when a variable in the middle is set', () => {
    const text = '# the bot\nNAME=bot\n\n  # its token\nTOKEN=old\nDEBUG = "yes" # really\nnot an assignment\n';
    expect(setToken(text)).toBe(text.replace('old', 'new'));
  });

  test.each([
    ['an empty file', '', 'TOKEN=new\n'],
    ['a file without the variable', 'A=1\n', 'A=1\nTOKEN=new\n'],
    ['a last line without an ending', 'A=1', 'A=1\nTOKEN=new\n'],
    ['our own last line without an ending', 'A=1\nTOKEN=old', 'A=1\nTOKEN=new'],
    ['CRLF', 'A=1\r\nTOKEN=old\r\nB=2\r\n', 'A=1\r\nTOKEN=new\r\nB=2\r\n'],
    ['CRLF, to which a line is added', 'A=1\r\nB=2', 'A=1\r\nB=2\r\nTOKEN=new\r\n'],
    ['mixed line endings', 'A=1\r\nTOKEN=old\nB=2\rC=3\r\n', 'A=1\r\nTOKEN=new\nB=2\rC=3\r\n'],
    ['a byte order mark', '\ufeffTOKEN=old\nA=1\n', '\ufeffTOKEN=new\nA=1\n'],
    ['nothing but a byte order mark', '\ufeff', '\ufeffTOKEN=new\n'],
    ['export and indentation', '  export TOKEN=old\n', '  export TOKEN=new\n'],
    ['blanks around the equals sign, which a shell cannot read', 'TOKEN = old\n', 'TOKEN=new\n'],
    ['the colon that dotenv also reads', 'TOKEN: old\n', 'TOKEN=new\n'],
    ['no value', 'TOKEN=\nA=1\n', 'TOKEN=new\nA=1\n'],
    ['a quoted value over several lines', "A=1\nTOKEN='old\nB=inside\n'\nC=3\n", 'A=1\nTOKEN=new\nC=3\n'],
    [
      'a comment that mentions it',
      '# TOKEN=commented\nA=1 # TOKEN=x\n',
      '# TOKEN=commented\nA=1 # TOKEN=x\nTOKEN=new\n',
    ],
    ['names that begin or end like it', 'TOKEN2=1\nMY_TOKEN=2\n', 'TOKEN2=1\nMY_TOKEN=2\nTOKEN=new\n'],
    [
      'another variable that holds its text',
      'A="x\nTOKEN=inside\ny"\nB=2\n',
      'A="x\nTOKEN=inside\ny"\nB=2\nTOKEN=new\n',
    ],
    ['several assignments: the last is set, the others go', 'TOKEN=1\nA=1\nTOKEN=2\nB=2\n', 'A=1\nTOKEN=new\nB=2\n'],
    ['several, of which an earlier one is exported', 'export TOKEN=1\nA=1\nTOKEN=2\n', 'A=1\nexport TOKEN=new\n'],
    ['several, of which the last is exported', 'TOKEN=1\nexport TOKEN=2\n', 'export TOKEN=new\n'],
    ['a comment behind the value', 'A=1\nTOKEN=old # of the bot\n', 'A=1\n# of the bot\nTOKEN=new\n'],
    ['a comment behind a quoted value', "TOKEN='old'# of the bot", '# of the bot\nTOKEN=new'],
    ['a hash that is part of the old secret', 'TOKEN=old#secret\n', 'TOKEN=new\n'],
  ])('A14: sets the variable in %s', (_, text, expected) => {
    expect(setToken(text)).toBe(expected);
    expect(setToken(expected)).toBe(expected);
  });

  test.each([
    ['in the middle', 'A=1\nTOKEN=old\nB=2\n', 'A=1\nB=2\n'],
    ['as the only line', 'TOKEN=old\n', ''],
    ['at the end without a line ending', 'A=1\nTOKEN=old', 'A=1\n'],
    ['several times', 'TOKEN=1\nA=1\nTOKEN=2\n', 'A=1\n'],
    ['with a comment behind it', 'TOKEN=old # of the bot\nA=1\n', '# of the bot\nA=1\n'],
    ['behind a byte order mark', '\ufeffTOKEN=old\nA=1\n', '\ufeffA=1\n'],
    ['nowhere', 'A=1\n', 'A=1\n'],
  ])('A14: removes the variable %s', (_, text, expected) => {
    expect(setToken(text, null)).toBe(expected);
  });

  test('a new variable goes below the one before it, with its export', () => {
    const changes = new Map([
      ['TOKEN', 'new'],
      ['TOKEN_EXPIRES_AT', null],
      ['TOKEN_GENERATION', '7'],
    ]);
    expect(editEnv('export TOKEN=old\r\nTOKEN_EXPIRES_AT=1\r\nA=1\r\n', changes)).toBe(
      'export TOKEN=new\r\nexport TOKEN_GENERATION=7\r\nA=1\r\n',
    );
    expect(editEnv('A=1\n', changes)).toBe('A=1\nTOKEN=new\nTOKEN_GENERATION=7\n');
  });

  test('A14: whatever the file, only our variable changes and all other lines stay, in order', () => {
    const lines = fc.array(fc.tuple(fc.constantFrom(...LINES), fc.constantFrom('\n', '\r\n', '\r')), { maxLength: 12 });
    fc.assert(
      fc.property(lines, fc.boolean(), fc.constantFrom('new', "n 'w", null), (parts, isCut, value) => {
        const whole = parts.map(([content, ending]) => content + ending).join('');
        const text = isCut ? whole.replace(/[\r\n]+$/, '') : whole;
        const { TOKEN: _before, ...others } = parse(text);
        const { TOKEN, ...othersAfter } = parse(setToken(text, value));
        expect(othersAfter).toEqual(others);
        expect(TOKEN).toBe(value ?? undefined);
        const foreign = (all: string): string[] =>
          all.split(/\r\n|\n|\r/).filter((line) => line !== '' && !OURS.test(line));
        expect(foreign(setToken(text, value))).toEqual(foreign(text));
      }),
      { numRuns: 2000 },
    );
  });
});

describe('removeFromEnv', () => {
  test('F81: removes the assignments it is told to, and leaves the others of the same name', () => {
    const text = 'TOKEN=theirs\nA=1\nTOKEN=ours # note\n';
    expect(removeFromEnv(text, ({ value }) => value === 'ours')).toBe('TOKEN=theirs\nA=1\n# note\n');
  });
});

describe('findAssignments', () => {
  test('finds what dotenv finds, with the lines it spans', () => {
    const found = findAssignments("A=1\nexport B='x\ny' # note\nC\n");
    expect(found).toEqual([
      { name: 'A', value: '1', firstLine: 0, lastLine: 0, prefix: '', comment: null },
      { name: 'B', value: 'x\ny', firstLine: 1, lastLine: 2, prefix: 'export ', comment: '# note' },
    ]);
  });
});

// Lines with balanced quotes: across an unbalanced one dotenv reads on, and the publisher refuses what it then finds.
const LINES = [
  '',
  '# a comment',
  '# TOKEN=in a comment',
  'A=1',
  'export B="x y" # why',
  "C='#'",
  'D=a"b"c',
  'E=`tick`',
  '  F = spaced  ',
  'G: colon',
  'nonsense',
  'H="TOKEN=inside"',
  'TOKEN=old',
  "export TOKEN='old one'",
  'TOKEN=',
];

const OURS = /^\s*(?:export\s+)?TOKEN=/;
