/**
 * Paths that change when a person logs in, for a login that the store does not show.
 *
 * Rule: the change of the inode counts, which no copy and no `touch` can set back; what cannot be looked at says nothing.
 */
import { stat } from 'node:fs/promises';
import { type EpochMs, epochMs } from '../../core/token.ts';

/** @returns null when none of them is there, or none can be looked at */
export async function lastChangeOf(paths: readonly string[]): Promise<EpochMs | null> {
  const changes = await Promise.all(
    paths.map((path) =>
      stat(path).then(
        ({ ctimeMs }) => ctimeMs,
        () => null,
      ),
    ),
  );
  const seen = changes.filter((change) => change !== null);
  return seen.length === 0 ? null : epochMs(Math.max(...seen));
}
