/**
 * A login in the `auth.json` of Grok, whose versions spell its members differently. Not an official contract.
 *
 * Rule: every spelling is read, and the one that was found is written back. The `auth.json.lock` beside it is always there
 * and says nothing: nobody waits for it.
 */
import { findEntry, spellingIn } from './entries.ts';
import { isJsonObject, type JsonObject } from './json-document.ts';
import { createPlacedCodec, type Path, type Places, type Whereabouts } from './json-places.ts';
import type { LifeOptions, StoreCodec } from './store-codec.ts';

/** @param options `entry`: which login; null: the only one, or the file itself */
export function createGrokCodec({ entry, ...life }: LifeOptions & { readonly entry: string | null }): StoreCodec {
  return createPlacedCodec(
    {
      locate: (root): Whereabouts => {
        if (entry === null && isJsonObject(root) && isLogin(root)) {
          return { kind: 'places', places: placesIn(root, []) };
        }
        const found = findEntry(root, { within: [], entry, isLogin });
        return found.kind === 'entry' ? { kind: 'places', places: placesIn(found.value, found.path) } : found;
      },
      whenNew: null,
      needsExpiry: true,
    },
    life,
  );
}

function placesIn(login: JsonObject, path: Path): Places {
  return {
    access_token: [...path, spellingIn(login, ACCESS)],
    refresh_token: [...path, spellingIn(login, REFRESH)],
    expires_at: [...path, spellingIn(login, EXPIRES)],
  };
}

const isLogin = (value: JsonObject): boolean =>
  [...ACCESS, ...REFRESH].some((name) => typeof value[name] === 'string' || value[name] === null);

const ACCESS = ['access_token', 'key'] as const;
const REFRESH = ['refresh_token', 'refresh'] as const;
const EXPIRES = ['expires_at', 'expires'] as const;
