/**
 * What can be read off the present state when somebody asks for metrics, and the count of reads.
 *
 * Rule: nothing is kept here but the counts; a name that is no longer configured is in no sample.
 */
import type { PhaseKind } from '../core/state.ts';
import { describe } from '../core/view.ts';
import type { DaemonPort } from '../daemon/ports.ts';
import type { Exposition, MetricsPort, Sample } from '../daemon/ports-metrics.ts';
import type { Consumers } from './consumers.ts';

export interface Figures {
  /** A read of that name was answered by a token. On the hot path: one look-up. */
  readonly noteRead: (name: string) => void;
  /** Null where nobody keeps them. */
  expose(): Promise<Exposition | null>;
}

interface FigureParts {
  readonly consumers: Pick<Consumers, 'summary'>;
  readonly metrics: MetricsPort | null;
}

export function createFigures(daemon: DaemonPort, { consumers, metrics }: FigureParts): Figures {
  const reads = new Map<string, number>();

  return {
    noteRead(name) {
      reads.set(name, (reads.get(name) ?? 0) + 1);
    },
    async expose() {
      if (metrics === null) return null;
      const known = new Set([...daemon.names(), ...daemon.chains.names()]);
      for (const name of [...reads.keys()]) if (!known.has(name)) reads.delete(name);
      const looks = { left: CONSUMER_LOOKS_MAX };
      const ofNames = [...known].flatMap((credential): Sample[] => {
        const summary = consumers.summary(credential, looks);
        const count: Sample = { name: 'reads_total', labels: { credential }, value: reads.get(credential) ?? 0 };
        return summary === null
          ? [count]
          : [count, { name: 'consumers', labels: { credential }, value: summary.total }];
      });
      const samples = [...credentialSamples(daemon), ...memberSamples(daemon), ...ofNames];
      return metrics.expose(samples, known);
    },
  };
}

function credentialSamples(daemon: DaemonPort): readonly Sample[] {
  const now = daemon.now();
  let skipped = 0;
  const samples = daemon.names().flatMap((credential): Sample[] => {
    const state = daemon.state(credential);
    if (state === undefined) return [];
    const { phase, expiresAt, expiryAssumed, next } = describe(state, now);
    if (SKIPPED.has(phase) || (daemon.fault?.(credential) ?? null) !== null) skipped += 1;
    const labels = { credential };
    const expiry = expiryAssumed ? null : expiresAt;
    const wakeUp = next.inMs === null ? null : now.wallMs + next.inMs;
    return [
      ...PHASES.map(
        (kind): Sample => ({
          name: 'phase',
          labels: { credential, phase: kind },
          value: Number(kind === phase),
        }),
      ),
      ...(expiry === null ? [] : [{ name: 'token_expiry_timestamp_seconds', labels, value: expiry / 1000 } as const]),
      ...(wakeUp === null ? [] : [{ name: 'next_wakeup_timestamp_seconds', labels, value: wakeUp / 1000 } as const]),
    ];
  });
  return [...samples, { name: 'skipped_credentials', labels: {}, value: skipped }];
}

function memberSamples({ chains }: DaemonPort): readonly Sample[] {
  return chains.names().flatMap((chain) => {
    const state = chains.state(chain);
    return (state?.members ?? []).map(({ credential }): Sample => {
      const value = Number(state?.inUse?.credential === credential);
      return { name: 'active_member', labels: { chain, credential }, value };
    });
  });
}

const PHASES: readonly PhaseKind[] = [
  'absent',
  'fresh',
  'refreshing',
  'backing_off',
  'recovering',
  'reauthorization_required',
  'stopped',
];

/** Nothing is sent for these until something outside changes. */
const SKIPPED: ReadonlySet<PhaseKind> = new Set(['absent', 'reauthorization_required']);

/** Some twenty milliseconds: readers of tokens wait behind whoever asks. */
const CONSUMER_LOOKS_MAX = 100_000;
