/**
 * The webhook sink: the alert as JSON to an address of the user's own.
 *
 * Rule: a receiver can tell us from others by the signature, and a repeat from a new alert by `id`.
 */
import { createHmac } from 'node:crypto';
import type { AlertSink } from '../../daemon/ports.ts';
import { eventJson } from './event-json.ts';
import { endpoint, post } from './post.ts';

export interface WebhookSinkOptions {
  /** https, or http on loopback. */
  readonly url: string;
  /** Signs the body: `X-Freshd-Signature: sha256=<HMAC-SHA-256 of the body, hex>`. */
  readonly secret?: string;
  readonly timeoutMs: number;
}

/**
 * The body is that of `eventJson`; any 2xx status accepts it.
 * @throws PortError `sink_url_invalid`
 */
export function createWebhookSink(options: WebhookSinkOptions): AlertSink {
  const to = endpoint('webhook', options.url);
  const { secret, timeoutMs } = options;
  return {
    name: to.name,
    async send(message) {
      const body = eventJson(message);
      const headers = secret === undefined ? {} : { 'X-Freshd-Signature': `sha256=${signature(secret, body)}` };
      await post(to, body, { timeoutMs, headers });
    },
  };
}

function signature(secret: string, body: string): string {
  return createHmac('sha256', secret).update(body).digest('hex');
}
