/**
 * From the text of config.json to its checked shape, or to the list of everything that is wrong with the shape.
 *
 * Rule: never throws for bad input; one broken credential does not hide the problems of the others.
 */
import type * as z from 'zod';
import { complain, pathText } from './complaint.ts';
import { findJsonProblem } from './json.ts';
import { configSchema, type RawConfig } from './schema.ts';

export interface Parsed {
  /** What could be understood: without the parts that have problems; null when nothing could. */
  readonly raw: RawConfig | null;
  readonly problems: readonly string[];
}

/** @param text content of the file; a byte order mark is dropped */
export function parseConfig(text: string): Parsed {
  const json = text.replace(/^\uFEFF/, '');
  const problem = findJsonProblem(json);
  if (problem !== null) return { raw: null, problems: [problem] };
  return checkShape(JSON.parse(json));
}

/** @param value parsed JSON of any shape */
function checkShape(value: unknown): Parsed {
  const result = configSchema.safeParse(value);
  if (result.success) return { raw: result.data, problems: [] };
  const problems = result.error.issues.flatMap(messagesOf);
  const rest = configSchema.safeParse(withoutBrokenParts(value, result.error.issues));
  return { raw: rest.success ? rest.data : null, problems };
}

function messagesOf(issue: z.core.$ZodIssue): readonly string[] {
  const at = (extra: readonly PropertyKey[], message: string): string =>
    `${pathText([...issue.path, ...extra])}: ${message}`;
  if (issue.code !== 'unrecognized_keys') return [at([], issue.message)];
  const lines = issue.message.split('\n');
  return issue.keys.map((key, index) => at([key], lines[index] ?? complain(UNKNOWN_KEY)));
}

const UNKNOWN_KEY = { expected: 'a known key', seen: 'an unknown one', remedy: 'remove it' };

/** The same configuration without each credential and section that has a problem, so that the rest can be checked further. */
function withoutBrokenParts(value: unknown, issues: readonly z.core.$ZodIssue[]): unknown {
  const rest = structuredClone(value);
  if (!isObject(rest)) return rest;
  for (const issue of issues) {
    const [section, name] = issue.path;
    const unknownKeys = issue.code === 'unrecognized_keys' && issue.path.length === 0 ? issue.keys : [];
    for (const key of unknownKeys) delete rest[key];
    const part = section === undefined ? undefined : rest[String(section)];
    if (section === 'credentials' && name !== undefined && isObject(part)) delete part[String(name)];
    else if (section !== undefined) delete rest[String(section)];
  }
  if (rest.credentials === undefined) rest.credentials = {};
  return rest;
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
