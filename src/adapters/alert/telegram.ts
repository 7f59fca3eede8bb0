/**
 * The Telegram sink: title and text from a bot into a chat.
 *
 * Rule: the bot's token is part of the address, so that the address is never shown; plain text, without markup or previews.
 */
import type { AlertSink } from '../../daemon/ports.ts';
import { endpoint, post } from './post.ts';

export interface TelegramSinkOptions {
  /** Of the Bot API: Telegram's own, or a local one. */
  readonly url: string;
  /** A secret. */
  readonly botToken: string;
  /** A number, or `@channel`. */
  readonly chatId: string;
  readonly timeoutMs: number;
}

/**
 * @throws PortError `sink_url_invalid`
 * @see https://core.telegram.org/bots/api#sendmessage
 */
export function createTelegramSink({ url, botToken, chatId, timeoutMs }: TelegramSinkOptions): AlertSink {
  const to = endpoint('telegram', `${url.replace(/\/$/, '')}/bot${encodeURIComponent(botToken)}/sendMessage`);
  return {
    name: to.name,
    async send({ title, text }) {
      const preview = { link_preview_options: { is_disabled: true } };
      await post(to, JSON.stringify({ chat_id: chatId, text: `${title}\n${text}`, ...preview }), { timeoutMs });
    },
  };
}
