/**
 * An alert as JSON, for programs: the documented shape that the webhook and command sinks send.
 *
 * Rule: members are added, never renamed or removed; moments are ISO 8601 in UTC; no secrets.
 */
import { isoText } from '../../core/moment.ts';
import type { AlertMessage } from '../../daemon/ports.ts';

/**
 * @returns one JSON object:
 * - `id`: the same for a repeated delivery of the same alert; `kind`: `first_failure`, `restored`, …; `credential`; `at`
 * - `title`, `text`, `remedy` (the command that helps, or null): words for people, which may change between versions
 * - `code` (of the failure, or null), `failures` (in a row), `expires_at` (of the token in use, or null),
 *   `until` (how long a server told freshd to wait, or null)
 */
export function eventJson({ alert, credential, title, text, remedy }: AlertMessage): string {
  return JSON.stringify({
    id: alert.id,
    kind: alert.kind,
    credential,
    at: isoText(alert.at),
    title,
    text,
    remedy,
    code: alert.code,
    failures: alert.failures,
    expires_at: alert.expiresAt === null ? null : isoText(alert.expiresAt),
    until: alert.until === undefined ? null : isoText(alert.until),
  });
}
