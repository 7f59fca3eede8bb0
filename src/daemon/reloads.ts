/**
 * Reloads, one after the other: read, check against what is still there, put in force, tell.
 *
 * Rule: all or nothing; a configuration that is refused changes nothing, and whoever asked is told why.
 */
import type { LogPort, ReloadResult } from './ports.ts';
import type { Reloading, ReloadSource } from './reloading.ts';

/** A configuration that can be put in force. */
export type NextConfiguration = Extract<Reloading, { ok: true }>;

export interface ReloadsOptions {
  readonly log: LogPort;
  readonly readConfiguration: (source: ReloadSource) => Promise<Reloading>;
  /** Told when a reload begins. @returns to be told when it is over */
  readonly onReload?: () => () => void;
  readonly isStopping: () => boolean;
  /** Taken out, but not yet at rest. */
  readonly isLeaving: (credential: string) => boolean;
  readonly isCredential: (name: string) => boolean;
  readonly putInForce: (next: NextConfiguration) => Promise<void>;
}

export interface Reloads {
  /** The first of all waits until that is over, whatever came of it. */
  startAfter(start: Promise<unknown>): void;
  /** Never rejects but for a bug. */
  reload(source: ReloadSource): Promise<ReloadResult>;
}

export function createReloads(options: ReloadsOptions): Reloads {
  const { log, onReload, isStopping, readConfiguration, putInForce } = options;
  let last: Promise<unknown> = Promise.resolve();

  async function reloadNow(source: ReloadSource): Promise<ReloadResult> {
    if (isStopping()) return { ok: false, problems: ['freshd is stopping'] };
    const next = await readConfiguration(source);
    const problems = next.ok ? stillTaken(next, options) : next.problems;
    if (!next.ok || problems.length > 0) {
      log.write('warn', 'reload_refused', { source, problems: problems.length, first: problems[0] ?? null });
      return { ok: false, problems };
    }
    await putInForce(next);
    const { chains = NO_CHAINS } = next;
    const added = [...next.added.map(({ name }) => name), ...chains.added];
    const changed = [...next.changed.map(({ name }) => name), ...chains.changed];
    const removed = [...next.removed, ...chains.removed];
    const counts = { added: added.length, changed: changed.length, removed: removed.length };
    log.write('info', 'reloaded', { source, ...counts });
    return { ok: true, added, changed, removed };
  }

  return {
    startAfter(start) {
      last = start.catch(() => undefined);
    },
    reload(source) {
      const result = last.then(() => {
        const over = onReload?.();
        return reloadNow(source).finally(over);
      });
      last = result.catch(() => undefined);
      return result;
    },
  };
}

/** A name can come back only when the attempt that it left behind is over, and as a chain only when it is free. */
function stillTaken(
  { added, chains = NO_CHAINS }: NextConfiguration,
  { isLeaving, isCredential }: Pick<ReloadsOptions, 'isLeaving' | 'isCredential'>,
): readonly string[] {
  const back = added.filter(({ name }) => isLeaving(name));
  const taken = chains.added.filter(isCredential);
  return [
    ...back.map(
      ({ name }) => `credentials.${name}: expected its last attempt to be over, it still runs; reload again later`,
    ),
    ...taken.map(
      (name) => `chains.${name}: expected a free name, got that of a credential; reload once without either`,
    ),
  ];
}

const NO_CHAINS: NonNullable<NextConfiguration['chains']> = { all: [], added: [], changed: [], removed: [] };
