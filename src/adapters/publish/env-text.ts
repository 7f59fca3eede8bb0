/**
 * A line-preserving editor of env files: text in, text out.
 *
 * Rule: only lines of the named variables change; every other line, comment, line ending and a byte order mark stay as they
 * are. What an assignment is, dotenv decides: its grammar is followed here, its parser reads the values.
 */
import { parse } from 'dotenv';
import { quoteEnvValue } from './env-value.ts';

export interface Assignment {
  readonly name: string;
  /** As dotenv reads it. */
  readonly value: string;
  /** Indices of lines; a quoted value can span several. */
  readonly firstLine: number;
  readonly lastLine: number;
  /** What stands before the name: indentation, `export `. */
  readonly prefix: string;
  /** `# …` behind the value, where a shell would see a comment too. */
  readonly comment: string | null;
}

/**
 * Sets or removes variables.
 *
 * A variable keeps its place and its `export`. Of several assignments the last is the one that readers obey: it is set, and
 * the earlier ones are removed, so that no dead token stays behind. A comment behind a value moves to a line of its own
 * above, because systemd would read it as part of the value. A new variable goes below the one before it in `changes`,
 * else to the end of the file.
 * @param changes null removes
 * @throws PortError `value_not_representable`
 */
export function editEnv(text: string, changes: ReadonlyMap<string, string | null>): string {
  const assignments = findAssignments(text);
  const replacements: Replacements = new Map();
  const appended: string[] = [];
  let neighbours = appended;
  let prefix = '';
  for (const [name, value] of changes) {
    const own = assignments.filter((assignment) => assignment.name === name);
    for (const assignment of own) replacements.set(assignment.firstLine, replacementOf(assignment));
    if (value === null) continue;
    const last = own.at(-1);
    if (last !== undefined) {
      neighbours = replacements.get(last.firstLine)?.contents ?? appended;
      // To a shell a variable that was exported once stays so, whatever is assigned to it later.
      prefix = own.find(({ prefix }) => EXPORT.test(prefix))?.prefix ?? last.prefix;
    }
    neighbours.push(`${prefix}${name}=${quoteEnvValue(value)}`);
  }
  return render(text, replacements, appended);
}

/** Removes the assignments that `isOurs` says, and no others; a comment behind a value stays, as a line of its own. */
export function removeFromEnv(text: string, isOurs: (assignment: Assignment) => boolean): string {
  const ours = findAssignments(text).filter(isOurs);
  return render(text, new Map(ours.map((assignment) => [assignment.firstLine, replacementOf(assignment)])), []);
}

/** All assignments, in order. Lines inside a quoted value of another variable are none. */
export function findAssignments(text: string): Assignment[] {
  const lines = splitLines(text);
  const joined = lines.map(({ content }) => content).join('\n');
  const starts = startsOf(lines);
  const found: Assignment[] = [];
  for (const match of joined.matchAll(ASSIGNMENT)) {
    const name = match.groups?.name;
    const [nameStart, nameEnd] = match.indices?.groups?.name ?? [0, 0];
    if (name === undefined) continue;
    const valueEnd = match.indices?.groups?.value?.[1] ?? nameEnd;
    const firstLine = lineAt(starts, nameStart);
    const lastLine = lineAt(starts, valueEnd);
    const prefix = lines[firstLine]?.content.slice(0, nameStart - (starts[firstLine] ?? 0)) ?? '';
    // JavaScript begins a line after U+2028 too; no other reader does.
    if (!PREFIX.test(prefix)) continue;
    const comment = commentIn(lines[lastLine]?.content ?? '', valueEnd - (starts[lastLine] ?? 0));
    found.push({ name, value: parse(match[0])[name] ?? '', firstLine, lastLine, prefix, comment });
  }
  return found;
}

interface Line {
  readonly content: string;
  /** LF, CRLF, CR, or nothing on a last line without one. */
  readonly ending: string;
}

/** By index of the first line replaced. */
type Replacements = Map<number, { readonly lastLine: number; readonly contents: string[] }>;

function replacementOf({ lastLine, comment }: Assignment): { lastLine: number; contents: string[] } {
  return { lastLine, contents: comment === null ? [] : [comment] };
}

function splitLines(text: string): Line[] {
  const lines = Array.from(withoutMark(text).matchAll(LINE), ([, content = '', ending = '']) => ({ content, ending }));
  // The pattern also finds the nothing after the last line ending.
  return lines.filter(({ content, ending }) => content + ending !== '');
}

/** Offsets of the lines once they are joined by single characters. */
function startsOf(lines: readonly Line[]): number[] {
  const starts: number[] = [];
  let offset = 0;
  for (const { content } of lines) {
    starts.push(offset);
    offset += content.length + 1;
  }
  return starts;
}

function lineAt(starts: readonly number[], offset: number): number {
  let low = 0;
  let high = starts.length - 1;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if ((starts[middle] ?? 0) <= offset) low = middle;
    else high = middle - 1;
  }
  return low;
}

function commentIn(line: string, valueEnd: number): string | null {
  const hash = line.indexOf('#', valueEnd);
  // Without a space or a closing quote before it, a shell takes `#…` for a part of the value: an old secret is no comment.
  return hash > 0 && /[\s'"`]/.test(line.charAt(hash - 1)) ? line.slice(hash) : null;
}

function render(text: string, replacements: Replacements, appended: readonly string[]): string {
  const lines = splitLines(text);
  const usualEnding = lines.findLast(({ ending }) => ending !== '')?.ending ?? '\n';
  const out: Line[] = [];
  for (let index = 0; index < lines.length; index += 1) {
    const line = lines[index] ?? { content: '', ending: '' };
    const replacement = replacements.get(index);
    if (replacement === undefined) {
      out.push(line);
      continue;
    }
    const { contents, lastLine } = replacement;
    const lastEnding = lines[lastLine]?.ending ?? '';
    contents.forEach((content, nth) => {
      const isLast = nth === contents.length - 1;
      out.push({ content, ending: isLast ? lastEnding : line.ending || usualEnding });
    });
    index = lastLine;
  }
  // A line that we add ends itself, so that `echo X=1 >> .env` cannot become a part of the token.
  for (const content of appended) out.push({ content, ending: usualEnding });
  const last = out.length - 1;
  const joined = out.map(({ content, ending }, nth) => content + (ending || (nth < last ? usualEnding : '')));
  return `${text.slice(0, text.length - withoutMark(text).length)}${joined.join('')}`;
}

function withoutMark(text: string): string {
  return text.startsWith(BYTE_ORDER_MARK) ? text.slice(1) : text;
}

const BYTE_ORDER_MARK = '\ufeff';

const LINE = /([^\r\n]*)(\r\n|\n|\r|$)/g;

const EXPORT = /^\s*export\s/;

const PREFIX = /^\s*(?:export\s+)?$/;

// The grammar of dotenv 17, with its parts named. The publisher reads every edit back with dotenv itself, so a drift between
// the two is a refused write, not a damaged file.
const ASSIGNMENT =
  /^\s*(?:export\s+)?(?<name>[\w.-]+)(?:\s*=\s*?|:\s+?)(?<value>\s*'(?:\\'|[^'])*'|\s*"(?:\\"|[^"])*"|\s*`(?:\\`|[^`])*`|[^#\r\n]+)?\s*(?:#.*)?$/dgm;
