/**
 * A login in the `auth.json` of Grok, whose versions spell its members differently. Not an official contract.
 *
 * Rule: every spelling is read, and the one that was found is written back; if the same value stands there in several, all of
 * them. The `auth.json.lock` beside it is always there and says nothing: nobody waits for it.
 */
import { readMoment } from '../../core/moment.ts';
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
          return { kind: 'places', ...placesIn(root, []) };
        }
        const found = findEntry(root, { within: [], entry, isLogin });
        return found.kind === 'entry' ? { kind: 'places', ...placesIn(found.value, found.path) } : found;
      },
      whenNew: null,
      needsExpiry: true,
    },
    life,
  );
}

function placesIn(login: JsonObject, path: Path): { readonly places: Places; readonly twins: readonly Places[] } {
  const names = Object.entries({ access_token: ACCESS, refresh_token: REFRESH, expires_at: EXPIRES });
  const read = names.map(([meaning, spellings]) => ({ meaning, spellings, name: spellingIn(login, spellings) }));
  const twins = read.flatMap(({ meaning, spellings, name }) =>
    spellings
      .filter((other) => other !== name && isSame(meaning, login[other], login[name]))
      .map((other): Places => ({ [meaning]: [...path, other] })),
  );
  return { places: Object.fromEntries(read.map(({ meaning, name }) => [meaning, [...path, name]])), twins };
}

/** Any moment is an expiry; but under the name of a token there could also stand a key of another kind. */
function isSame(meaning: string, other: unknown, one: unknown): boolean {
  if (meaning === 'expires_at') return readMoment(other) !== null;
  return typeof other === 'string' && other !== '' && other === one;
}

const isLogin = (value: JsonObject): boolean =>
  [...ACCESS, ...REFRESH].some((name) => typeof value[name] === 'string' || value[name] === null);

const ACCESS = ['access_token', 'key'] as const;
const REFRESH = ['refresh_token', 'refresh'] as const;
const EXPIRES = ['expires_at', 'expires'] as const;
