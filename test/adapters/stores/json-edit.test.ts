import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { editJson } from '../../../src/adapters/stores/json-edit.ts';

describe('an edit of a JSON text', () => {
  it('replaces a value and keeps every other byte, also what JSON.parse would lose', () => {
    const text =
      '{ "big": 12345678901234567890,\n\t"one": 1.0, "e": 1E3, "u": "\\u00e9\\/",\r\n "2": 0, "1": [ ], "a": "old" , "dup": 1, "dup": 2 }\n\n';
    expect(editJson(text, [{ path: ['a'], value: 'new' }])).toBe(text.replace('"old"', '"new"'));
    expect(editJson(text, [{ path: ['dup'], value: 3 }])).toBe(text.replace('"dup": 2', '"dup": 3'));
  });

  it.each([
    ['two spaces', '{\n  "a": 1\n}\n', '{\n  "a": 1,\n  "b": 2\n}\n'],
    ['a tab', '{\n\t"a": 1\n}', '{\n\t"a": 1,\n\t"b": 2\n}'],
    ['CRLF', '{\r\n    "a": 1\r\n}\r\n', '{\r\n    "a": 1,\r\n    "b": 2\r\n}\r\n'],
    ['one line', '{"a":1}', '{"a":1,"b":2}'],
    ['one airy line', '{ "a" : 1, "c" : 3 }', '{ "a" : 1, "c" : 3, "b" : 2 }'],
    ['nothing', '{}', '{"b":2}'],
  ])('adds a member in the layout of its neighbours: %s', (_, text, expected) => {
    expect(editJson(text, [{ path: ['b'], value: 2 }])).toBe(expected);
  });

  it('adds the objects on the way to a new member', () => {
    const text = '{\n  "a": {\n    "b": 1\n  }\n}\n';
    expect(editJson(text, [{ path: ['a', 'c', 'd'], value: 2 }])).toBe(
      '{\n  "a": {\n    "b": 1,\n    "c": {\n      "d": 2\n    }\n  }\n}\n',
    );
    expect(editJson('{\n  "a": {}\n}', [{ path: ['a', 'x'], value: 1 }])).toBe('{\n  "a": {\n    "x": 1\n  }\n}');
    expect(editJson('{"a":null}', [{ path: ['a', 'x'], value: 1 }])).toBe('{"a":{"x":1}}');
  });

  it('walks arrays by index, and adds nothing to them', () => {
    const text = '[ {"t": "a"}, {"t": "b", "n": [1, {"t": "]"}]} ]';
    expect(editJson(text, [{ path: ['1', 't'], value: 'c' }])).toBe(text.replace('"b"', '"c"'));
    expect(editJson(text, [{ path: ['2', 't'], value: 'c' }])).toBe(text);
  });

  it('removes a member with one comma', () => {
    const text = '{\n  "a": 1,\n  "b": 2,\n  "c": 3\n}';
    expect(editJson(text, [{ path: ['a'], value: undefined }])).toBe('{\n  "b": 2,\n  "c": 3\n}');
    expect(editJson(text, [{ path: ['c'], value: undefined }])).toBe('{\n  "a": 1,\n  "b": 2\n}');
    expect(editJson('{"a":1}', [{ path: ['a'], value: undefined }])).toBe('{}');
    expect(editJson(text, [{ path: ['x', 'y'], value: undefined }])).toBe(text);
  });

  it('does what it would do to the parsed value, whatever the text', () => {
    const name = fc.constantFrom('a', 'b', 'c"\\', '0', '');
    const value = fc.jsonValue({ maxDepth: 3 }).filter((json) => !JSON.stringify(json).includes('__proto__'));
    const tree = fc.dictionary(name, fc.oneof(value, fc.dictionary(name, value)));
    const layout = fc.constantFrom('', ' ', '\t', '    ');
    fc.assert(
      fc.property(
        tree,
        layout,
        fc.array(name, { minLength: 1, maxLength: 3 }),
        fc.option(value),
        (root, space, path, to) => {
          const text = JSON.stringify(root, null, space);
          const edited = editJson(text, [{ path, value: to ?? undefined }]);
          // Through JSON, which has no -0.
          expect(JSON.parse(edited)).toEqual(JSON.parse(JSON.stringify(expected(root, path, to ?? undefined))));
        },
      ),
      { numRuns: 500 },
    );
  });
});

/** The same edit on the value instead of the text. */
function expected(root: unknown, path: readonly string[], to: unknown): unknown {
  const [name, ...rest] = path;
  if (name === undefined) return to;
  if (Array.isArray(root)) {
    const index = root.findIndex((_, nth) => String(nth) === name);
    if (index < 0) return root;
    if (to === undefined && rest.length === 0) return root.filter((_, nth) => nth !== index);
    return root.map((item, nth) => (nth === index ? expected(item, rest, to) : item));
  }
  const isObject = typeof root === 'object' && root !== null;
  const members: Record<string, unknown> = isObject ? { ...root } : {};
  if (to === undefined) {
    if (!Object.hasOwn(members, name)) return root;
    if (rest.length === 0) delete members[name];
    else members[name] = expected(members[name], rest, to);
    return isObject ? members : root;
  }
  return { ...members, [name]: expected(members[name], rest, to) };
}
