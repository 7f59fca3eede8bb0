/**
 * Where figures go, and how they come out again.
 *
 * Rule: only names that are declared, with exactly their labels. Counting never fails and never waits.
 */
import type { CounterName, HistogramName, LabelsOf, MetricName } from '../core/metric-table.ts';

/** The value of one series as it is now: of a gauge, or of a count that is kept elsewhere. */
export type Sample = {
  readonly [Name in MetricName]: { readonly name: Name; readonly labels: LabelsOf<Name>; readonly value: number };
}[MetricName];

export interface Exposition {
  readonly contentType: string;
  readonly text: string;
}

export interface MetricsPort {
  count<Name extends CounterName>(name: Name, labels: LabelsOf<Name>): void;
  /** @param value in the unit of the name */
  observe<Name extends HistogramName>(name: Name, labels: LabelsOf<Name>, value: number): void;
  /**
   * Everything that is known, in the text format of Prometheus.
   * @param samples all values of the metrics that they name
   * @param known credentials and chains that there are: what was counted of any other is forgotten
   */
  expose(samples: readonly Sample[], known: ReadonlySet<string>): Promise<Exposition>;
}
