/**
 * The Discord sink: title and text through a webhook of a channel.
 *
 * Rule: what Discord would read as a mention or markup is text to it, and no preview is made of a link.
 */
import type { AlertSink } from '../../daemon/ports.ts';
import { endpoint, post } from './post.ts';

export interface DiscordSinkOptions {
  /** The webhook's address; whoever has it can post. */
  readonly url: string;
  readonly timeoutMs: number;
}

/** @throws PortError `sink_url_invalid` */
export function createDiscordSink(options: DiscordSinkOptions): AlertSink {
  const to = endpoint('discord', options.url);
  return {
    name: to.name,
    async send({ title, text }) {
      const content = escaped(`${title}\n${text}`).slice(0, CONTENT_CHARACTERS_MAX);
      const body = JSON.stringify({ content, allowed_mentions: { parse: [] }, flags: SUPPRESS_EMBEDS });
      await post(to, body, { timeoutMs: options.timeoutMs });
    },
  };
}

/** A name such as `my_bot_x` must not come out in italics. */
const escaped = (text: string): string => text.replaceAll(/[\\*_~`|>#<@]/g, '\\$&');

// Discord refuses longer ones; ours have 512 characters, escapes included hardly ever twice that.
const CONTENT_CHARACTERS_MAX = 2_000;

/** @see https://discord.com/developers/docs/resources/message#message-object-message-flags */
const SUPPRESS_EMBEDS = 4;
