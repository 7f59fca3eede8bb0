/**
 * Figures by prom-client, in the text format of Prometheus.
 *
 * Rule: the library is loaded when it is first needed, since it costs a start more than all of the daemon's own code; what is
 * counted before is kept as it came, up to a limit.
 */
import type { Counter, Gauge, Histogram } from 'prom-client';
import { METRIC_PREFIX, METRICS, type MetricDeclaration, type MetricName } from '../core/metric-table.ts';
import type { MetricsPort, Sample } from '../daemon/ports-metrics.ts';

type Labels = Readonly<Record<string, string>>;

interface Note {
  readonly name: MetricName;
  readonly labels: Labels;
  readonly value: number;
}

export function createMetrics(): MetricsPort {
  let waiting: Note[] = [];
  let loading: Promise<Book> | null = null;
  let book: Book | null = null;

  function load(): Promise<Book> {
    loading ??= createBook().then((opened) => {
      for (const note of waiting) opened.take(note);
      waiting = [];
      book = opened;
      return opened;
    });
    return loading;
  }

  function note(name: MetricName, labels: Labels, value: number): void {
    if (book !== null) {
      book.take({ name, labels, value });
      return;
    }
    waiting.push({ name, labels, value });
    if (waiting.length === WAITING_MAX) void load();
  }

  return {
    count: (name, labels) => note(name, labels, 1),
    observe: (name, labels, value) => note(name, labels, value),
    async expose(samples, known) {
      const opened = await load();
      return opened.expose(samples, known);
    },
  };
}

type Book = Awaited<ReturnType<typeof createBook>>;

async function createBook() {
  const { Counter, Gauge, Histogram, Registry } = await import('prom-client');
  const registry = new Registry();
  const metrics = new Map<MetricName, Counter | Gauge | Histogram>();
  /** What has been counted, by metric: the label values of each series. */
  const series = new Map<MetricName, Map<string, Labels>>();
  for (const [key, declaration] of Object.entries<MetricDeclaration>(METRICS)) {
    const { type, help, labels, buckets } = declaration;
    const common = { name: METRIC_PREFIX + key, help, labelNames: [...labels], registers: [registry] };
    const kinds = {
      counter: () => new Counter(common),
      gauge: () => new Gauge(common),
      histogram: () => new Histogram({ ...common, buckets: [...(buckets ?? [])] }),
    };
    metrics.set(key as MetricName, kinds[type]());
    series.set(key as MetricName, new Map());
  }

  function take({ name, labels, value }: Note): void {
    const metric = metrics.get(name);
    if (metric instanceof Counter) metric.inc(labels, value);
    else if (metric instanceof Histogram) metric.observe(labels, value);
    else if (metric instanceof Gauge) metric.set(labels, value);
    series.get(name)?.set(Object.values(labels).join('\n'), labels);
  }

  /** As prom-client's own `remove` tells them apart. */
  function forget(known: ReadonlySet<string>): void {
    for (const [name, all] of series) {
      for (const [key, labels] of all) {
        if (labels.credential === undefined || known.has(labels.credential)) continue;
        metrics.get(name)?.remove(labels);
        all.delete(key);
      }
    }
  }

  return {
    take,
    async expose(samples: readonly Sample[], known: ReadonlySet<string>) {
      forget(known);
      for (const name of new Set(samples.map((sample) => sample.name))) metrics.get(name)?.reset();
      for (const sample of samples) take(sample);
      // Gauges of which there is no sample any more.
      for (const [name, metric] of metrics) {
        if (metric instanceof Gauge && !samples.some((sample) => sample.name === name)) metric.reset();
      }
      return { contentType: registry.contentType, text: await registry.metrics() };
    },
  };
}

// A busy day of a daemon that nobody asks for figures; some hundred bytes each.
const WAITING_MAX = 1_000;
