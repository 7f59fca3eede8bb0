/**
 * Finds the first mistake in a JSON text, with line and column, and keys that stand twice in one object.
 *
 * Rule: only says where; `JSON.parse` makes the value. Node's own message is not used: it has no column and quotes the
 * text around the mistake, which may be a secret.
 */
import { complain } from './complaint.ts';

/** Deeper nesting is no configuration, and recursion has a limit. */
const DEPTH_MAX = 64;

/** @returns one line `line 3, column 7: expected …, got …; …`, or null when the text is sound JSON without doubled keys */
export function findJsonProblem(text: string): string | null {
  const scanner: Scanner = { text, at: 0 };
  try {
    scanValue(scanner, 0);
    skipSpace(scanner);
    if (scanner.at < text.length) throw new JsonMistake(scanner.at, 'the end of the file', remedyAt(scanner));
    return null;
  } catch (error) {
    if (!(error instanceof JsonMistake)) throw error;
    const before = text.slice(0, error.at).split('\n');
    const place = `line ${before.length}, column ${(before.at(-1)?.length ?? 0) + 1}`;
    const seen = error.seen ?? seenAt(text, error.at);
    return `${place}: ${complain({ expected: error.message, seen, remedy: error.remedy })}`;
  }
}

interface Scanner {
  readonly text: string;
  at: number;
}

class JsonMistake extends Error {
  readonly at: number;
  readonly remedy: string;
  readonly seen: string | null;
  constructor(at: number, expected: string, remedy: string, seen: string | null = null) {
    super(expected);
    this.at = at;
    this.remedy = remedy;
    this.seen = seen;
  }
}

function scanValue(scanner: Scanner, depth: number): void {
  skipSpace(scanner);
  if (depth > DEPTH_MAX) throw new JsonMistake(scanner.at, `at most ${DEPTH_MAX} levels`, 'flatten it', 'more');
  const next = scanner.text[scanner.at];
  if (next === '{') scanObject(scanner, depth);
  else if (next === '[') scanArray(scanner, depth);
  else if (next === '"') scanString(scanner);
  else if (!take(scanner, /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y)) {
    throw new JsonMistake(scanner.at, 'a value', remedyAt(scanner));
  }
}

function scanObject(scanner: Scanner, depth: number): void {
  const keys = new Set<string>();
  scanItems(scanner, '}', () => {
    const start = scanner.at;
    if (scanner.text[start] !== '"') throw new JsonMistake(start, 'a key in double quotes', remedyAt(scanner));
    const key = scanString(scanner);
    if (keys.has(key)) throw new JsonMistake(start, 'each key once in an object', 'remove or rename one', 'one twice');
    // `JSON.parse` takes it, and every schema overlooks it.
    if (key === '__proto__') throw new JsonMistake(start, 'a key with a meaning', 'remove it', 'one that has none');
    keys.add(key);
    skipSpace(scanner);
    if (!take(scanner, /:/y)) throw new JsonMistake(scanner.at, 'a colon', remedyAt(scanner));
    scanValue(scanner, depth + 1);
  });
}

function scanArray(scanner: Scanner, depth: number): void {
  scanItems(scanner, ']', () => scanValue(scanner, depth + 1));
}

/** What stands between brackets: items with commas between them, none at the end. */
function scanItems(scanner: Scanner, close: '}' | ']', scanItem: () => void): void {
  scanner.at += 1;
  skipSpace(scanner);
  if (scanner.text[scanner.at] === close) {
    scanner.at += 1;
    return;
  }
  for (;;) {
    scanItem();
    skipSpace(scanner);
    const next = scanner.text[scanner.at];
    if (next === close) {
      scanner.at += 1;
      return;
    }
    if (next !== ',') throw new JsonMistake(scanner.at, `a comma or ${close}`, remedyAt(scanner));
    const comma = scanner.at;
    scanner.at += 1;
    skipSpace(scanner);
    if (scanner.text[scanner.at] === close) {
      throw new JsonMistake(comma, 'no comma after the last item', 'remove it', 'one');
    }
  }
}

/** @returns the string's value, so that keys can be compared however they are written */
function scanString(scanner: Scanner): string {
  const start = scanner.at;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: RFC 8259 forbids exactly these inside a string
  if (!take(scanner, /"(?:[^"\\\u0000-\u001F]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y)) {
    throw new JsonMistake(
      start,
      'a string on one line that ends with a double quote',
      'close it, and write \\ as \\\\',
      'another',
    );
  }
  return JSON.parse(scanner.text.slice(start, scanner.at)) as string;
}

function take(scanner: Scanner, pattern: RegExp): boolean {
  pattern.lastIndex = scanner.at;
  if (!pattern.test(scanner.text)) return false;
  scanner.at = pattern.lastIndex;
  return true;
}

function skipSpace(scanner: Scanner): void {
  take(scanner, /[ \t\r\n]+/y);
}

function remedyAt(scanner: Scanner): string {
  const rest = scanner.text.slice(scanner.at, scanner.at + 2);
  if (rest === '//' || rest === '/*') return 'comments are not allowed in JSON: remove it';
  if (rest.startsWith('#')) return 'comments are not allowed in JSON: remove it';
  if (rest.startsWith("'")) return 'use double quotes';
  return rest === '' ? 'the file is cut off: complete it' : 'correct it there';
}

/** One punctuation mark is shown; anything else could be part of a secret. */
function seenAt(text: string, at: number): string {
  const next = text[at];
  if (next === undefined) return 'the end of the file';
  const pair = text.slice(at, at + 2);
  if (pair === '//' || pair === '/*' || next === '#') return 'a comment';
  return /[{}[\],:'"=;]/.test(next) ? next : 'something else';
}
