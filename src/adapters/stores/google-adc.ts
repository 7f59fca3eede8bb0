/**
 * Google's application default credentials of a person: a refresh token with its client, and no access token.
 *
 * Rule: the file has no place for an access token, and gets none; what is fetched lives in freshd alone, and is fetched
 * again after a restart.
 */
import { isJsonObject } from './json-document.ts';
import { createPlacedCodec, type Places } from './json-places.ts';
import type { LifeOptions, StoreCodec } from './store-codec.ts';

export function createGoogleAdcCodec(life: LifeOptions): StoreCodec {
  return createPlacedCodec(
    {
      locate: (root) => {
        if (!isJsonObject(root)) return { kind: 'broken', detail: 'expected a JSON object' };
        if (root.type !== undefined && root.type !== 'authorized_user') {
          return {
            kind: 'broken',
            detail: 'expected the type "authorized_user"; a service account has no refresh token',
          };
        }
        if (root.refresh_token === undefined) return { kind: 'missing', detail: 'it holds no refresh token' };
        return { kind: 'places', places: PLACES };
      },
      whenNew: null,
      needsExpiry: false,
    },
    life,
  );
}

const PLACES: Places = { refresh_token: ['refresh_token'] };
