/**
 * What all JSON stores share: values are read from the places where a format keeps them, and written back to the same ones.
 *
 * Rule: only the named places are read or changed, in the spelling in which they were found; everything else stays.
 */
import { isoText, readMoment, writeMomentLike } from '../../core/moment.ts';
import type { EpochMs, TokenResponse, TokenSet } from '../../core/token.ts';
import { PortError } from '../../daemon/ports.ts';
import { isJsonObject, parseJson, valueAt } from './json-document.ts';
import { editJson, type JsonEdit } from './json-edit.ts';
import { type LifeOptions, readAnswer, readStored, type StoreCodec } from './store-codec.ts';

export type Path = readonly string[];

/** Under the names that a token response has for the same things; what is left out, the file does not have. */
export interface Places {
  readonly access_token?: Path;
  readonly refresh_token?: Path;
  readonly id_token?: Path;
  readonly token_type?: Path;
  readonly expires_at?: Path;
  readonly expires_in?: Path;
  readonly obtained_at?: Path;
  readonly refresh_token_expires_at?: Path;
  readonly account_id?: Path;
}

/** Where a document keeps the credential, or why it holds none. */
export type Whereabouts =
  | {
      readonly kind: 'places';
      readonly places: Places;
      /** Where the same values stand once more, under other names; they are kept the same. */
      readonly twins?: readonly Places[];
    }
  | { readonly kind: 'missing' | 'broken'; readonly detail: string };

export interface JsonShape {
  /** @param root the parsed document: any JSON value */
  locate(root: unknown): Whereabouts;
  /** Where a first token goes; null: the file begins with a login of its own tool. */
  readonly whenNew: Places | null;
  /** Its tool expects an expiry: an assumed one is written rather than none. */
  readonly needsExpiry: boolean;
  /** How its tool writes a moment, for a place where none is found whose spelling could be kept; absent: ms. */
  readonly moments?: 'iso';
}

export function createPlacedCodec(shape: JsonShape, life: LifeOptions): StoreCodec {
  return {
    read: (text, modifiedAt) => {
      const parsed = parseJson(text);
      if ('broken' in parsed) return parsed.broken;
      const found = shape.locate(parsed.value);
      if (found.kind !== 'places') return found;
      const members = Object.entries(found.places)
        // Where the file itself says whose it is, the subject in its id_token, which is another name, does not count.
        .filter(([name]) => name !== 'id_token' || found.places.account_id === undefined)
        .map(([name, path]) => [name, valueAt(parsed.value, path)]);
      return readStored(Object.fromEntries(members), modifiedAt, life);
    },
    merge: (text, response, receivedAt) => {
      const next = readAnswer(response, receivedAt, life);
      const isEmpty = text === null || text.trim() === '';
      const root: unknown = isEmpty ? {} : JSON.parse(text);
      const found = shape.locate(root);
      const places = found.kind === 'places' ? found.places : shape.whenNew;
      if (places === null) throw notBegunHere();
      const target = { root, receivedAt, response, shape };
      const twins = found.kind === 'places' ? (found.twins ?? []) : [];
      const edits = [places, ...twins].flatMap((each) => editsFor(next, { ...target, places: each }));
      const edited = editJson(isEmpty ? '{}' : text, edits);
      return text === null ? `${JSON.stringify(JSON.parse(edited), null, 2)}\n` : edited;
    },
  };
}

/** For formats whose places do not depend on what the file holds. @returns null when `at` is not there or no object */
export function objectAt(root: unknown, at: Path): Readonly<Record<string, unknown>> | null {
  const value = valueAt(root, at);
  return isJsonObject(value) ? value : null;
}

interface Target {
  readonly places: Places;
  readonly root: unknown;
  readonly receivedAt: EpochMs;
  readonly response: TokenResponse;
  readonly shape: JsonShape;
}

/** The account is left alone: it says whose file it is, and an answer does not change that. */
function editsFor(next: TokenSet, { places, root, receivedAt, response, shape }: Target): JsonEdit[] {
  const edits: JsonEdit[] = [];
  const set = (path: Path | undefined, value: (found: unknown) => unknown): void => {
    if (path !== undefined) edits.push({ path, value: value(valueAt(root, path)) });
  };
  const momentLike = (moment: EpochMs | null) => (found: unknown) => {
    // What timed the former token must not time this one.
    if (moment === null) return undefined;
    return shape.moments === 'iso' && readMoment(found) === null ? isoText(moment) : writeMomentLike(found, moment);
  };

  if (next.refreshToken !== null) {
    set(places.refresh_token, () => next.refreshToken);
    set(places.refresh_token_expires_at, momentLike(next.refreshTokenExpiresAt));
  }
  if (next.accessToken === null) return edits;
  const obtainedAt = next.obtainedAt ?? receivedAt;
  const isStated = next.expiry.kind === 'known' || (next.expiry.kind === 'assumed' && shape.needsExpiry);
  const expiresAt = isStated ? next.expiry.expiresAt : null;
  set(places.access_token, () => next.accessToken);
  if (typeof response.id_token === 'string') set(places.id_token, () => response.id_token);
  set(places.token_type, (found) => (isSameType(found, next.tokenType) ? found : next.tokenType));
  set(places.expires_at, momentLike(expiresAt));
  set(places.obtained_at, momentLike(obtainedAt));
  set(places.expires_in, (found) => {
    if (expiresAt === null) return undefined;
    // Without an `obtained_at` it counts from the time of the file, which is now.
    const from = places.obtained_at === undefined ? receivedAt : obtainedAt;
    const seconds = Math.max(0, Math.floor((expiresAt - from) / 1000));
    return typeof found === 'string' ? String(seconds) : seconds;
  });
  return edits;
}

/** A tool that spells it `bearer` keeps its spelling. */
function isSameType(found: unknown, type: string): boolean {
  return typeof found === 'string' && found.toLowerCase() === type.toLowerCase();
}

function notBegunHere(): PortError {
  const remedy = 'log in with the tool that owns the file; it puts more into it than tokens';
  return new PortError(`did not write: there is no login to put the tokens into; ${remedy}`, {
    code: 'login_missing',
    remedy,
  });
}
