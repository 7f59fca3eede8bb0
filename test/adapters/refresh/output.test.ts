import { expect, test } from 'vitest';
import { decodeStdout, lastUsefulLine } from '../../../src/adapters/refresh/output.ts';

const decode = (text: string) => decodeStdout(Buffer.from(text));

test('one JSON object is JSON, with space around it or a byte order mark before it', () => {
  expect(decode('\ufeff \n{"a":1}\r\n')).toEqual({ kind: 'json', json: { a: 1 } });
});

test('everything else that can be read is text: half of an object, two of them, a list, a word', () => {
  for (const text of ['{"a":', '{"a":1}\n{"a":1}', '[1]', 'word', '"word"']) expect(decode(text).kind).toBe('text');
});

test('blank output is empty', () => {
  expect([decode(''), decode(' \r\n\t')]).toEqual([{ kind: 'empty' }, { kind: 'empty' }]);
});

test('F27: what is no UTF-8, or has control characters, is binary', () => {
  expect(decodeStdout(Uint8Array.of(0xc3, 0x28))).toEqual({ kind: 'binary' });
  expect(decode('a\0b')).toEqual({ kind: 'binary' });
});

test('the line that tells most is the last that is no stack trace', () => {
  const node = 'file.js:1\nthrow\n ^\n\nError: no such account\n    at run (file.js:1:1)\n\nNode.js v20.20.2\n';
  expect(lastUsefulLine(node, [], 200)).toBe('Error: no such account');
  expect(lastUsefulLine('\n  \n', [], 200)).toBeNull();
});

test('colours and control characters are taken out', () => {
  expect(lastUsefulLine('\u001b[31mred\u001b[0m \u0007bell\u001b]0;title\u0007\n', [], 200)).toBe('red  bell');
});

test('F28: a secret is hidden before the line is cut to its length', () => {
  expect(lastUsefulLine('the value was verysecretvalue', ['verysecretvalue'], 24)).toBe('the value was [redacted]');
});
