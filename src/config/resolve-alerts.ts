/**
 * Alerts from their written form to their resolved one.
 *
 * Rule: what is secret here (addresses, tokens, topics) is shown in no problem.
 */
import { ALERT_KINDS } from '../core/policy.ts';
import { ALERT_SWITCHES } from './alert-keys.ts';
import type { Config, SinkConfig } from './config.ts';
import { SETTING_TABLE } from './limits.ts';
import { isLoopback } from './loopback.ts';
import { type At, type Resolver, report, resolveArgv, resolveText, resolveValue } from './resolver.ts';
import type { RawAlerts } from './schema.ts';
import { NTFY_URL, TELEGRAM_URL } from './schema-alert-sink.ts';

const MS_PER_HOUR = 3_600_000;

export function resolveAlerts(resolver: Resolver, raw: RawAlerts): Config['alerts'] {
  const sinks = (raw.sinks ?? [{ type: 'log' as const }]).map((sink, index) =>
    resolveSink(resolver, ['alerts', 'sinks', index], sink),
  );
  return {
    kinds: ALERT_KINDS.filter((kind) => raw[ALERT_SWITCHES[kind].key] ?? true),
    reminderMs: raw.reminderHours === undefined ? null : Math.round(raw.reminderHours * MS_PER_HOUR),
    sinks,
  };
}

function resolveSink(resolver: Resolver, at: At, raw: NonNullable<RawAlerts['sinks']>[number]): SinkConfig {
  if (raw.type === 'log') return { type: 'log' };
  const timeoutMs = Math.round((raw.timeoutSeconds ?? SETTING_TABLE.sinkTimeoutSeconds.default) * 1_000);
  const textAt = (key: string, text: string): string => resolveValue(resolver, [...at, key], text);
  const urlAt = (key: string, text: string): string => resolveUrl(resolver, [...at, key], text);
  switch (raw.type) {
    case 'desktop':
      return { type: raw.type, timeoutMs };
    case 'command':
      return { type: raw.type, argv: resolveArgv(resolver, raw.command), cwd: resolver.directory, timeoutMs };
    case 'webhook': {
      const secret = raw.secret === undefined ? null : textAt('secret', raw.secret);
      return { type: raw.type, url: urlAt('url', raw.url), secret, timeoutMs };
    }
    case 'slack':
    case 'discord':
      return { type: raw.type, url: urlAt('url', raw.url), timeoutMs };
    case 'telegram': {
      const botToken = textAt('botToken', raw.botToken);
      const url = urlAt('url', raw.url ?? TELEGRAM_URL);
      return { type: raw.type, url, botToken, chatId: textAt('chatId', raw.chatId), timeoutMs };
    }
    case 'ntfy': {
      const token = raw.token === undefined ? null : textAt('token', raw.token);
      const url = urlAt('url', raw.url ?? NTFY_URL);
      return { type: raw.type, url, topic: textAt('topic', raw.topic), token, timeoutMs };
    }
    case 'sentry':
      return { type: raw.type, dsn: urlAt('dsn', raw.dsn), timeoutMs };
  }
}

/** Never shown: such a URL is a secret. */
function resolveUrl(resolver: Resolver, at: At, text: string): string {
  const problemsBefore = resolver.problems.length;
  const value = resolveText(resolver, at, text);
  if (resolver.problems.length > problemsBefore) return value;
  const url = URL.canParse(value) ? new URL(value) : null;
  if (url === null || !(url.protocol === 'https:' || (url.protocol === 'http:' && isLoopback(url)))) {
    report(resolver, at, {
      expected: 'an https URL, or an http one to this machine',
      seen: url === null ? 'no URL (not shown)' : `one with ${url.protocol} (not shown)`,
      remedy: 'correct it where it is taken from',
    });
  }
  return value;
}
