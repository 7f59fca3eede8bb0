/**
 * The kinds of value in the configuration: each makes a zod schema, its error text and its documentation from one description.
 *
 * Rule: error text is `expected …, got …; …` without the path, which parse.ts puts in front.
 */
import * as z from 'zod';
import { complain, describeSeen, nearest } from './complaint.ts';
import { type Limit, unitMs } from './limits.ts';

/** What docs/config.md and config.schema.json say about one key. */
export interface Doc {
  readonly text: string;
  /** `number of minutes`, `path`, … */
  readonly kind: string;
  readonly bounds?: string;
  readonly fallback?: string;
}

export const docs = z.registry<Doc>();

type RawIssue = z.core.$ZodRawIssue;
type Described = { readonly doc: string; readonly fallback?: string };

function documented<T extends z.ZodType>(schema: T, doc: Doc): T {
  docs.add(schema, doc);
  return schema;
}

const optional = (fallback: string | undefined): { readonly fallback?: string } =>
  fallback === undefined ? {} : { fallback };

const remedyFor = (issue: RawIssue, fallback: string | undefined): string => {
  if (fallback !== undefined) return `leave it out for the default of ${fallback}`;
  return issue.input === undefined ? 'add it' : 'correct it';
};

/** A number with bounds, optional; where it has a unit of time, other units are recognised and converted in the message. */
export function number(row: NumberRow): z.ZodOptional<z.ZodNumber> {
  const whole = row.unit === 'count';
  const kind = whole ? 'a whole number' : row.unit === 'per cent' ? 'a percentage' : `a number of ${row.unit}`;
  const bounds = `${row.min}–${row.max}`;
  const fallback = row.default === undefined ? undefined : String(row.default);
  const error = (issue: RawIssue): string =>
    complain({
      expected: typeof issue.input !== 'number' ? `${bounds} (${kind})` : whole ? `a whole number ${bounds}` : bounds,
      seen: describeSeen(issue.input),
      remedy: unitRemedy(issue.input, row) ?? remedyFor(issue, fallback),
    });
  const base = z.number({ error }).min(row.min, { error }).max(row.max, { error });
  return documented((whole ? base.int({ error }) : base).optional(), {
    text: row.doc,
    kind,
    bounds,
    ...optional(fallback),
  });
}

/** As in the table of limits; without a default, leaving it out means "not set". */
export type NumberRow = Omit<Limit, 'default'> & { readonly default?: number };

const UNITS_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** What was probably meant by "30m", or by a number that is in bounds once it is read as milliseconds. */
function unitRemedy(input: unknown, row: NumberRow): string | null {
  const perUnit = unitMs(row.unit);
  const fits = (value: number): boolean => value >= row.min && value <= row.max;
  if (typeof input === 'string') {
    const [, digits, letter] = /^\s*(\d{1,15}(?:\.\d{1,15})?)\s*(ms|[smhd])?[a-z]{0,10}\s*$/i.exec(input) ?? [];
    if (digits === undefined) return null;
    const factor = UNITS_MS[letter?.toLowerCase() ?? ''];
    const value = factor === undefined || perUnit === null ? Number(digits) : (Number(digits) * factor) / perUnit;
    return fits(value) ? `write the number ${value}, without quotes or unit` : null;
  }
  if (typeof input !== 'number' || perUnit === null || input <= row.max) return null;
  const value = input / perUnit;
  return fits(value) ? `the unit is ${row.unit}: ${input} milliseconds are ${value}` : null;
}

/** A string; `expected` says in words what `pattern` asks for. */
export function text(
  options: Described & {
    readonly expected: string;
    readonly pattern?: RegExp;
    readonly secret?: boolean;
    readonly remedy?: string;
  },
): z.ZodString {
  const error = (issue: RawIssue): string =>
    complain({
      expected: options.expected,
      seen: describeSeen(issue.input, options.secret),
      remedy: options.remedy ?? remedyFor(issue, options.fallback),
    });
  const base = z.string({ error }).min(1, { error });
  const schema = options.pattern === undefined ? base : base.regex(options.pattern, { error });
  return documented(schema, {
    text: options.doc,
    kind: options.expected,
    ...optional(options.fallback),
  });
}

/** A path; `~` and relative ones are resolved later. A NUL byte cannot be in one. */
export const path = (options: Described): z.ZodString =>
  // biome-ignore lint/suspicious/noControlCharactersInRegex: NUL is exactly what must not be there
  text({ ...options, expected: 'a path', pattern: /^[^\u0000]+$/ });

