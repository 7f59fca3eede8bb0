import { describe, expect, test } from 'vitest';
import { METRIC_PREFIX, METRICS, type MetricDeclaration } from '../src/core/metric-table.ts';
import { grafanaDashboard, metricsDocument } from '../tools/metrics-document.ts';

interface Dashboard {
  readonly panels: readonly {
    readonly title: string;
    readonly targets: readonly { expr: string; legendFormat: string }[];
  }[];
}

const { panels }: Dashboard = JSON.parse(grafanaDashboard());
const declarations = new Map(Object.entries<MetricDeclaration>(METRICS));

/** What an expression, or the legend to it, names that is not declared. */
function undeclared(expr: string, legend = ''): readonly string[] {
  const names = [...expr.matchAll(/freshd_\w+/g)].map(([name]) => name.slice(METRIC_PREFIX.length));
  const found = names.map((name) => {
    const base = name.replace(/_(?:bucket|sum|count)$/, '');
    const isPart = base !== name && declarations.get(base)?.type === 'histogram';
    return [name, declarations.get(isPart ? base : name), isPart] as const;
  });
  const labels = found.flatMap(([, declaration]) => [...(declaration?.labels ?? [])] as string[]);
  const used = [...expr.matchAll(/by \(([^)]*)\)/g)].flatMap(([, list = '']) => list.split(/, */));
  const shown = [...legend.matchAll(/\{\{(\w+)\}\}/g)].map(([, label = '']) => label);
  return [
    ...found
      .filter(([, declaration, isPart]) => declaration === undefined || (declaration.type === 'histogram') !== isPart)
      .map(([name]) => name),
    ...[...used, ...shown].filter((label) => label !== 'le' && !labels.includes(label)),
  ];
}

describe('metrics', () => {
  test.each([...declarations])(
    '%s has a sentence of help, a unit where it has one, and buckets where it needs them',
    (name, declaration) => {
      const { type, help, buckets } = declaration;
      expect(help).toMatch(/^[A-Z0-9].*\.$/);
      expect(name).toMatch(/^[a-z]+(?:_[a-z]+)*$/);
      expect(name.endsWith('_total')).toBe(type === 'counter');
      if (type === 'histogram') expect(name).toMatch(/_seconds$/);
      expect(buckets !== undefined).toBe(type === 'histogram');
      expect(buckets).toEqual(buckets?.toSorted((a, b) => a - b));
      expect(metricsDocument()).toContain(`| \`freshd_${name}\` | ${type} |`);
    },
  );
});

describe('the dashboard', () => {
  test('A12: asks only for metrics and labels that are declared', () => {
    const targets = panels.flatMap((panel) => panel.targets);
    expect(targets.length).toBeGreaterThan(10);
    expect(targets.flatMap(({ expr, legendFormat }) => undeclared(expr, legendFormat))).toEqual([]);
  });

  test('A12: shows every metric', () => {
    const all = panels.flatMap(({ targets }) => targets.map(({ expr }) => expr)).join(' ');
    for (const name of declarations.keys()) expect(all).toContain(METRIC_PREFIX + name);
  });

  test.each([
    ['a name that is not declared', 'freshd_refreshes_total'],
    ['a part that only histograms have', 'freshd_phase_bucket'],
    ['a histogram as a whole', 'rate(freshd_alarm_lag_seconds[1h])'],
    ['a label that it does not have', 'sum by (colour) (freshd_phase)'],
  ])('is not let through with %s', (_what, expr) => {
    expect(undeclared(expr)).toHaveLength(1);
  });
});
