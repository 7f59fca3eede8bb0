/**
 * Objects within text: JSON, what Python, Node, Ruby and Elixir print of an object, and RFC 6749's forms, wherever they stand in a line.
 *
 * Rule: total and bounded; what cannot be read to its end is no object. It only reads structure, and never judges it.
 */

export type LiteralObject = Readonly<Record<string, unknown>>;

export interface ObjectsInText {
  /** Every outermost object, in order; objects within objects belong to theirs. */
  readonly objects: readonly LiteralObject[];
  /** The text without them. */
  readonly rest: string;
}

/** @param text a response body, or a script's standard error */
export function objectsIn(text: string): ObjectsInText {
  const form = formIn(text);
  if (form !== null) return { objects: [form], rest: '' };
  const objects: LiteralObject[] = [];
  let rest = '';
  let done = 0;
  let at = text.indexOf('{');
  for (let tries = 0; at !== -1 && tries < TRIES_MAX; tries += 1) {
    const read = objectAt(text, at) ?? escapedObjectAt(text, at);
    if (read !== null) {
      objects.push(read.value);
      rest += text.slice(done, at);
      done = read.end;
    }
    at = text.indexOf('{', read?.end ?? at + 1);
  }
  return { objects, rest: rest + text.slice(done) };
}

/** The object that is the whole text, but for space around it; null when there is more, or less. */
export function wholeObject(text: string): LiteralObject | null {
  const trimmed = text.trim();
  const read = trimmed.startsWith('{') ? objectAt(trimmed, 0) : null;
  return read?.end === trimmed.length ? read.value : null;
}

export function isLiteralObject(value: unknown): value is LiteralObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** `error=…&error_description=…`: GitHub's token endpoint answers so unless asked for JSON. */
function formIn(text: string): LiteralObject | null {
  const trimmed = text.trim();
  if (!/^(?:[a-z_]+=[^\s&]*&)*error=[^\s&]+(?:&[a-z_]+=[^\s&]*)*$/.test(trimmed)) return null;
  return Object.fromEntries(trimmed.split('&').map((pair) => [pair.split('=', 1)[0] ?? '', formValue(pair)]));
}

