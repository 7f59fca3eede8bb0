/**
 * One profile's login in the `auth-profiles.json` of an OpenClaw agent. Not an official contract; read tolerantly.
 *
 * Rule: only profiles of the type `oauth` are logins; API keys and other profiles in the same file stay untouched.
 */
import { findEntry } from './entries.ts';
import { createPlacedCodec } from './json-places.ts';
import { isOauth, shortPlaces } from './opencode.ts';
import type { LifeOptions, StoreCodec } from './store-codec.ts';

/** @param options `entry`: the profile, such as `anthropic:default`; null: the only one with a login */
export function createOpenclawCodec({ entry, ...life }: LifeOptions & { readonly entry: string | null }): StoreCodec {
  return createPlacedCodec(
    {
      locate: (root) => {
        const found = findEntry(root, { within: ['profiles'], entry, isLogin: isOauth });
        return found.kind === 'entry' ? { kind: 'places', places: shortPlaces(found.path) } : found;
      },
      whenNew: null,
      needsExpiry: true,
    },
    life,
  );
}
