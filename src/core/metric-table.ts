/**
 * Every metric, declared once: its name, what it counts or measures, and by what it is told apart.
 *
 * Rule: data. A label has as many values as the configuration and the tables of this program name: credentials, chains,
 * targets, phases, classes and codes. Nothing that a server or a consumer sends becomes a label. Names lack the prefix.
 */

export interface MetricDeclaration {
  readonly type: 'counter' | 'gauge' | 'histogram';
  /** One sentence. */
  readonly help: string;
  readonly labels: readonly MetricLabel[];
  /** Upper bounds of a histogram, in the unit of its name. */
  readonly buckets?: readonly number[];
}

export type MetricLabel = 'credential' | 'chain' | 'reason' | 'class' | 'code' | 'outcome' | 'phase' | 'target';

// Scripts take milliseconds when they fail, and up to their limit when they hang; a queue of them takes longer.
const ATTEMPT_SECONDS = [0.1, 0.5, 1, 2, 5, 10, 30, 60, 120, 300];

// From a hiccup to a weekend.
const OUTAGE_SECONDS = [1, 10, 60, 300, 900, 1_800, 3_600, 7_200, 14_400, 43_200, 86_400, 259_200];

// What is left when a refresh succeeds: the margin where all is well, next to nothing where it was close.
const HEADROOM_SECONDS = [1, 10, 60, 300, 600, 1_200, 1_800, 3_600, 7_200, 28_800];

// A loaded machine is late by milliseconds; the alarm is never set for longer than 30 s.
const LAG_SECONDS = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 30, 300];

export const METRICS = {
  refresh_attempts_total: {
    type: 'counter',
    help: 'Attempts to refresh that began, by why they were made.',
    labels: ['credential', 'reason'],
  },
  refresh_failures_total: {
    type: 'counter',
    help: 'Attempts to refresh that failed, by the class that decides what comes next and the code that explains it.',
    labels: ['credential', 'class', 'code'],
  },
  refresh_duration_seconds: {
    type: 'histogram',
    help: 'How long attempts took from their begin, with the wait for their turn, until their result was stored.',
    labels: ['credential', 'outcome'],
    buckets: ATTEMPT_SECONDS,
  },
  token_expiry_timestamp_seconds: {
    type: 'gauge',
    help: 'When the access token in use expires, as Unix time; absent where nobody said when.',
    labels: ['credential'],
  },
  token_headroom_seconds: {
    type: 'histogram',
    help: 'How much life the old access token had left when a new one took its place.',
    labels: ['credential'],
    buckets: HEADROOM_SECONDS,
  },
  expiry_to_refresh_seconds: {
    type: 'histogram',
    help: 'How long an access token had been expired when a new one took its place.',
    labels: ['credential'],
    buckets: OUTAGE_SECONDS,
  },
  recovery_duration_seconds: {
    type: 'histogram',
    help: 'How long episodes lasted, from the first failure to the next good token.',
    labels: ['credential'],
    buckets: OUTAGE_SECONDS,
  },
  rejections_total: {
    type: 'counter',
    help: 'Reports of consumers that a service refused the access token, by what came of them.',
    labels: ['credential', 'outcome'],
  },
  active_recoveries_total: {
    type: 'counter',
    help: 'Times that the retries were used up and active recovery began.',
    labels: ['credential'],
  },
  phase: {
    type: 'gauge',
    help: '1 for the phase that the credential is in, 0 for all others.',
    labels: ['credential', 'phase'],
  },
  active_member: {
    type: 'gauge',
    help: '1 for the member of the chain that is in use, 0 for all others.',
    labels: ['chain', 'credential'],
  },
  skipped_credentials: {
    type: 'gauge',
    help: 'Credentials that nothing is tried for until a person acts or their stored login changes.',
    labels: [],
  },
  next_wakeup_timestamp_seconds: {
    type: 'gauge',
    help: 'When something is next done for the credential by itself, as Unix time.',
    labels: ['credential'],
  },
  publish_failures_total: {
    type: 'counter',
    help: 'Deliveries that a target did not take, by the credential or chain that they were for.',
    labels: ['credential', 'target'],
  },
  consumers: {
    type: 'gauge',
    help: 'Programs that subscribe to the credential or chain, or have read it by their name within an hour.',
    labels: ['credential'],
  },
  reads_total: {
    type: 'counter',
    help: 'Reads that were answered by an access token, by the name that was asked for.',
    labels: ['credential'],
  },
  alarm_lag_seconds: {
    type: 'histogram',
    help: 'How late the scheduler woke up.',
    labels: [],
    buckets: LAG_SECONDS,
  },
} as const satisfies Readonly<Record<string, MetricDeclaration>>;

/** Before every name. */
export const METRIC_PREFIX = 'freshd_';

type Table = typeof METRICS;
export type MetricName = keyof Table;
type NamesOf<Type extends MetricDeclaration['type']> = {
  [Name in MetricName]: Table[Name]['type'] extends Type ? Name : never;
}[MetricName];
export type CounterName = NamesOf<'counter'>;
export type HistogramName = NamesOf<'histogram'>;

/** Exactly those that are declared. */
export type LabelsOf<Name extends MetricName> = Readonly<Record<Table[Name]['labels'][number], string>>;