function formValue(pair: string): string {
  const raw = pair.slice(pair.indexOf('=') + 1).replaceAll('+', ' ');
  return raw.replace(/%([0-7][0-9a-f])/gi, (_whole, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

interface Read<T> {
  readonly value: T;
  /** Index after its last character. */
  readonly end: number;
}

function objectAt(text: string, at: number): Read<LiteralObject> | null {
  const read = readValue(text, at, 0);
  return read !== null && isLiteralObject(read.value) ? { value: read.value, end: read.end } : null;
}

/** `{\"error\":\"invalid_grant\"}`: an object within a string that something else printed. */
function escapedObjectAt(text: string, at: number): Read<LiteralObject> | null {
  if (!/^\{\s*(?:\\[nt]\s*)*\\"/.test(text.slice(at, at + 16))) return null;
  const plain = text.slice(at).replaceAll('\\n', ' ').replaceAll('\\"', '"');
  const read = objectAt(plain, 0);
  // The end is not known in the original; an estimate that lies within it is enough to go on.
  return read === null ? null : { value: read.value, end: Math.min(text.length, at + read.end) };
}

function readValue(text: string, start: number, depth: number): Read<unknown> | null {
  const at = skipSpace(text, start);
  if (depth > DEPTH_MAX) return null;
  switch (text[at]) {
    case '{':
      return readMembers(text, at + 1, depth);
    case '[':
      return readItems(text, at + 1, { close: ']', depth });
    case '(':
      return readItems(text, at + 1, { close: ')', depth });
    case '"':
    case "'":
    case '`':
      return readStrings(text, at);
    default:
      return readBareWord(text, at);
  }
}

function readMembers(text: string, start: number, depth: number): Read<LiteralObject> | null {
  const members: [string, unknown][] = [];
  let at = skipSpace(text, start);
  while (text[at] !== '}') {
    const key = readKey(text, at);
    if (key === null) return null;
    at = skipSpace(text, key.end);
    const separator = SEPARATORS.find((mark) => text.startsWith(mark, at));
    if (separator === undefined) return null;
    const value = readValue(text, at + separator.length, depth + 1);
    if (value === null) return null;
    members.push([key.value, value.value]);
    at = skipSpace(text, value.end);
    if (text[at] === ',') at = skipSpace(text, at + 1);
    else if (text[at] !== '}') return null;
  }
  return { value: Object.fromEntries(members), end: at + 1 };
}

function readItems(
  text: string,
  start: number,
  { close, depth }: { readonly close: string; readonly depth: number },
): Read<readonly unknown[]> | null {
  const items: unknown[] = [];
  let at = skipSpace(text, start);
  while (text[at] !== close) {
    const item = readValue(text, at, depth + 1);
    if (item === null) return null;
    items.push(item.value);
    at = skipSpace(text, item.end);
    if (text[at] === ',') at = skipSpace(text, at + 1);
    else if (text[at] !== close) return null;
  }
  return { value: items, end: at + 1 };
}

function readKey(text: string, at: number): Read<string> | null {
  if (text[at] === '"' || text[at] === "'") return readString(text, at);
  // Ruby's symbols have their colon in front.
  const start = text[at] === ':' ? at + 1 : at;
  const word = match(BARE_KEY, text, start);
  return word === null ? null : { value: word, end: start + word.length };
}

/** Node breaks long strings: `'…' +` and the rest on the next line. */
function readStrings(text: string, at: number): Read<string> | null {
  const first = readString(text, at);
  if (first === null) return null;
  const next = skipSpace(text, first.end);
  if (text[next] !== '+') return first;
  const rest = readStrings(text, skipSpace(text, next + 1));
  return rest === null ? null : { value: first.value + rest.value, end: rest.end };
}

function readString(text: string, at: number): Read<string> | null {
  const quote = text[at];
  if (quote !== '"' && quote !== "'" && quote !== '`') return null;
  let value = '';
  for (let next = at + 1; next < text.length; next += 1) {
    const character = text[next];
    if (character === quote) return { value, end: next + 1 };
    if (character === '\\') {
      next += 1;
      value += unescaped(text[next] ?? '');
    } else value += character;
  }
  return null;
}

function unescaped(character: string): string {
  return ESCAPES.get(character) ?? character;
}

/** Numbers, `null`, `None`, `true`, and what Node leaves out (`[Object]` is an array by its look). */
function readBareWord(text: string, at: number): Read<unknown> | null {
  const word = match(BARE_VALUE, text, at);
  if (word === null) return null;
  const end = at + word.length;
  if (WORDS.has(word)) return { value: WORDS.get(word), end };
  const number = Number(word);
  return { value: Number.isNaN(number) ? word : number, end };
}

function match(pattern: RegExp, text: string, at: number): string | null {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0] ?? null;
}

function skipSpace(text: string, at: number): number {
  let next = at;
  while (SPACE.has(text[next] ?? '')) next += 1;
  return next;
}

const SPACE: ReadonlySet<string> = new Set([' ', '\t', '\n', '\r', '\u00a0']);

/** JSON's, and that of Ruby and Elixir. */
const SEPARATORS = [':', '=>'] as const;

const BARE_KEY = /[A-Za-z_$][\w$]{0,63}/y;

const BARE_VALUE = /[A-Za-z0-9_.+-][\w.+-]{0,63}/y;

const ESCAPES: ReadonlyMap<string, string> = new Map([
  ['n', '\n'],
  ['t', '\t'],
  ['r', '\r'],
]);

const WORDS: ReadonlyMap<string, unknown> = new Map<string, unknown>([
  ['null', null],
  ['None', null],
  ['undefined', null],
  ['true', true],
  ['True', true],
  ['false', false],
  ['False', false],
]);

// An error has one object, a trace a few; more is data, and each try costs a pass over the rest of the text.
const TRIES_MAX = 24;

const DEPTH_MAX = 24;
