/**
 * freshd's own store format: the token response as the server sent it (RFC 6749 §5.1), plus `obtained_at`.
 *
 * Rule: members of the former response that time the former tokens go with them; everything unknown stays.
 */
import { isoText } from '../../core/moment.ts';
import type { EpochMs, TokenResponse } from '../../core/token.ts';
import { dateResponse, mergeResponse } from '../../core/token-response.ts';
import { brokenReading, isJsonObject, parseJson, valueAt } from './json-document.ts';
import { editJson, type JsonEdit } from './json-edit.ts';
import { type LifeOptions, readAnswer, readStored, type StoreCodec } from './store-codec.ts';

export interface TokenResponseFormat extends LifeOptions {
  /** The member of the file that holds this credential; null: the file is the response itself. */
  readonly entry: string | null;
}

export function createTokenResponseCodec({ entry, ...life }: TokenResponseFormat): StoreCodec {
  const path = entry === null ? [] : [entry];

  function read(text: string, modifiedAt: EpochMs) {
    const parsed = parseJson(text);
    if ('broken' in parsed) return parsed.broken;
    const members = valueAt(parsed.value, path);
    if (entry !== null && members === undefined && isJsonObject(parsed.value)) {
      return { kind: 'missing', detail: `there is no entry ${JSON.stringify(entry)}` } as const;
    }
    if (!isJsonObject(members)) return brokenReading('expected a JSON object that is a token response');
    return readStored(members, modifiedAt, life);
  }

  return {
    read,
    merge: (text, response, receivedAt) => {
      const old = text === null ? null : read(text, receivedAt);
      const previous = old?.kind === 'tokens' ? old.tokens : null;
      const dated = dateResponse(response, receivedAt);
      const next = readAnswer(dated, receivedAt, life);
      const isRefreshTokenOnly = next.accessToken === null;
      const { refreshTokenExpiresAt } = mergeResponse(previous, next);
      const stays = isRefreshTokenOnly ? ACCESS_MEMBERS : [];
      const changes: TokenResponse = {
        ...Object.fromEntries(ACCESS_MEMBERS.map((name) => [name, undefined])),
        ...dated,
        ...refreshTokenMembers(isRefreshTokenOnly ? {} : dated, refreshTokenExpiresAt),
      };
      const edits = Object.entries(changes)
        .filter(([name]) => !stays.includes(name))
        .filter(([name]) => name !== 'refresh_token' || next.refreshToken !== null)
        .map(([name, value]): JsonEdit => ({ path: [...path, name], value }));
      const edited = editJson(text === null || text.trim() === '' ? '{}' : text, edits);
      return text === null ? `${JSON.stringify(JSON.parse(edited), null, 2)}\n` : edited;
    },
  };
}

/**
 * The end of the refresh token becomes a moment wherever a relative one would count from the wrong `obtained_at`: that of a
 * newer access token, or of an older one.
 */
function refreshTokenMembers(response: TokenResponse, expiresAt: EpochMs | null): TokenResponse {
  const stated = Object.fromEntries(REFRESH_MEMBERS.map((name) => [name, response[name]]));
  const isStated = Object.values(stated).some((value) => value !== undefined);
  return isStated || expiresAt === null ? stated : { ...stated, refresh_token_expires_at: isoText(expiresAt) };
}

/** What times or describes the access token. */
const ACCESS_MEMBERS: readonly string[] = ['access_token', 'token_type', 'expires_in', 'expires_at', 'obtained_at'];

/** What times the refresh token. */
const REFRESH_MEMBERS: readonly string[] = [
  'refresh_token_expires_in',
  'refresh_expires_in',
  'refresh_token_expires_at',
];
