/**
 * What every part of the resolution shares: where it stands, what it may look up, and the list of problems it adds to.
 *
 * Rule: a problem is reported and an innocent value takes its place, so that one pass finds everything that is wrong.
 */
import { type Complaint, complain, pathText } from './complaint.ts';
import type { Argv } from './config.ts';
import { type Capture, resolvePath } from './paths.ts';
import { expand, type FileSecret } from './secrets.ts';

export interface Resolver {
  readonly capture: Capture;
  readonly directory: string;
  readonly files: ReadonlyMap<string, FileSecret>;
  readonly problems: string[];
}

export type At = readonly (string | number)[];

export function report(resolver: Resolver, at: At, complaint: Complaint): void {
  resolver.problems.push(`${pathText(at)}: ${complain(complaint)}`);
}

/** Puts `${env:}` and `${file:}` in place; an empty string after a reported problem. */
export function resolveText(resolver: Resolver, at: At, text: string): string {
  const expanded = expand(text, { env: resolver.capture.env, files: resolver.files });
  if (expanded.ok) return expanded.value;
  report(resolver, at, expanded.complaint);
  return '';
}

/** As `resolveText`, where nothing at all means that it was forgotten: a variable is set and empty, a file has no secret in it. */
export function resolveValue(resolver: Resolver, at: At, text: string): string {
  const problemsBefore = resolver.problems.length;
  const value = resolveText(resolver, at, text);
  if (value.trim() === '' && resolver.problems.length === problemsBefore) {
    report(resolver, at, {
      expected: 'a value',
      seen: 'an empty one',
      remedy: 'fill the variable or file it is taken from',
    });
  }
  return value;
}

/** An absolute path. */
export function resolveFile(resolver: Resolver, at: At, text: string): string {
  const value = resolveText(resolver, at, text);
  return resolvePath(value, { home: resolver.capture.home, base: resolver.directory });
}

/** A program with a slash counts from the configuration's folder; another is looked up in PATH when it runs. */
export function resolveArgv(resolver: Resolver, argv: readonly string[]): Argv {
  const [program = '', ...rest] = argv;
  const absolute = program.includes('/')
    ? resolvePath(program, { home: resolver.capture.home, base: resolver.directory })
    : program;
  return [absolute, ...rest];
}
