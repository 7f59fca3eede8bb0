/**
 * The login of Codex: `tokens` in `auth.json`, dated by `last_refresh`. Not an official contract; read tolerantly.
 *
 * Rule: the access token is a JWT and says itself when it ends; `account_id` says whose login it is. Codex truncates and
 * writes, without a lock: half a file is looked at again, and the file is read anew before each write.
 */
import { isJsonObject } from './json-document.ts';
import { createPlacedCodec, type Places } from './json-places.ts';
import type { LifeOptions, StoreCodec } from './store-codec.ts';

export function createCodexCodec(life: LifeOptions): StoreCodec {
  return createPlacedCodec(
    {
      locate: (root) => {
        if (!isJsonObject(root)) return { kind: 'broken', detail: 'expected a JSON object' };
        const { tokens } = root;
        // With an API key the file has no tokens at all.
        if (tokens === undefined || tokens === null) return { kind: 'missing', detail: 'it holds no login (tokens)' };
        if (!isJsonObject(tokens)) return { kind: 'broken', detail: 'expected an object in tokens' };
        return { kind: 'places', places: PLACES };
      },
      whenNew: null,
      needsExpiry: false,
      // Its program reads no other, and would take the whole file for broken.
      moments: 'iso',
    },
    life,
  );
}

const PLACES: Places = {
  access_token: ['tokens', 'access_token'],
  refresh_token: ['tokens', 'refresh_token'],
  id_token: ['tokens', 'id_token'],
  account_id: ['tokens', 'account_id'],
  obtained_at: ['last_refresh'],
};
