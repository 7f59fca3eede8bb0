/**
 * The login of the Gemini CLI: `oauth_creds.json`. Not an official contract; read tolerantly.
 *
 * Rule: Google does not rotate, so an answer without a refresh token is the usual one, and the stored one stays.
 */
import { isJsonObject } from './json-document.ts';
import { createPlacedCodec, type Places } from './json-places.ts';
import type { LifeOptions, StoreCodec } from './store-codec.ts';

export function createGeminiCodec(life: LifeOptions): StoreCodec {
  return createPlacedCodec(
    {
      locate: (root) => {
        if (!isJsonObject(root)) return { kind: 'broken', detail: 'expected a JSON object' };
        const isLogin = root.access_token !== undefined || root.refresh_token !== undefined;
        return isLogin ? { kind: 'places', places: PLACES } : { kind: 'missing', detail: 'it holds no login' };
      },
      whenNew: null,
      needsExpiry: true,
    },
    life,
  );
}

const PLACES: Places = {
  access_token: ['access_token'],
  refresh_token: ['refresh_token'],
  id_token: ['id_token'],
  token_type: ['token_type'],
  expires_at: ['expiry_date'],
};
