/**
 * A source file seen three ways, without a parser: its code, its string literals, its comments, each with the rest blanked.
 *
 * Rule: every view has the length and line breaks of the text, so that a position means the same in all of them.
 */

export interface SourceFile {
  /** Relative to the checkout, with slashes. */
  readonly path: string;
  readonly text: string;
  /** Comments, and what stands between quotes, blanked; the quotes stay. */
  readonly code: string;
  /** Everything but comments blanked. */
  readonly comments: string;
}

export interface FunctionSpan {
  readonly line: number;
  readonly lines: number;
  /** The line it begins on. */
  readonly head: string;
}

export interface ImportSpan {
  readonly specifier: string;
  readonly line: number;
  readonly kind: 'static' | 'types' | 'dynamic';
}

export function sourceFile(path: string, text: string): SourceFile {
  const parts = lex(text);
  const view = (kept: readonly Part['kind'][]) =>
    parts.map((part) => (kept.includes(part.kind) ? part.text : part.text.replace(/[^\n]/g, ' '))).join('');
  return { path, text, code: view(['code']), comments: view(['comment']) };
}

export function lineOf(text: string, position: number): number {
  return text.slice(0, position).split('\n').length;
}

/** Imports and re-exports, static and dynamic. */
export function importsOf({ text, code }: SourceFile): readonly ImportSpan[] {
  return [...code.matchAll(/\b(from\s*|import\s*(\(?)\s*)(['"])( *)\3/g)].map((match) => {
    const open = match.index + match[0].indexOf(match[3] ?? "'");
    const before = code.slice(0, match.index);
    const statement = Math.max(before.lastIndexOf('import'), before.lastIndexOf('export'), 0);
    const isType = match[1]?.startsWith('from') === true && /^(?:import|export)\s+type\b/.test(code.slice(statement));
    return {
      specifier: text.slice(open + 1, open + 1 + (match[4] ?? '').length),
      line: lineOf(text, match.index),
      kind: match[2] === '(' ? 'dynamic' : isType ? 'types' : 'static',
    };
  });
}

/** Functions, methods and arrows with a body in braces; relies on balanced brackets, which the compiler has checked. */
export function functionsOf({ text, code }: SourceFile): readonly FunctionSpan[] {
  const found: FunctionSpan[] = [];
  for (let open = code.indexOf('('); open !== -1; open = code.indexOf('(', open + 1)) {
    const body = bodyAfter(code, open);
    if (body === null) continue;
    const line = lineOf(text, open);
    found.push({
      line,
      lines: lineOf(text, closing(code, body)) - line + 1,
      head: text.split('\n')[line - 1] ?? '',
    });
  }
  return found;
}

/** Position of the `{` of the function whose parameters begin at `open`; null when these are no parameters. */
function bodyAfter(code: string, open: number): number | null {
  const word = /([\w$]*)\s*(?:<[^()]*>)?\s*$/.exec(code.slice(Math.max(0, open - 200), open))?.[1] ?? '';
  if (CONTROL_WORDS.has(word)) return null;
  let position = skipSpace(code, closing(code, open) + 1);
  if (code[position] === ':') position = skipSpace(code, typeEnd(code, position + 1));
  if (code.startsWith('=>', position)) position = skipSpace(code, position + 2);
  return code[position] === '{' ? position : null;
}

const CONTROL_WORDS = new Set(['if', 'for', 'while', 'switch', 'catch', 'await', 'return']);

/** Where a type that begins at `start` ends: before a function's body, before its own arrow, or wherever it makes no sense. */
function typeEnd(code: string, start: number): number {
  let position = start;
  let last: 'nothing' | 'operand' | 'parameters' = 'nothing';
  for (;;) {
    position = skipSpace(code, position);
    const rest = code.slice(position, position + 80);
    const isOpening = /^[{([<]/.test(rest);
    if (isOpening && (last === 'nothing' || rest[0] === '<' || rest[0] === '[')) {
      last = rest[0] === '(' ? 'parameters' : 'operand';
      position = closing(code, position) + 1;
      continue;
    }
    const connector: string | undefined =
      /^(?:[|&]|(?:is|extends|keyof|typeof|readonly|asserts|unique|infer|new)\b)/.exec(rest)?.[0];
    const isFunctionType: boolean = last === 'parameters' && rest.startsWith('=>');
    const operand: string | undefined = last === 'nothing' ? /^(?:[\w$.]+|(['"`]) *\1)/.exec(rest)?.[0] : undefined;
    const step: string | undefined = connector ?? (isFunctionType ? '=>' : operand);
    if (step === undefined) return position;
    last = connector === undefined && !isFunctionType ? 'operand' : 'nothing';
    position += step.length;
  }
}

function skipSpace(code: string, start: number): number {
  let position = start;
  while (/\s/.test(code[position] ?? '')) position += 1;
  return position;
}

/** The bracket that closes the one at `open`; the last position when none does. */
export function closing(code: string, open: number): number {
  const opener = code[open] ?? '';
  const closer = BRACKETS[opener] ?? '';
  let depth = 0;
  for (let position = open; position < code.length; position += 1) {
    if (code[position] === opener) depth += 1;
    // The `>` of an arrow closes nothing.
    if (code[position] === closer && !(closer === '>' && code[position - 1] === '=')) depth -= 1;
    if (depth === 0) return position;
  }
  return code.length - 1;
}

const BRACKETS: Readonly<Record<string, string>> = { '(': ')', '{': '}', '[': ']', '<': '>' };

interface Part {
  readonly kind: 'code' | 'string' | 'comment';
  readonly text: string;
}

/** Cuts a text into code, the insides of literals, and comments. A template's `${…}` is code again, to any depth. */
function lex(text: string): readonly Part[] {
  const parts: Part[] = [];
  const templates: number[] = [];
  let braces = 0;
  let significant = '';
  let position = 0;
  const take = (kind: Part['kind'], length: number) => {
    const taken = text.slice(position, position + length);
    parts.push({ kind, text: taken });
    position += taken.length;
    if (kind === 'code' && taken.trim() !== '') significant = (significant + taken.trim()).slice(-12);
  };
  const takeLiteral = (inside: RegExp) => {
    inside.lastIndex = position;
    take('string', inside.exec(text)?.[0].length ?? 0);
  };
  const takeTemplate = () => {
    takeLiteral(TEMPLATE);
    if (text.startsWith('${', position)) {
      take('code', 2);
      templates.push(braces);
    } else take('code', 1);
  };
  while (position < text.length) {
    const two = text.slice(position, position + 2);
    const one = two[0] ?? '';
    if (two === '//') take('comment', lengthUntil(text, position, '\n'));
    else if (two === '/*') take('comment', lengthUntil(text, position, '*/') + 2);
    else if (one === "'" || one === '"') {
      take('code', 1);
      takeLiteral(one === "'" ? SINGLE_QUOTED : DOUBLE_QUOTED);
      take('code', 1);
    } else if (one === '`') {
      take('code', 1);
      takeTemplate();
    } else if (one === '}' && templates.at(-1) === braces) {
      templates.pop();
      take('code', 1);
      takeTemplate();
    } else if (one === '/' && BEFORE_REGEX.test(significant)) {
      take('code', 1);
      takeLiteral(REGEX);
      take('code', 1);
    } else {
      if (one === '{') braces += 1;
      if (one === '}') braces -= 1;
      PLAIN_CODE.lastIndex = position + 1;
      take('code', 1 + (PLAIN_CODE.exec(text)?.[0].length ?? 0));
    }
  }
  return parts;
}

function lengthUntil(text: string, start: number, end: string): number {
  const found = text.indexOf(end, start);
  return (found === -1 ? text.length : found) - start;
}

const PLAIN_CODE = /[^'"`/{}]*/y;
const SINGLE_QUOTED = /(?:[^'\\\n]|\\[\s\S])*/y;
const DOUBLE_QUOTED = /(?:[^"\\\n]|\\[\s\S])*/y;
const TEMPLATE = /(?:[^`\\$]|\\[\s\S]|\$(?!\{))*/y;
const REGEX = /(?:[^/\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])*/y;
// A slash is a division only after a value.
const BEFORE_REGEX = /(?:^|[(,=:[!&|?{};+\-*%<>~^]|\b(?:return|typeof|case|in|of|new|await))$/;
