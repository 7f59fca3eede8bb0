/**
 * `${env:NAME}` and `${file:PATH}`: the only ways a secret gets into the configuration.
 *
 * Rule: pure; files are read by secret-files.ts, the environment is the one of the start. No value ever stands in a message.
 */
import { join, resolve } from 'node:path';
import type { Complaint } from './complaint.ts';
import { type Capture, resolvePath } from './paths.ts';

/** What reading a referenced file brought. */
export type FileSecret =
  | { readonly ok: true; readonly value: string }
  | { readonly ok: false; readonly seen: string; readonly remedy: string };

export interface SecretSources {
  readonly env: Capture['env'];
  /** By the text between `${file:` and `}`. */
  readonly files: ReadonlyMap<string, FileSecret>;
}

export type Expanded =
  | { readonly ok: true; readonly value: string }
  | { readonly ok: false; readonly complaint: Complaint };

const REFERENCE = /\$\{([^}]*)\}?/g;
const KINDS = /^(env|file):(.+)$/s;

/** Every PATH of a `${file:PATH}` in any string of a parsed configuration. */
export function fileReferences(value: unknown): readonly string[] {
  const found = new Set<string>();
  const walk = (part: unknown): void => {
    if (typeof part === 'object' && part !== null) Object.values(part).forEach(walk);
    if (typeof part !== 'string') return;
    for (const [, inner = ''] of part.matchAll(REFERENCE)) {
      const [, kind, name] = KINDS.exec(inner) ?? [];
      if (kind === 'file' && name !== undefined) found.add(name);
    }
  };
  walk(value);
  return [...found];
}

/**
 * Where a `${file:PATH}` may lie, best first: a relative one in `$CREDENTIALS_DIRECTORY`, where systemd puts a
 * service's secrets, then in the folder of the configuration.
 */
export function secretPlaces(reference: string, options: { directory: string; capture: Capture }): readonly string[] {
  const own = resolvePath(reference, { home: options.capture.home, base: options.directory });
  const credentials = options.capture.env.CREDENTIALS_DIRECTORY;
  const isRelative = own === join(options.directory, reference);
  return credentials !== undefined && credentials !== '' && isRelative ? [resolve(credentials, reference), own] : [own];
}

/** Puts the values in place of the references of one string. */
export function expand(text: string, sources: SecretSources): Expanded {
  let complaint: Complaint | null = null;
  const value = text.replace(REFERENCE, (whole, inner: string) => {
    const found = whole.endsWith('}') ? lookUp(inner, sources) : MALFORMED;
    if (typeof found === 'string') return found;
    complaint ??= found;
    return '';
  });
  return complaint === null ? { ok: true, value } : { ok: false, complaint };
}

const MALFORMED: Complaint = {
  expected: `\${env:NAME} or \${file:PATH}`,
  seen: 'another text after ${',
  remedy: 'name the kind of reference',
};

function lookUp(inner: string, sources: SecretSources): string | Complaint {
  const [, kind, name] = KINDS.exec(inner) ?? [];
  if (kind === undefined || name === undefined) return MALFORMED;
  if (kind === 'env') {
    const value = Object.hasOwn(sources.env, name) ? sources.env[name] : undefined;
    if (value !== undefined) return value;
    return {
      expected: `the environment variable ${name}`,
      seen: 'none of that name',
      remedy: 'set it and start freshd again: a reload keeps the environment of the start',
    };
  }
  const file = sources.files.get(name);
  if (file?.ok === true) return file.value;
  return {
    expected: `the secret in the file ${name}`,
    seen: file?.seen ?? 'nothing',
    remedy: file?.remedy ?? 'create it',
  };
}
