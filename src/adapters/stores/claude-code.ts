/**
 * The credential file of Claude Code: `claudeAiOauth` in `.credentials.json`. Not an official contract; read tolerantly.
 *
 * Rule: read only. Its tool guards the file with two locks of its own, and whoever writes without them can undo a rotation.
 */
import { brokenReading, isJsonObject, parseJson } from './json-document.ts';
import { type LifeOptions, type ReadOnlyCodec, readStored } from './store-codec.ts';

export function createClaudeCodeCodec(life: LifeOptions): ReadOnlyCodec {
  return {
    read: (text, modifiedAt) => {
      const parsed = parseJson(text);
      if ('broken' in parsed) return parsed.broken;
      if (!isJsonObject(parsed.value)) return brokenReading('expected a JSON object');
      const login = parsed.value.claudeAiOauth;
      // The same file also keeps the grants of tools that Claude Code talks to.
      if (login === undefined || login === null)
        return { kind: 'missing', detail: 'it holds no login (claudeAiOauth)' };
      if (!isJsonObject(login)) return brokenReading('expected an object in claudeAiOauth');
      const members = {
        access_token: login.accessToken,
        refresh_token: login.refreshToken,
        expires_at: login.expiresAt,
        refresh_token_expires_at: login.refreshTokenExpiresAt,
      };
      return readStored(members, modifiedAt, life);
    },
    readOnlyReason:
      'a claude-code store is only read: writing it needs the two locks of Claude Code, which come with the direct refresh',
  };
}
