/**
 * The login of Claude Code: `claudeAiOauth` in `.credentials.json`, or in the Keychain. Not an official contract; read tolerantly.
 *
 * Rule: `scopes` and everything else beside the tokens stays: without it the tool asks for a new login. Whoever writes holds
 * the tool's two locks, or can undo a rotation.
 */
import { isJsonObject } from './json-document.ts';
import { createPlacedCodec, type Places } from './json-places.ts';
import type { LifeOptions, StoreCodec } from './store-codec.ts';

export function createClaudeCodeCodec(life: LifeOptions): StoreCodec {
  return createPlacedCodec(
    {
      locate: (root) => {
        if (!isJsonObject(root)) return { kind: 'broken', detail: 'expected a JSON object' };
        const login = root.claudeAiOauth;
        // The same file also keeps the grants of tools that Claude Code talks to.
        if (login === undefined || login === null) {
          return { kind: 'missing', detail: 'it holds no login (claudeAiOauth)' };
        }
        if (!isJsonObject(login)) return { kind: 'broken', detail: 'expected an object in claudeAiOauth' };
        return { kind: 'places', places: 'refreshTokenExpiresAt' in login ? PLACES_WITH_END : PLACES };
      },
      whenNew: null,
      needsExpiry: true,
    },
    life,
  );
}

const PLACES: Places = {
  access_token: ['claudeAiOauth', 'accessToken'],
  refresh_token: ['claudeAiOauth', 'refreshToken'],
  expires_at: ['claudeAiOauth', 'expiresAt'],
};

/** Only some versions write it; where it is, it must not outlive its refresh token. */
const PLACES_WITH_END: Places = {
  ...PLACES,
  refresh_token_expires_at: ['claudeAiOauth', 'refreshTokenExpiresAt'],
};
