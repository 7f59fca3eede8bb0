/**
 * The configured name that a misspelt one most likely meant.
 *
 * Rule: pure and bounded: names have at most 63 characters, and only so many are looked at.
 */

/**
 * @param names what is configured
 * @returns the closest name, or null when none is close enough to be meant
 */
export function nearestName(wanted: string, names: readonly string[]): string | null {
  let best: string | null = null;
  let bestDistance = Math.max(1, Math.floor(wanted.length / 3)) + 1;
  for (const name of names.slice(0, NAMES_MAX)) {
    const isBeginning = name.startsWith(wanted) || wanted.startsWith(name);
    const edits = editDistance(wanted, name);
    const distance = isBeginning ? Math.min(edits, BEGINNING) : edits;
    if (distance < bestDistance) {
      best = name;
      bestDistance = distance;
    }
  }
  return best;
}

/** What was broken off is close however much is missing, but one slip of a finger is closer. */
const BEGINNING = 1.5;

/** Insertions, deletions, substitutions and swaps of neighbours between the two (Damerau-Levenshtein), row by row. */
function editDistance(a: string, b: string): number {
  let former: number[] = [];
  let row = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const substituted = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      const isSwap = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      const swapped = isSwap ? (former[j - 2] ?? 0) + 1 : substituted;
      next.push(Math.min(substituted, swapped, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    former = row;
    row = next;
  }
  return row[b.length] ?? 0;
}

/** A misspelt name must not cost a daemon of ten thousand credentials more than a millisecond or so. */
const NAMES_MAX = 1000;
