/**
 * docs/metrics.md and docs/grafana.json, from the table of metrics.
 *
 * Rule: a metric is described where it is declared; what is added here is how to get and how to look at them.
 */
import { METRIC_PREFIX, METRICS, type MetricDeclaration } from '../src/core/metric-table.ts';

export function metricsDocument(): string {
  const rows = Object.entries<MetricDeclaration>(METRICS).map(
    ([name, { type, help, labels }]) =>
      `| \`${METRIC_PREFIX}${name}\` | ${type} | ${labels.map((label) => `\`${label}\``).join(', ')} | ${help} |`,
  );
  const panels = PANELS.map(
    ({ title, queries }) => `| ${title} | ${queries.map(({ expr }) => `\`${expr}\``).join('<br>')} |`,
  );
  return [INTRODUCTION, HEAD, ...rows, '', LABELS, '| panel | expressions |\n|---|---|', ...panels, ''].join('\n');
}

/** A dashboard as Grafana imports it. */
export function grafanaDashboard(): string {
  const panels = PANELS.map(({ title, unit, queries }, index) => ({
    id: index + 1,
    type: 'timeseries',
    title,
    datasource: DATASOURCE,
    gridPos: { x: (index % 2) * PANEL_WIDTH, y: Math.floor(index / 2) * PANEL_HEIGHT, w: PANEL_WIDTH, h: PANEL_HEIGHT },
    fieldConfig: { defaults: { unit }, overrides: [] },
    targets: queries.map(({ expr, legend }, query) => ({
      refId: String.fromCharCode(FIRST_REFERENCE + query),
      datasource: DATASOURCE,
      expr,
      legendFormat: legend,
    })),
  }));
  const dashboard = {
    title: 'freshd',
    uid: 'freshd',
    tags: ['freshd'],
    schemaVersion: 39,
    refresh: '30s',
    time: { from: 'now-24h', to: 'now' },
    templating: { list: [{ name: 'datasource', type: 'datasource', query: 'prometheus', label: 'Data source' }] },
    panels,
  };
  return `${JSON.stringify(dashboard, null, 2)}\n`;
}

interface Panel {
  readonly title: string;
  /** Grafana's name of a unit. */
  readonly unit: string;
  readonly queries: readonly { readonly expr: string; readonly legend: string }[];
}

const PANELS: readonly Panel[] = [
  {
    title: 'Life left of each token',
    unit: 's',
    queries: [{ expr: 'freshd_token_expiry_timestamp_seconds - time()', legend: '{{credential}}' }],
  },
  {
    title: 'Phase of each credential',
    unit: 'none',
    queries: [{ expr: 'freshd_phase == 1', legend: '{{credential}}: {{phase}}' }],
  },
  {
    title: 'Refreshes an hour, and how many failed',
    unit: 'none',
    queries: [
      {
        expr: 'sum by (credential, reason) (increase(freshd_refresh_attempts_total[1h]))',
        legend: '{{credential}}: {{reason}}',
      },
      {
        expr: 'sum by (credential, class, code) (increase(freshd_refresh_failures_total[1h]))',
        legend: '{{credential}}: {{class}} {{code}}',
      },
    ],
  },
  {
    title: 'How long a refresh takes, 95 of 100',
    unit: 's',
    queries: [
      {
        expr: 'histogram_quantile(0.95, sum by (credential, le) (rate(freshd_refresh_duration_seconds_bucket[1h])))',
        legend: '{{credential}}',
      },
    ],
  },
  {
    title: 'Life left when a new token came, 5 of 100',
    unit: 's',
    queries: [
      {
        expr: 'histogram_quantile(0.05, sum by (credential, le) (rate(freshd_token_headroom_seconds_bucket[1d])))',
        legend: '{{credential}}',
      },
    ],
  },
  {
    title: 'Between expiry and refresh, mean of a day',
    unit: 's',
    queries: [
      {
        expr: 'sum by (credential) (increase(freshd_expiry_to_refresh_seconds_sum[1d])) / sum by (credential) (increase(freshd_expiry_to_refresh_seconds_count[1d]))',
        legend: '{{credential}}',
      },
    ],
  },
  {
    title: 'Time to recover, mean of a day, and active recoveries',
    unit: 's',
    queries: [
      {
        expr: 'sum by (credential) (increase(freshd_recovery_duration_seconds_sum[1d])) / sum by (credential) (increase(freshd_recovery_duration_seconds_count[1d]))',
        legend: '{{credential}}',
      },
      { expr: 'increase(freshd_active_recoveries_total[1d])', legend: '{{credential}}: active recoveries' },
    ],
  },
  {
    title: '401s that consumers reported, an hour',
    unit: 'none',
    queries: [{ expr: 'increase(freshd_rejections_total[1h])', legend: '{{credential}}: {{outcome}}' }],
  },
  {
    title: 'Which member of a chain is in use',
    unit: 'none',
    queries: [{ expr: 'freshd_active_member == 1', legend: '{{chain}}: {{credential}}' }],
  },
  {
    title: 'Deliveries that failed, an hour',
    unit: 'none',
    queries: [{ expr: 'increase(freshd_publish_failures_total[1h])', legend: '{{credential}}: {{target}}' }],
  },
  {
    title: 'Reads a second, and consumers',
    unit: 'none',
    queries: [
      { expr: 'rate(freshd_reads_total[5m])', legend: '{{credential}}: reads' },
      { expr: 'freshd_consumers', legend: '{{credential}}: consumers' },
    ],
  },
  {
    title: 'The scheduler: lag, next wake-up, credentials that are skipped',
    unit: 's',
    queries: [
      {
        expr: 'histogram_quantile(0.99, sum by (le) (rate(freshd_alarm_lag_seconds_bucket[15m])))',
        legend: 'lag, 99 of 100',
      },
      { expr: 'min(freshd_next_wakeup_timestamp_seconds) - time()', legend: 'until the next wake-up' },
      { expr: 'freshd_skipped_credentials', legend: 'skipped' },
    ],
  },
];

const DATASOURCE = { type: 'prometheus', uid: '$' + '{datasource}' };
const PANEL_WIDTH = 12;
const PANEL_HEIGHT = 8;
const FIRST_REFERENCE = 'A'.charCodeAt(0);

const INTRODUCTION = `# Metrics

\`GET /metrics\` on the socket, in the text format of Prometheus. Generated: \`npm run docs\`.

\`\`\`sh
curl --unix-socket $SOCKET http://localhost/metrics
\`\`\`

Prometheus itself reads no Unix sockets. Either write the figures where the node exporter picks them up (its \`textfile\` collector), from a
timer: \`curl … > freshd.prom.new && mv freshd.prom.new freshd.prom\`; or put a proxy that may read the socket before this one path. Do not
put the whole socket on a port: it hands out tokens.

Counts begin with the daemon. What is counted of a credential that a reload takes out is forgotten.
`;

const HEAD = '| name | type | labels | |\n|---|---|---|---|';

const LABELS = `Labels have as many values as the configuration has credentials, chains and targets, and freshd's own tables have phases, classes and
codes: nothing that a server or a consumer sends becomes one. Where a chain is read or publishes, \`credential\` is the chain's name.

## Dashboard

[grafana.json](grafana.json) is a dashboard for Grafana (Dashboards, New, Import). What it shows:
`;
