/**
 * One provider's login in OpenCode's `auth.json`. Not an official contract; read tolerantly.
 *
 * Rule: only entries of the type `oauth` are logins; keys of other providers in the same file stay untouched.
 */
import { findEntry } from './entries.ts';
import { createPlacedCodec, type Path, type Places } from './json-places.ts';
import type { LifeOptions, StoreCodec } from './store-codec.ts';

/** @param options `entry`: the provider; null: the only one with a login */
export function createOpencodeCodec({ entry, ...life }: LifeOptions & { readonly entry: string | null }): StoreCodec {
  return createPlacedCodec(
    {
      locate: (root) => {
        const found = findEntry(root, { within: [], entry, isLogin: isOauth });
        return found.kind === 'entry' ? { kind: 'places', places: shortPlaces(found.path) } : found;
      },
      whenNew: null,
      needsExpiry: true,
    },
    life,
  );
}

/** OpenClaw spells the members of a login the same way. */
export function shortPlaces(login: Path): Places {
  return {
    access_token: [...login, 'access'],
    refresh_token: [...login, 'refresh'],
    expires_at: [...login, 'expires'],
    account_id: [...login, 'accountId'],
  };
}

export function isOauth({ type, access, refresh }: Readonly<Record<string, unknown>>): boolean {
  return type === 'oauth' || (type === undefined && (access !== undefined || refresh !== undefined));
}
