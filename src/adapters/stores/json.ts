/**
 * JSON files of any shape: JSON pointers from the configuration say where the values stand.
 *
 * Rule: a refresh token without a pointer is not kept, for nobody asked for it.
 */
import { isJsonObject, parsePointer, valueAt } from './json-document.ts';
import { createPlacedCodec, type Path, type Places } from './json-places.ts';
import type { LifeOptions, StoreCodec } from './store-codec.ts';

/** JSON pointers (RFC 6901); null: the file has no such value. */
export interface JsonPointers {
  readonly accessToken: string;
  readonly refreshToken: string | null;
  readonly tokenType: string | null;
  readonly expiresAt: string | null;
  readonly expiresIn: string | null;
  readonly obtainedAt: string | null;
  readonly refreshTokenExpiresAt: string | null;
  readonly account: string | null;
}

/** @throws PortError `invalid_pointer` */
export function createJsonCodec({ pointers, ...life }: LifeOptions & { readonly pointers: JsonPointers }): StoreCodec {
  const access = parsePointer(pointers.accessToken);
  const places = placesOf(pointers, access);
  return createPlacedCodec(
    {
      locate: (root) => {
        if (!isJsonObject(root) && !Array.isArray(root)) {
          return { kind: 'broken', detail: 'expected a JSON object, found a bare value' };
        }
        const refresh = places.refresh_token === undefined ? undefined : valueAt(root, places.refresh_token);
        const hasPlace = valueAt(root, access.slice(0, -1)) !== undefined || refresh !== undefined;
        if (hasPlace) return { kind: 'places', places };
        return { kind: 'missing', detail: `there is nothing at ${pointers.accessToken}` };
      },
      whenNew: places,
      needsExpiry: false,
    },
    life,
  );
}

function placesOf(pointers: JsonPointers, access: Path): Places {
  const others = {
    refresh_token: pointers.refreshToken,
    token_type: pointers.tokenType,
    expires_at: pointers.expiresAt,
    expires_in: pointers.expiresIn,
    obtained_at: pointers.obtainedAt,
    refresh_token_expires_at: pointers.refreshTokenExpiresAt,
    account_id: pointers.account,
  };
  const present = Object.entries(others).flatMap(([name, pointer]) =>
    pointer === null ? [] : [[name, parsePointer(pointer)] as const],
  );
  return { access_token: access, ...Object.fromEntries(present) };
}