/** A program and its arguments. A secret must not come in here: every process on the machine can read it. */
export function argv(options: Described): z.ZodArray<z.ZodString> {
  const error = (issue: RawIssue): string =>
    complain({
      expected: 'a program and its arguments as an array of strings',
      seen: describeSeen(issue.input),
      remedy:
        typeof issue.input === 'string'
          ? 'no shell reads it: write ["program", "argument"]'
          : remedyFor(issue, undefined),
    });
  const part = text({
    expected: `a literal string without \${…}`,
    // biome-ignore lint/suspicious/noControlCharactersInRegex: NUL ends a string for the system
    pattern: /^(?!.*\$\{(?:env|file):)[^\u0000]*$/s,
    remedy:
      'arguments are readable by every process: pass secrets through "environment", and use ~ for the home folder',
    doc: '',
  });
  return documented(z.array(part, { error }).min(1, { error }), { text: options.doc, kind: 'array of strings' });
}

export function flag(options: Described): z.ZodOptional<z.ZodBoolean> {
  const error = (issue: RawIssue): string =>
    complain({
      expected: 'true or false',
      seen: describeSeen(issue.input),
      remedy: remedyFor(issue, options.fallback),
    });
  return documented(z.boolean({ error }).optional(), {
    text: options.doc,
    kind: 'true or false',
    ...optional(options.fallback),
  });
}

export function choice<const T extends readonly [string, ...string[]]>(
  values: T,
  options: Described,
): z.ZodEnum<{ [K in T[number]]: K }> {
  const listed = values.map((value) => JSON.stringify(value)).join(', ');
  const error = (issue: RawIssue): string =>
    complain({
      expected: values.length === 1 ? listed : `one of ${listed}`,
      seen: describeSeen(issue.input),
      remedy: suggest(issue.input, values) ?? remedyFor(issue, options.fallback),
    });
  return documented(z.enum(values, { error }), {
    text: options.doc,
    kind: values.map((value) => JSON.stringify(value)).join(' or '),
    ...optional(options.fallback),
  });
}

function suggest(input: unknown, values: readonly string[]): string | null {
  const near = typeof input === 'string' ? nearest(input, values) : null;
  return near === null ? null : `did you mean ${JSON.stringify(near)}?`;
}

/** More keys than this are not listed in a message. */
const KEYS_LISTED_MAX = 8;

/**
 * An object in which an unknown key is an error with the nearest known key.
 * `elsewhere` names the place of keys that belong into another object.
 */
export function object<T extends z.core.$ZodLooseShape>(
  shape: T,
  options: Described & { readonly elsewhere?: Readonly<Record<string, string>> },
): z.ZodObject<T, z.core.$strict> {
  const known = Object.keys(shape);
  const remedy = (key: string): string => {
    const place =
      options.elsewhere !== undefined && Object.hasOwn(options.elsewhere, key) ? options.elsewhere[key] : undefined;
    if (place !== undefined) return `it belongs in ${place}`;
    const near = nearest(key, known);
    if (near !== null) return `did you mean ${JSON.stringify(near)}?`;
    return known.length <= KEYS_LISTED_MAX
      ? `the keys here are ${known.join(', ')}`
      : 'remove it; docs/config.md has the keys';
  };
  const error = (issue: RawIssue): string =>
    issue.code === 'unrecognized_keys'
      ? issue.keys
          .map((key) => complain({ expected: 'a known key', seen: 'an unknown one', remedy: remedy(key) }))
          .join('\n')
      : complain({ expected: 'an object', seen: describeSeen(issue.input), remedy: remedyFor(issue, undefined) });
  return documented(z.strictObject(shape, { error }), { text: options.doc, kind: 'object' });
}

/** An object chosen by the value of one key. */
export function oneOf<
  D extends string,
  T extends readonly [z.core.$ZodTypeDiscriminable, ...z.core.$ZodTypeDiscriminable[]],
>(
  discriminator: D,
  options: T,
  described: Described & { readonly values: readonly string[] },
): z.ZodDiscriminatedUnion<T, D> {
  const listed = described.values.map((value) => JSON.stringify(value)).join(', ');
  const error = (issue: RawIssue): string => {
    const isObject = issue.code === 'invalid_union';
    const seen = isObject ? (issue.input as Readonly<Record<string, unknown>>)[discriminator] : issue.input;
    return complain({
      expected: isObject ? `one of ${listed}` : `an object with "${discriminator}"`,
      seen: describeSeen(seen),
      remedy: (isObject ? suggest(seen, described.values) : null) ?? (seen === undefined ? 'add it' : 'correct it'),
    });
  };
  return documented(z.discriminatedUnion(discriminator, options, { error }), { text: described.doc, kind: 'object' });
}

/** @param options `kind`: array of what, where it is not objects */
export function list<T extends z.ZodType>(
  item: T,
  options: Described & { readonly kind?: string },
): z.ZodOptional<z.ZodArray<T>> {
  const error = (issue: RawIssue): string =>
    complain({ expected: 'an array', seen: describeSeen(issue.input), remedy: remedyFor(issue, options.fallback) });
  return documented(z.array(item, { error }).optional(), {
    text: options.doc,
    kind: options.kind ?? 'array of objects',
    ...optional(options.fallback),
  });
}
