/**
 * One provider's login in the `auth.json` of Hermes. Not an official contract; read tolerantly.
 *
 * Rule: the life is relative, and counts from `last_refresh`, which stands beside the tokens or above them. A dead grant
 * leaves the file without its access token: that is a login that needs a refresh, or a person.
 */
import { isJsonObject } from './json-document.ts';
import { createPlacedCodec, objectAt, type Path, type Whereabouts } from './json-places.ts';
import type { LifeOptions, StoreCodec } from './store-codec.ts';

/** @param options `entry`: the provider, such as `xai-oauth` */
export function createHermesCodec({ entry, ...life }: LifeOptions & { readonly entry: string }): StoreCodec {
  const provider: Path = ['providers', entry];
  return createPlacedCodec(
    {
      locate: (root): Whereabouts => {
        if (!isJsonObject(root)) return { kind: 'broken', detail: 'expected a JSON object' };
        const login = objectAt(root, provider);
        const name = JSON.stringify(entry);
        if (login === null) return { kind: 'missing', detail: `there is no provider ${name}` };
        const tokens: Path = [...provider, 'tokens'];
        if (objectAt(root, tokens) === null) {
          return { kind: 'broken', detail: `expected an object in the tokens of ${name}; log in again` };
        }
        return {
          kind: 'places',
          places: {
            access_token: [...tokens, 'access_token'],
            refresh_token: [...tokens, 'refresh_token'],
            expires_in: [...tokens, 'expires_in'],
            obtained_at: [...(dateOwners(provider).find((owner) => hasDate(root, owner)) ?? provider), 'last_refresh'],
          },
        };
      },
      whenNew: null,
      needsExpiry: true,
      // Its program reads no other, and would take the whole file for broken.
      moments: 'iso',
    },
    life,
  );
}

/** Where versions of the tool have put the date. */
const dateOwners = (provider: Path): readonly Path[] => [provider, [...provider, 'tokens'], []];

const hasDate = (root: unknown, owner: Path): boolean => objectAt(root, owner)?.last_refresh !== undefined;
