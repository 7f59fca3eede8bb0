/**
 * The house rules that no compiler checks, each a function from source files to findings.
 *
 * Rule: the tables (who may import what, who may read a clock) are given; what is judged here is only whether they are kept.
 */
import { posix } from 'node:path';
import { functionsOf, importsOf, lineOf, type SourceFile } from './source.ts';

export type Rule =
  | 'arrows'
  | 'packages'
  | 'file length'
  | 'function length'
  | 'ambient'
  | 'unused allowance'
  | 'default export'
  | 'left-over'
  | 'foreign path';

export interface Finding {
  readonly rule: Rule;
  readonly where: string;
  readonly what: string;
}

export interface Room {
  /** The first room whose pattern matches a path below src/ owns that file. */
  readonly files: RegExp;
  /** Below src/: a folder (with a slash) or a file; `types:` before it allows only `import type`. */
  readonly imports: readonly string[];
  /** Of these, not: files of a room that only its own root may use. */
  readonly except?: readonly string[];
  /** Only by `import()`. */
  readonly dynamic?: readonly string[];
  /** Whether Node's own modules may be used. */
  readonly node: boolean;
  readonly packages: readonly string[];
}

/** Why one file may use what is otherwise reserved. */
export interface Allowance {
  readonly path: string;
  readonly word: AmbientWord;
  readonly reason: string;
}

export interface Tables {
  readonly rooms: readonly Room[];
  readonly allowances: readonly Allowance[];
}

/** What makes code depend on when and where it runs. */
export const AMBIENT = {
  Date: /\bDate\b/g,
  'Math.random': /\bMath\s*\.\s*random\b/g,
  setTimeout: /\bsetTimeout\b/g,
  setInterval: /\bsetInterval\b/g,
  'process.env': /\bprocess\s*\.\s*env\b/g,
} as const;
export type AmbientWord = keyof typeof AMBIENT;

// A file of 300 lines has two reasons to change; tests are tables of examples and may be longer.
export const FILE_LINES_SOFT = 200;
const FILE_LINES_MAX = 300;
const TEST_FILE_LINES_MAX = 500;
// One screen and a half; a fake in a test is a bag of small functions, and may have more of them.
const FUNCTION_LINES_MAX = 70;
const TEST_FUNCTION_LINES_MAX = 120;

export function findings(files: readonly SourceFile[], tables: Tables): readonly Finding[] {
  return [
    ...files.flatMap((file) => [...fileFindings(file), ...roomFindings(file, tables.rooms), ...ambient(file, tables)]),
    ...unusedAllowances(files, tables.allowances),
  ];
}

function fileFindings(file: SourceFile): readonly Finding[] {
  const { path, text, code, comments } = file;
  const lines = linesOf(file);
  const limit = path.startsWith('test/') ? TEST_FILE_LINES_MAX : FILE_LINES_MAX;
  const tooLong =
    lines > limit ? [{ rule: 'file length', where: path, what: `${lines} lines, at most ${limit}` } as const] : [];
  return [
    ...tooLong,
    ...functionLengths(file),
    ...matches(file, code, 'default export', /\bexport\s+default\b|\bas\s+default\b/g),
    ...matches(file, comments, 'left-over', /\b(?:TODO|FIXME|XXX|HACK)\b/g),
    ...matches(file, text, 'foreign path', FOREIGN_PATH),
  ];
}

// Places that exist on one machine only.
const FOREIGN_PATH = /(?<![\w.-])\/(?:work\/(?:main|shared|\.)|farm\/)|\.\.\/shared\b/g;

export function linesOf({ text }: SourceFile): number {
  return text.trimEnd().split('\n').length;
}

function functionLengths(file: SourceFile): readonly Finding[] {
  const limit = file.path.startsWith('test/') ? TEST_FUNCTION_LINES_MAX : FUNCTION_LINES_MAX;
  return (
    functionsOf(file)
      // A suite is a chapter, not a function.
      .filter(({ head, lines }) => lines > limit && !/^\s*describe\b/.test(head))
      .map(({ head, line, lines }) => ({
        rule: 'function length',
        where: `${file.path}:${line}`,
        what: `${lines} lines, at most ${limit}: ${head.trim()}`,
      }))
  );
}

function matches(file: SourceFile, view: string, rule: Rule, pattern: RegExp): readonly Finding[] {
  return [...view.matchAll(pattern)].map((match) => ({
    rule,
    where: `${file.path}:${lineOf(view, match.index)}`,
    what: match[0],
  }));
}

function roomFindings(file: SourceFile, rooms: readonly Room[]): readonly Finding[] {
  if (!file.path.startsWith('src/')) return [];
  const inside = file.path.slice('src/'.length);
  const room = rooms.find(({ files }) => files.test(inside));
  if (room === undefined) return [{ rule: 'arrows', where: file.path, what: 'belongs to no room of the table' }];
  return importsOf(file).flatMap(({ specifier, line, kind }): readonly Finding[] => {
    const where = `${file.path}:${line}`;
    if (specifier.startsWith('.')) {
      const target = posix.join(posix.dirname(inside), specifier);
      return mayImport(room, target, kind) ? [] : [{ rule: 'arrows', where, what: `imports ${target} (${kind})` }];
    }
    const allowed = specifier.startsWith('node:') ? room.node : room.packages.includes(specifier);
    return allowed ? [] : [{ rule: 'packages', where, what: `imports ${specifier}` }];
  });
}

function mayImport(room: Room, target: string, kind: 'static' | 'types' | 'dynamic'): boolean {
  const covers = (place: string) => (place.endsWith('/') ? target.startsWith(place) : target === place);
  if (kind === 'dynamic' && room.dynamic?.some(covers)) return true;
  if (room.except?.some(covers)) return false;
  return room.imports.some((entry) =>
    entry.startsWith('types:') ? kind === 'types' && covers(entry.slice('types:'.length)) : covers(entry),
  );
}

function ambient(file: SourceFile, { allowances }: Tables): readonly Finding[] {
  if (!file.path.startsWith('src/')) return [];
  return ambientWords(file)
    .filter(({ word }) => !allowances.some((row) => row.path === file.path && row.word === word))
    .map(({ word, line }) => ({ rule: 'ambient', where: `${file.path}:${line}`, what: word }));
}

function ambientWords({ code }: SourceFile): readonly { readonly word: AmbientWord; readonly line: number }[] {
  return (Object.keys(AMBIENT) as AmbientWord[]).flatMap((word) =>
    [...code.matchAll(AMBIENT[word])].map((match) => ({ word, line: lineOf(code, match.index) })),
  );
}

/** A table that only grows is soon no table: what nobody uses any more has to go. */
function unusedAllowances(files: readonly SourceFile[], allowances: readonly Allowance[]): readonly Finding[] {
  return allowances
    .filter(({ path, word }) => {
      const file = files.find((candidate) => candidate.path === path);
      return file === undefined || !ambientWords(file).some((used) => used.word === word);
    })
    .map(({ path, word }) => ({ rule: 'unused allowance', where: path, what: word }));
}
