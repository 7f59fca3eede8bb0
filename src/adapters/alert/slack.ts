/**
 * The Slack sink: title and text through an incoming webhook.
 *
 * Rule: what Slack would read as a mention, a link or markup is text to it.
 */
import type { AlertSink } from '../../daemon/ports.ts';
import { endpoint, post } from './post.ts';

export interface SlackSinkOptions {
  /** The incoming webhook's address; whoever has it can post. */
  readonly url: string;
  readonly timeoutMs: number;
}

/** @throws PortError `sink_url_invalid` */
export function createSlackSink(options: SlackSinkOptions): AlertSink {
  const to = endpoint('slack', options.url);
  return {
    name: to.name,
    async send({ title, text }) {
      const body = JSON.stringify({ text: escaped(`${title}\n${text}`), mrkdwn: false });
      await post(to, body, { timeoutMs: options.timeoutMs });
    },
  };
}

/**
 * The three characters that begin Slack's mentions, channels and links.
 * @see https://docs.slack.dev/messaging/formatting-message-text, "Escaping text"
 */
function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
