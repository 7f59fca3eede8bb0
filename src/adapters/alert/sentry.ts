/**
 * The Sentry sink: an event in the error tracker, by one small envelope.
 *
 * Rule: one issue per credential and code, however often it happens; the same alert sent again is the same event. Not the
 * SDK, which hooks into the whole process and takes ten times the memory of freshd.
 */
import { createHash } from 'node:crypto';
import type { AlertMessage, AlertSink } from '../../daemon/ports.ts';
import { PortError } from '../../daemon/ports.ts';
import { type Endpoint, endpoint, post } from './post.ts';
import { type Severity, severity } from './severity.ts';

export interface SentrySinkOptions {
  /** `https://KEY@HOST/PROJECT`; whoever has it can send events. */
  readonly dsn: string;
  readonly timeoutMs: number;
}

/**
 * @throws PortError `sink_url_invalid`
 * @see https://develop.sentry.dev/sdk/data-model/envelopes/
 */
export function createSentrySink({ dsn, timeoutMs }: SentrySinkOptions): AlertSink {
  const { to, key } = ingest(dsn);
  const headers = {
    'Content-Type': 'application/x-sentry-envelope',
    'X-Sentry-Auth': `Sentry sentry_version=7, sentry_client=freshd/1, sentry_key=${key}`,
  };
  return {
    name: to.name,
    send: (message) => post(to, envelope(message), { timeoutMs, headers }),
  };
}

/** A project may lie below a path; the last part is its number. */
function ingest(dsn: string): { readonly to: Endpoint; readonly key: string } {
  const url = URL.canParse(dsn) ? new URL(dsn) : null;
  const [, prefix = '', project] = /^(.*)\/([^/]+)$/.exec(url?.pathname ?? '') ?? [];
  if (url === null || url.username === '' || project === undefined) {
    throw new PortError(
      'alerts.sinks: the dsn of a sentry sink: expected https://KEY@HOST/PROJECT, got another shape',
      {
        code: 'sink_url_invalid',
        remedy: "copy the DSN from the project's settings again",
      },
    );
  }
  const key = url.username;
  return { to: endpoint('sentry', `${url.protocol}//${url.host}${prefix}/api/${project}/envelope/`), key };
}

/** Three lines of JSON: of the envelope, of its one item, and the item itself. */
function envelope({ alert, credential, title, text, remedy }: AlertMessage): string {
  const event_id = createHash('sha256').update(alert.id).digest('hex').slice(0, 32);
  const event = {
    event_id,
    timestamp: alert.at / 1_000,
    platform: 'other',
    logger: 'freshd',
    level: LEVEL[severity(alert.kind)],
    logentry: { formatted: title },
    fingerprint: ['freshd', credential, alert.code ?? alert.kind],
    tags: { credential, kind: alert.kind, ...(alert.code === null ? {} : { code: alert.code }) },
    extra: { text, remedy, failures: alert.failures },
  };
  return [{ event_id }, { type: 'event' }, event].map((line) => JSON.stringify(line)).join('\n');
}

const LEVEL: Readonly<Record<Severity, string>> = { error: 'error', warn: 'warning', info: 'info' };
