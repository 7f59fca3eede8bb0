/**
 * JSON files of any shape: JSON pointers from the configuration say where the values stand.
 *
 * Rule: only what a pointer names is read or changed; a refresh token without a pointer is not kept, for nobody asked for it.
 */
import { writeMomentLike } from '../../core/moment.ts';
import type { EpochMs, TokenSet } from '../../core/token.ts';
import { brokenReading, isJsonObject, parseJson, parsePointer, valueAt } from './json-document.ts';
import { editJson, type JsonEdit } from './json-edit.ts';
import { type LifeOptions, readAnswer, readStored, type WritableCodec } from './store-codec.ts';

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
export function createJsonCodec({
  pointers,
  ...life
}: LifeOptions & { readonly pointers: JsonPointers }): WritableCodec {
  const places = placesOf(pointers);
  return {
    read: (text, modifiedAt) => {
      const parsed = parseJson(text);
      if ('broken' in parsed) return parsed.broken;
      if (!isJsonObject(parsed.value) && !Array.isArray(parsed.value)) {
        return brokenReading('expected a JSON object, found a bare value');
      }
      const members = Object.fromEntries(
        Object.entries(places).map(([name, path]) => [name, path === null ? undefined : valueAt(parsed.value, path)]),
      );
      const parent = valueAt(parsed.value, places.access_token.slice(0, -1));
      if (parent === undefined && members.refresh_token === undefined) {
        return { kind: 'missing', detail: `there is nothing at ${pointers.accessToken}` };
      }
      return readStored(members, modifiedAt, life);
    },
    merge: (text, response, receivedAt) => {
      const next = readAnswer(response, receivedAt, life);
      const root: unknown = text === null || text.trim() === '' ? {} : JSON.parse(text);
      const edits = editsFor(next, { places, root, receivedAt });
      const edited = editJson(text === null || text.trim() === '' ? '{}' : text, edits);
      return text === null ? `${JSON.stringify(JSON.parse(edited), null, 2)}\n` : edited;
    },
  };
}

type Path = readonly string[];
interface Places extends Readonly<Record<string, Path | null>> {
  readonly access_token: Path;
}

/** Pointers under the names that a token response has for the same things. */
function placesOf(pointers: JsonPointers): Places {
  const path = (pointer: string | null): Path | null => (pointer === null ? null : parsePointer(pointer));
  return {
    access_token: parsePointer(pointers.accessToken),
    refresh_token: path(pointers.refreshToken),
    token_type: path(pointers.tokenType),
    expires_at: path(pointers.expiresAt),
    expires_in: path(pointers.expiresIn),
    obtained_at: path(pointers.obtainedAt),
    refresh_token_expires_at: path(pointers.refreshTokenExpiresAt),
    account_id: path(pointers.account),
  };
}

interface Target {
  readonly places: Places;
  readonly root: unknown;
  readonly receivedAt: EpochMs;
}

/** The account is left alone: it says whose file it is, and an answer does not change that. */
function editsFor(next: TokenSet, { places, root, receivedAt }: Target): JsonEdit[] {
  const edits: JsonEdit[] = [];
  const set = (name: string, value: (found: unknown) => unknown): void => {
    const path = places[name];
    if (path != null) edits.push({ path, value: value(valueAt(root, path)) });
  };
  const momentLike = (moment: EpochMs | null) => (found: unknown) =>
    // What timed the former token must not time this one.
    moment === null ? undefined : writeMomentLike(found, moment);

  if (next.refreshToken !== null) {
    set('refresh_token', () => next.refreshToken);
    set('refresh_token_expires_at', momentLike(next.refreshTokenExpiresAt));
  }
  if (next.accessToken === null) return edits;
  const obtainedAt = next.obtainedAt ?? receivedAt;
  const expiresAt = next.expiry.kind === 'known' ? next.expiry.expiresAt : null;
  set('access_token', () => next.accessToken);
  set('token_type', (found) => (isSameType(found, next.tokenType) ? found : next.tokenType));
  set('expires_at', momentLike(expiresAt));
  set('obtained_at', momentLike(obtainedAt));
  set('expires_in', (found) => {
    if (expiresAt === null) return undefined;
    // Without an `obtained_at` it counts from the time of the file, which is now.
    const from = places.obtained_at === null ? receivedAt : obtainedAt;
    const seconds = Math.max(0, Math.floor((expiresAt - from) / 1000));
    return typeof found === 'string' ? String(seconds) : seconds;
  });
  return edits;
}

/** A tool that spells it `bearer` keeps its spelling. */
function isSameType(found: unknown, type: string): boolean {
  return typeof found === 'string' && found.toLowerCase() === type.toLowerCase();
}
