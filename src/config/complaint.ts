/**
 * How a problem in the configuration is worded: `path: expected, got; remedy`.
 *
 * Rule: a value that may be a secret is described, never shown; a long string could be one, wherever it stands.
 */

/** Longer strings are described by their length: a token pasted into the wrong place must not end up in a log. */
const SHOWN_CHARACTERS_MAX = 40;
/** A key that is far from every known one gets no suggestion: a wrong guess misleads. */
const SUGGESTION_DISTANCE_SHARE = 3;

export interface Complaint {
  readonly expected: string;
  readonly seen: string;
  readonly remedy: string;
}

export const complain = (complaint: Complaint): string =>
  `expected ${complaint.expected}, got ${complaint.seen}; ${complaint.remedy}`;

/** A value in words that are safe to print. `secret` values are only named by their type. */
export function describeSeen(value: unknown, secret = false): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'null';
  if (Array.isArray(value)) return value.length === 0 ? 'an empty array' : 'an array';
  if (typeof value === 'object') return 'an object';
  if (typeof value !== 'string') return secret ? `a ${typeof value}` : String(value);
  if (value === '') return 'an empty string';
  if (secret) return 'a string (not shown)';
  return value.length > SHOWN_CHARACTERS_MAX ? `a string of ${value.length} characters` : JSON.stringify(value);
}

/** `credentials.mail.publish[0].variable`; a key that is no plain word stands in brackets and quotes. */
export function pathText(path: readonly PropertyKey[]): string {
  let text = '';
  for (const part of path) {
    if (typeof part === 'number') text += `[${part}]`;
    else if (/^[\w$-]+$/.test(String(part))) text += text === '' ? String(part) : `.${String(part)}`;
    else text += `[${describeSeen(String(part))}]`;
  }
  return text === '' ? 'configuration' : text;
}

/** The known word that is nearest to `word`, or null when none is near. */
export function nearest(word: string, known: readonly string[]): string | null {
  let best: { word: string; distance: number } | null = null;
  for (const candidate of known) {
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase());
    const limit = Math.max(1, Math.floor(candidate.length / SUGGESTION_DISTANCE_SHARE));
    if (distance <= limit && (best === null || distance < best.distance)) best = { word: candidate, distance };
  }
  return best?.word ?? null;
}

/** Levenshtein distance by one row; both words are short. */
function editDistance(a: string, b: string): number {
  // Keys are at most a few dozen characters; a huge one is far from all of them, and not worth the table.
  if (Math.abs(a.length - b.length) > b.length) return a.length;
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 0; i < a.length; i++) {
    const next = [i + 1];
    for (let j = 0; j < b.length; j++) {
      const substitution = (row[j] ?? 0) + (a[i] === b[j] ? 0 : 1);
      next.push(Math.min(substitution, (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
