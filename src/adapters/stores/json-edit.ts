/**
 * Changes single values in a JSON text and leaves every other byte as it is: order, spacing, spelling of numbers.
 *
 * Rule: text in, text out. The text is valid JSON, which the caller has proven by parsing it; only the way to the changed
 * value is walked, and everything beside it is skipped without being understood.
 */

export interface JsonEdit {
  /** Member names, or indices of arrays. */
  readonly path: readonly string[];
  /** Any JSON value; undefined removes the member. */
  readonly value: unknown;
}

/**
 * Applies the edits in order. A member that is missing is added behind the last one, in the layout of its neighbours,
 * together with the objects on the way to it; what stands in the way and is no object is replaced.
 */
export function editJson(text: string, edits: readonly JsonEdit[]): string {
  return edits.reduce((edited, edit) => applyEdit(edited, edit), text);
}

function applyEdit(text: string, { path, value }: JsonEdit): string {
  let at = skipSpace(text, 0);
  for (const [depth, name] of path.entries()) {
    const opening = text[at];
    if (opening !== '{' && opening !== '[') {
      return value === undefined ? text : replace(text, at, nest(path.slice(depth), value));
    }
    const items = itemsOf(text, at);
    const item = items.findLast((one, index) => (opening === '{' ? one.name : String(index)) === name);
    if (item === undefined) {
      const isAddable = value !== undefined && opening === '{';
      return isAddable ? insert(text, { opening: at, items, name, depth }, nest(path.slice(depth + 1), value)) : text;
    }
    if (value === undefined && depth === path.length - 1) {
      const without = remove(text, items, item);
      // Readers take the last of several members of one name: none of them may come to the fore.
      return opening === '{' ? applyEdit(without, { path, value }) : without;
    }
    at = item.valueStart;
  }
  return value === undefined ? text : replace(text, at, value);
}

/** A member of an object, or an element of an array, which has no name. */
interface Item {
  readonly name: string | null;
  readonly start: number;
  readonly valueStart: number;
  readonly end: number;
}

function itemsOf(text: string, opening: number): Item[] {
  const items: Item[] = [];
  for (let at = skipSpace(text, opening + 1); !CLOSING.has(text[at] ?? '}'); at = skipSpace(text, at)) {
    if (text[at] === ',') at = skipSpace(text, at + 1);
    const start = at;
    let name: string | null = null;
    if (text[opening] === '{') {
      const nameEnd = skipString(text, at);
      name = String(JSON.parse(text.slice(at, nameEnd)));
      at = skipSpace(text, skipSpace(text, nameEnd) + 1);
    }
    const end = skipValue(text, at);
    items.push({ name, start, valueStart: at, end });
    at = end;
  }
  return items;
}

function replace(text: string, at: number, value: unknown): string {
  const lineStart = text.lastIndexOf('\n', at - 1) + 1;
  const indent = /^[ \t]*/.exec(text.slice(lineStart, at))?.[0] ?? '';
  return text.slice(0, at) + print(text, value, indent) + text.slice(skipValue(text, at));
}

function insert(
  text: string,
  place: { readonly opening: number; readonly items: readonly Item[]; readonly name: string; readonly depth: number },
  value: unknown,
): string {
  const { opening, items, name, depth } = place;
  const last = items.at(-1);
  const { unit, lineEnd } = layoutOf(text);
  const indent = unit.repeat(depth + 1);
  if (last === undefined) {
    const member = `${JSON.stringify(name)}:${unit === '' ? '' : ' '}${print(text, value, indent)}`;
    const inside = unit === '' ? member : `${lineEnd}${indent}${member}${lineEnd}${unit.repeat(depth)}`;
    return `${text.slice(0, opening + 1)}${inside}${text.slice(skipSpace(text, opening + 1))}`;
  }
  const before = items.at(-2);
  const gap = before === undefined ? `,${text.slice(opening + 1, last.start)}` : text.slice(before.end, last.start);
  const nameEnd = skipString(text, last.start);
  const colon = text.slice(nameEnd, last.valueStart);
  return `${text.slice(0, last.end)}${gap}${JSON.stringify(name)}${colon}${print(text, value, indent)}${text.slice(last.end)}`;
}

function remove(text: string, items: readonly Item[], item: Item): string {
  const index = items.indexOf(item);
  const next = items[index + 1];
  const before = items[index - 1];
  // With its own comma: the one behind it, else the one before it.
  if (next !== undefined) return text.slice(0, item.start) + text.slice(next.start);
  return text.slice(0, before === undefined ? item.start : before.end) + text.slice(item.end);
}

function nest(path: readonly string[], value: unknown): unknown {
  return path.reduceRight((inner, name) => ({ [name]: inner }), value);
}

function print(text: string, value: unknown, indent: string): string {
  const { unit, lineEnd } = layoutOf(text);
  return JSON.stringify(value, null, unit).replaceAll('\n', `${lineEnd}${indent}`);
}

/** One step of indentation, empty for a text on one line, and how lines end. */
function layoutOf(text: string): { unit: string; lineEnd: string } {
  const match = /(\r?\n)([ \t]+)["[{]/.exec(text);
  return { unit: match?.[2] ?? '', lineEnd: match?.[1] ?? '\n' };
}

function skipSpace(text: string, start: number): number {
  let at = start;
  while (SPACE.has(text[at] ?? '')) at += 1;
  return at;
}

function skipString(text: string, start: number): number {
  let at = start + 1;
  while (at < text.length && text[at] !== '"') at += text[at] === '\\' ? 2 : 1;
  return at + 1;
}

/** Without recursion: the depth of what is skipped has no limit. */
function skipValue(text: string, start: number): number {
  let depth = 0;
  for (let at = start; at < text.length; ) {
    const character = text[at] ?? '';
    if (character === '"') at = skipString(text, at);
    else {
      if (depth === 0 && (CLOSING.has(character) || character === ',' || SPACE.has(character))) return at;
      if (OPENING.has(character)) depth += 1;
      if (CLOSING.has(character)) depth -= 1;
      at += 1;
    }
    if (depth === 0 && ENDING.has(text[at - 1] ?? '')) return at;
  }
  return text.length;
}

const SPACE: ReadonlySet<string> = new Set([' ', '\t', '\n', '\r']);
const OPENING: ReadonlySet<string> = new Set(['{', '[']);
const CLOSING: ReadonlySet<string> = new Set(['}', ']']);
/** Ends a string, an object, an array; a number or word ends where something else begins. */
const ENDING: ReadonlySet<string> = new Set(['"', '}', ']']);
