/**
 * The ntfy sink: a notification on every device that listens to a topic.
 *
 * Rule: a topic is a secret where the server has no accounts; only the server's host is shown.
 */
import type { AlertSink } from '../../daemon/ports.ts';
import { endpoint, post } from './post.ts';
import { type Severity, severity } from './severity.ts';

export interface NtfySinkOptions {
  /** The server, without the topic. */
  readonly url: string;
  readonly topic: string;
  /** An access token of the server; null: it needs none. */
  readonly token: string | null;
  readonly timeoutMs: number;
}

/**
 * @throws PortError `sink_url_invalid`
 * @see https://docs.ntfy.sh/publish/#publish-as-json
 */
export function createNtfySink({ url, topic, token, timeoutMs }: NtfySinkOptions): AlertSink {
  const to = endpoint('ntfy', url);
  const headers: Record<string, string> = token === null ? {} : { Authorization: `Bearer ${token}` };
  return {
    name: to.name,
    async send({ alert, title, text }) {
      const level = severity(alert.kind);
      const body = { topic, title, message: text, priority: PRIORITY[level], tags: [TAG[level]] };
      await post(to, JSON.stringify(body), { timeoutMs, headers });
    },
  };
}

/** 3 is ordinary; 5 comes through while the phone is silent, which is what a person who must act needs. */
const PRIORITY: Readonly<Record<Severity, number>> = { error: 5, warn: 4, info: 3 };

/** Names of emoji that ntfy shows before the title. */
const TAG: Readonly<Record<Severity, string>> = { error: 'rotating_light', warn: 'warning', info: 'white_check_mark' };
